"""Elasticsearch filled again while the consumer writes: nothing newer is overwritten, no forecast's outcome erased."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from elk import rebuild
from readings.settings import Settings
from readings.stream import Stream, load_streams

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
ISSUE = f"Bergen|2026-11-25T12:00:00Z|{AT.isoformat()}"
SUM = {"_id": "NO1|wind|month|2026-11-01", "timestamp": AT, "quantity_kwh": 1.0}

Document = dict[str, Any]


class Collection:
    """Of MongoDB, in memory; a cursor gives documents as they were when it was opened."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}

    def put(self, *documents: Document) -> None:
        self.documents |= {one["_id"]: dict(one) for one in documents}

    def find(self, which: Document) -> Iterator[Document]:
        ids = which["_id"]["$in"] if which else list(self.documents)
        return iter([dict(self.documents[_id]) for _id in ids if _id in self.documents])

    def estimated_document_count(self) -> int:
        return len(self.documents)


class View:
    """Elasticsearch's documents by ``_id``; `meanwhile` happens before each bulk is carried out."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self.meanwhile: Iterator[Callable[[], None]] = iter(())

    def bulk(self, _client: object, actions: Iterator[Document], **_how: object) -> Iterator[tuple[bool, Document]]:
        gathered = list(actions)
        if gathered:
            next(self.meanwhile, lambda: None)()
        for one in gathered:
            operation = one["_op_type"]
            done = operation == "index" or one["_id"] not in self.documents
            if done:
                self.documents[one["_id"]] = one["_source"]
            yield done, {operation: {"status": 200 if done else 409, "error": {"reason": "it is there"}}}


@pytest.fixture
def database() -> Any:
    return defaultdict(Collection)


@pytest.fixture
def view(monkeypatch: pytest.MonkeyPatch) -> View:
    view = View()
    monkeypatch.setattr(rebuild, "streaming_bulk", view.bulk)
    return view


@pytest.fixture
def streams() -> dict[str, Stream]:
    return load_streams(Settings(_env_file=None))


def run(database: Any, *streams: Stream) -> dict[str, int]:
    client: Any = None
    return rebuild.rebuild(database, client, "", list(streams))


def test_a_total_that_changes_meanwhile_stays_the_newer_one(
    database: Any, view: View, streams: dict[str, Stream]
) -> None:
    sums = database["production_sums"]
    other = {**SUM, "_id": "NO2|wind|month|2026-11-01"}
    sums.put(SUM, other)

    def consumer_writes(quantity_kwh: float) -> Callable[[], None]:
        def write() -> None:
            sums.put({**SUM, "quantity_kwh": quantity_kwh})
            view.documents[SUM["_id"]] = {"quantity_kwh": quantity_kwh}

        return write

    view.meanwhile = iter([consumer_writes(2.0), consumer_writes(3.0)])
    assert run(database, streams["production"]) == {}
    assert view.documents[SUM["_id"]]["quantity_kwh"] == 3.0
    assert view.documents[other["_id"]] == {"timestamp": "2026-11-25T12:00:00Z", "quantity_kwh": 1.0}


def test_a_total_that_is_removed_meanwhile_is_not_asked_for_for_ever(
    database: Any, view: View, streams: dict[str, Stream]
) -> None:
    database["production_sums"].put(SUM)
    view.meanwhile = iter([database["production_sums"].documents.clear])
    assert run(database, streams["production"]) == {}


def test_what_came_of_a_forecast_is_kept_and_a_lost_forecast_comes_back(
    database: Any, view: View, streams: dict[str, Stream]
) -> None:
    issue = {"region": "Bergen", "timestamp": AT, "issued_at": AT, "temperature_c": 5.0}
    database["predictions"].put(
        {"_id": "Bergen|2026-11-25T12:00:00Z", **issue}, {"_id": "Oslo|2026-11-25T12:00:00Z", **issue}
    )
    known = {"temperature_c": 5.0, "actual": 4.0, "error": 1.0}
    view.documents[ISSUE] = known
    assert run(database, streams["weather"]) == {}
    assert view.documents[ISSUE] == known
    assert view.documents[ISSUE.replace("Bergen", "Oslo")]["temperature_c"] == 5.0
