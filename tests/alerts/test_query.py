"""What a query of one's own asks, and when its question makes no sense."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from elasticsearch import Elasticsearch

from alerts.asking import Answers, answer
from alerts.fields import Fields
from alerts.kinds.query import OURS, judge
from alerts.kinds.scene import Judgement, Scene
from alerts.pipeline import Pipeline
from alerts.rules import QueryRule
from elk.templates import templates
from readings.config import ROOT, load_config
from readings.stream import MODELS, Stream

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)


class View:
    """Elasticsearch with indices of which each has some fields, and no document that answers."""

    def __init__(self, indices: Mapping[str, Sequence[str]]) -> None:
        self.indices = indices
        self.asked: list[Mapping[str, Any]] = []
        self.capabilities = 0

    def msearch(self, searches: Sequence[Mapping[str, Any]], filter_path: object) -> dict[str, Any]:
        del filter_path
        self.asked += searches[1::2]
        return {"responses": [{"aggregations": {"by": {"buckets": []}}} for _ in searches[::2]]}

    def field_caps(self, index: str, fields: Sequence[str], **how: bool) -> dict[str, Any]:
        assert how == {"ignore_unavailable": True, "allow_no_indices": True}
        self.capabilities += 1
        of = self.indices.get(index)
        return {"indices": [] if of is None else ["one"], "fields": {name: {} for name in fields if name in (of or ())}}


def judged(view: View, fields: Fields | None = None, now: datetime = NOW, **rule: Any) -> Answers[str, Judgement]:
    whole = QueryRule.model_validate({"name": "q", "kind": "query", "query": "a", "more_than": 0, **rule})
    client = cast("Elasticsearch", view)
    scene = Scene(now, "", frozenset(), Pipeline(), fields=fields or Fields(client))
    return answer(client, {"q": judge(whole, scene)})


@pytest.mark.parametrize(
    ("index", "field"),
    [
        ("service-logs-*", "@timestamp"),
        ("forecasts-weather-*", "timestamp"),
        ("totals-meter-*", "timestamp"),
        ("alerts-*", "since"),
        ("readings-weather-*", "arrived_at"),
        ("dead-letters-*", "arrived_at"),
        ("my-own-*", "arrived_at"),
    ],
)
def test_the_time_is_that_of_the_indices(index: str, field: str) -> None:
    view = View({index: [field]})

    assert judged(view, index=index).found == {"q": {}}
    [asked] = view.asked
    assert [list(one["range"]) for one in asked["query"]["bool"]["filter"] if "range" in one] == [[field]]


def test_a_time_field_that_is_named_is_taken() -> None:
    view = View({"readings-weather-*": ["timestamp"]})

    assert judged(view, index="readings-weather-*", time_field="timestamp").blind == {}


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"index": "service-logs-*", "time_field": "arrived_at"}, "no index of service-logs-* has a field arrived_at"),
        ({"index": "service-logs-*", "by": "log.levl"}, "no index of service-logs-* has a field log.levl"),
        ({"index": "servce-logs-*"}, "there is no index servce-logs-*, did you mean 'service-logs-*'?"),
        ({"index": "readings-wether-*"}, "there is no index readings-wether-*, did you mean 'readings-weather-*'?"),
        ({"index": "shop-*"}, "there is no index shop-*"),
    ],
)
def test_a_question_that_nothing_can_ever_answer_blinds_its_rule(rule: dict[str, Any], why: str) -> None:
    assert judged(View({"service-logs-*": ["@timestamp", "log.level"]}), **rule).blind == {"q": why}


@pytest.mark.parametrize("index", ["service-logs-*", "dead-letters-*", "readings-market-*", "readings-*"])
def test_indices_of_ours_without_a_document_yet_are_well(index: str) -> None:
    assert judged(View({}), index=index).blind == {}


def test_fields_are_asked_for_once_a_minute() -> None:
    view = View({"service-logs-*": ["@timestamp"]})
    fields = Fields(cast("Elasticsearch", view))
    for second in range(60):
        judged(view, fields, NOW + timedelta(seconds=second), index="service-logs-*")
    assert view.capabilities == 1

    judged(view, fields, NOW + timedelta(seconds=61), index="service-logs-*")
    assert view.capabilities == 2


def test_each_index_of_ours_is_there_with_its_time() -> None:
    config = load_config(ROOT / "skywatt.yml")
    streams = {name: Stream(name, MODELS[name], one, "") for name, one in config.streams.items()}
    fields = {
        pattern: body["template"]["mappings"]["properties"]
        for body in templates("", streams).values()
        for pattern in body["index_patterns"]
    }
    assert OURS.keys() == fields.keys()
    assert {fields[index][time_field]["type"] for index, time_field in OURS.items()} == {"date"}
