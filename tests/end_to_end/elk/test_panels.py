"""What is behind every panel, asked of a real Elasticsearch filled with the recordings."""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from elasticsearch import Elasticsearch

from elk.kibana.__main__ import FILE
from elk.setup import put_templates
from elk.templates import templates
from local_stack.spare import SpareStack
from readings.connections import connect_elasticsearch
from readings.settings import Settings
from readings.stream import load_streams
from tests.elk.conftest import Arrivals
from tests.elk.filling import EACH, documents, meter_totals, operations
from tests.elk.panels import Source, objects, request, sources, value, values
from tests.elk.recorded import recorded

pytestmark = pytest.mark.timeout(300)

SOURCES = list(sources(objects(FILE.read_text())))
METERS = {one.title: one for one in SOURCES if one.dashboard["id"] == "skywatt-meters"}
ZONES = ["Europe/Lisbon", "Europe/Oslo"]
"""Of browsers: to the second Lisbon's midnight comes in the middle of the night."""


@pytest.fixture(scope="module")
def filled(stack: SpareStack, arrivals: Arrivals) -> Iterator[tuple[Elasticsearch, datetime]]:
    """Elasticsearch with everything that the dashboards show, and nothing else, up to an instant."""
    now = datetime.now(UTC).replace(hour=12, minute=3, second=0, microsecond=0)  # today has readings, whenever it is
    streams = load_streams(stack.settings)
    view = connect_elasticsearch(stack.settings)
    bodies = templates("", streams)
    patterns = ",".join(body["index_patterns"][0] for body in bodies.values())
    for index in view.indices.get_alias(index=patterns):  # of the other tests
        view.indices.delete(index=index)
    put_templates(view, bodies)
    for body in operations(documents(streams, now, arrivals)):
        answer = view.perform_request(
            "POST",
            "/_bulk?filter_path=errors,items.*.error",
            headers={"content-type": "application/x-ndjson", "accept": "application/json"},
            body=body,
        )
        assert not answer["errors"], answer["items"][:3]
    view.indices.refresh(index=patterns)
    yield view, now
    for index in view.indices.get_alias(index=patterns):
        view.indices.delete(index=index)


@pytest.mark.parametrize("source", SOURCES, ids=lambda one: f"{one.dashboard['id']}: {one.title}")
def test_a_panel_has_something_to_show(filled: tuple[Elasticsearch, datetime], source: Source) -> None:
    view, now = filled
    answer = view.search(index=source.data_view["title"], **request(source, now)).body
    assert answer["_shards"]["failed"] == 0
    if not source.columns:
        assert len(answer["aggregations"]["series"]["buckets"]) > 1
        return
    for name, numbers in values(source, answer).items():
        assert any(numbers), f"{name}: read {numbers[:5]}"


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    ("title", "field"),
    {"Energy today": "day_kwh", "Energy this month": "month_kwh", "Cost today": "day_cost_eur"}.items(),
)
def test_a_meters_bar_is_the_newest_total_and_not_that_of_the_day_before(
    filled: tuple[Elasticsearch, datetime], title: str, field: str, zone: str
) -> None:
    view, now = filled
    readings = list(recorded(load_streams(Settings(_env_file=None))["meter"], EACH["meter"], now))
    of_meters = [one for _, one in meter_totals(readings)]
    newest = {one["sensor_id"]: one for one in sorted(of_meters, key=lambda one: one["timestamp"])}
    assert {one["day"] for one in newest.values()} == {f"{now:%Y-%m-%d}"}
    answer = view.search(index=METERS[title].data_view["title"], **request(METERS[title], now, zone)).body
    columns = METERS[title].columns
    shown = {one["key"]: value(one, "value", columns) for one in answer["aggregations"]["meter"]["buckets"]}
    assert shown == {sensor: one[field] for sensor, one in newest.items()}


def test_just_after_midnight_nothing_is_shown_of_the_day_before(filled: tuple[Elasticsearch, datetime]) -> None:
    """Of a meter that is read each hour that would be for an hour."""
    view, now = filled
    midnight = now.astimezone(ZoneInfo(ZONES[0])).replace(hour=0, minute=0)
    source = METERS["Energy today"]
    closed = view.count(index=source.data_view["title"], query={"term": {"timestamp": midnight.isoformat()}})
    assert closed["count"] > 0, "there is no mark of midnight"
    asked = request(source, midnight, ZONES[0])
    asked["query"]["bool"]["filter"].append({"range": {"timestamp": {"lte": midnight.isoformat()}}})  # as it was then
    answer = view.search(index=source.data_view["title"], **asked).body
    assert answer["aggregations"]["meter"]["buckets"] == []


@pytest.mark.parametrize("title", ["Energy of the day as it adds up", "Cost of the day as it adds up"])
def test_a_days_line_only_rises(filled: tuple[Elasticsearch, datetime], title: str) -> None:
    view, now = filled
    answer = view.search(index=METERS[title].data_view["title"], **request(METERS[title], now, ZONES[0])).body
    columns = METERS[title].columns
    lines = [
        [value(one, "value", columns) or 0.0 for one in of["time"]["buckets"]]
        for of in answer["aggregations"]["meter"]["buckets"]
    ]
    assert len(lines) > 1
    for line in lines:
        assert len(line) > 20
        assert line == sorted(line)
