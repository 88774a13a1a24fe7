"""The copy of alerts in Elasticsearch, where it does not take one of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig
from elasticsearch import BadRequestError, Elasticsearch

from alerts.alert_store import CHANGES, to_document
from alerts.errors import ViewError
from alerts.history import copy_to_view
from alerts.states import Alert, Finding, Key

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)


class Changes(list[dict[str, Any]]):
    """MongoDB's collection of what is to be copied."""

    def find(self, _query: object) -> "Changes":
        return self

    def limit(self, most: int) -> list[dict[str, Any]]:
        return list(self[:most])

    def bulk_write(self, writes: Sequence[Any], ordered: bool) -> None:
        assert not ordered
        gone = {write._filter["_id"] for write in writes}
        self[:] = [one for one in self if one["_id"] not in gone]


WHOLE = "action_request_validation_exception"
"""With which Elasticsearch refuses a whole request for one document of it."""


class View:
    """Elasticsearch that refuses what names one series, and a request with an `_id` that is too long."""

    def __init__(self, refused: str = "", error: str = "") -> None:
        self.refused = refused
        self.error = {"type": error, "reason": "why"}
        self.taken: list[str] = []
        self.ids: list[str] = []

    def bulk(self, operations: Sequence[dict[str, Any]]) -> dict[str, Any]:
        items = []
        whole = self.error["type"] == WHOLE and any(body["series"] == self.refused for body in operations[1::2])
        if whole or any(len(head["index"]["_id"].encode()) > 512 for head in operations[::2]):
            meta = ApiResponseMeta(400, "1.1", HttpHeaders(), 0.0, NodeConfig("http", "127.0.0.1", 9200))
            raise BadRequestError(WHOLE, meta, {"error": {"type": WHOLE, "reason": "why"}})
        for head, body in zip(operations[::2], operations[1::2], strict=True):
            item: dict[str, Any] = {"_index": head["index"]["_index"]}
            if body["series"] == self.refused:
                item["error"] = self.error
            else:
                self.taken.append(body["series"])
                self.ids.append(head["index"]["_id"])
            items.append({"index": item})
        return {"errors": any("error" in item["index"] for item in items), "items": items}


def changes(*names: str) -> Changes:
    found = Changes()
    for name in names:
        alert = Alert(Key("late", "weather", name), "late", "warning", "firing", NOW, NOW, Finding(NOW))
        found.append({**to_document(alert), "_id": alert.incident})
    return found


def copied(stored: Changes, view: View) -> str:
    with pytest.raises(ViewError) as refused:
        copy_to_view(cast(Any, {CHANGES: stored}), cast(Elasticsearch, view), "")
    return str(refused.value)


def test_one_that_is_refused_holds_up_no_other() -> None:
    stored, view = changes("Bergen", "Oslo", "Troms"), View("Oslo", "document_parsing_exception")
    said = copied(stored, view)

    assert view.taken == ["Bergen", "Troms"]
    assert [one["series"] for one in stored] == ["Oslo"]
    assert said == "elasticsearch to take 1 of the alerts (alerts-2026.11: document_parsing_exception: why)"


def test_one_for_which_a_whole_request_is_refused_holds_up_no_other() -> None:
    stored, view = changes("Bergen", "Oslo", "Troms", "Bodø"), View("Troms", WHOLE)
    said = copied(stored, view)

    assert view.taken == ["Bergen", "Oslo", "Bodø"]
    assert [one["series"] for one in stored] == ["Troms"]
    assert said.startswith(f"elasticsearch to take 1 of the alerts (alerts-2026.11: {WHOLE}: ")


def test_incidents_with_long_names_are_copied_each_as_one_document_and_again_as_the_same() -> None:
    names = ["ø" * 230, "ø" * 250, f"{'ø' * 250}b"]
    view = View()
    for _ in range(2):
        copy_to_view(cast(Any, {CHANGES: changes(*names)}), cast(Elasticsearch, view), "")

    assert view.taken == names * 2
    assert view.ids[:3] == view.ids[3:]
    assert len(set(view.ids)) == 3
    assert view.ids[0] == f"late|weather|{names[0]}|2026-11-24T03:00:00.000+00:00"


@pytest.mark.parametrize("error", ["index_not_found_exception", "strict_dynamic_mapping_exception"])
def test_where_the_template_is_missing_or_old_it_is_said_what_to_do(error: str) -> None:
    assert copied(changes("Oslo"), View("Oslo", error)).endswith("; python -m elk.setup puts the template in place")
