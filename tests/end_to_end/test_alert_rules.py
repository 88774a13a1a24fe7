"""Each kind of rule on a real Elasticsearch, on a clock of its own: readings are stored as the consumer stores them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.book import TrialBook
from alerts.engine import Engine, RoundReport
from alerts.links import linker
from alerts.notices import Post
from alerts.rules import Rules
from local_stack.spare import SpareStack
from readings.connections import connect_elasticsearch, connect_mongodb
from readings.declared import declare
from readings.reading import Reading
from readings.stream import Stream, load_streams
from tests.end_to_end.consumer import put_index_templates

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FIELDS: dict[str, Any] = {
    "weather": {"temperature_c": 5.0},
    "meter": {"energy_kwh": 100.0},
    "production": {"quantity_kwh": 100.0},
    "market": {"price_per_mwh": 50.0},
}


@dataclass
class World:
    """What is stored, and an engine that says what it would post."""

    stack: SpareStack
    posts: list[Post] = field(default_factory=list)
    report: RoundReport | None = None

    def __post_init__(self) -> None:
        self.settings = self.stack.settings
        self.streams = load_streams(self.settings)
        self.view = connect_elasticsearch(self.settings)
        self.database = connect_mongodb(self.settings)

    def store(self, stream_name: str, series: str, *ages_min: float, delay_min: float = 0, **values: Any) -> None:
        """Readings of a series, so many minutes old, that arrived so much later."""
        stream = self.streams[stream_name]
        lines: list[dict[str, Any]] = []
        for age in ages_min:
            at = NOW - timedelta(minutes=age)
            reading = _reading(stream, series, at, {**FIELDS[stream_name], **values})
            arrived_at = at + timedelta(minutes=delay_min) + stream.model.interval
            delay_s = stream.delay_s(reading.event_time, arrived_at)
            document = json.loads(reading.model_dump_json(exclude_none=True)) | {
                "series": series,
                "arrived_at": arrived_at.isoformat(),
                "delay_s": delay_s,
                "late": stream.is_late(reading.mode, delay_s),
                "revision": 0,
            }
            lines += [{"index": {"_index": stream.index(reading.event_time), "_id": reading.key}}, document]
        self._bulk(lines)

    def put(self, family: str, *documents: dict[str, Any]) -> None:
        lines: list[dict[str, Any]] = []
        for document in documents:
            lines += [{"index": {"_index": f"{self.settings.prefix}{family}-2026.11"}}, document]
        self._bulk(lines)

    def _bulk(self, lines: list[dict[str, Any]]) -> None:
        answer = self.view.bulk(operations=lines, refresh=True)
        assert not answer["errors"], answer["items"]

    def play(self, *rules: dict[str, Any], minutes: tuple[float, ...] = (0,)) -> list[str]:
        """The titles of what is posted by rounds so many minutes after `NOW`."""
        self.posts.clear()
        engine = Engine(
            TrialBook(self.database, lambda post, _now: self.posts.append(post), silences_hold=False),
            self.view,
            self.settings.prefix,
            self.streams,
            Rules.model_validate({"rules": [{"name": f"rule {number}", **rule} for number, rule in enumerate(rules)]}),
            linker(self.settings),
            can_edit=True,
        )
        for after in minutes:
            self.report = engine.round(NOW + timedelta(minutes=after))
        return [post.message.title.split(" ", 1)[1] for post in self.posts]

    @property
    def table(self) -> str:
        return "\n".join(self.posts[-1].message.table)


def _reading(stream: Stream, series: str, at: datetime, values: dict[str, Any]) -> Reading:
    return stream.model.model_validate(
        {"source": "test", **stream.names_of(series), stream.model.time_field: at, "mode": "live", **values}
    )


@pytest.fixture(scope="module")
def apart(stack: SpareStack) -> SpareStack:
    apart = stack.apart("alert_rules")
    put_index_templates(apart)
    return apart


@pytest.fixture
def world(apart: SpareStack) -> Iterator[World]:
    world = World(apart)
    yield world
    for index in world.view.indices.get(index=f"{apart.settings.prefix}*").body:
        world.view.indices.delete(index=index)
    world.database["sources"].delete_many({})


LATE = {"kind": "late", "stream": "weather", "window": "1h"}


def test_late_counts_or_asks_for_a_share(world: World) -> None:
    world.store("weather", "Bergen", 90, 95, delay_min=45)
    world.store("weather", "Bergen", 5, 20, 35, 40, 44, 46, 50, 52)
    world.store("weather", "Oslo", 90, delay_min=45)

    assert world.play(LATE) == ["weather: Bergen and 1 more late"]
    assert world.play({**LATE, "at_least": 2}) == ["weather: Bergen late"]
    assert "2         45min" in world.table
    assert world.play({**LATE, "share": 0.5}) == ["weather: Oslo late"]
    assert world.play({**LATE, "series": ["O*"]}) == ["weather: Oslo late"]


def test_a_late_series_is_well_again_when_readings_come_in_time_and_not_when_none_come(world: World) -> None:
    world.store("weather", "Bergen", 90, delay_min=45)
    world.store("weather", "Oslo", 90, delay_min=45)
    world.store("weather", "Oslo", -120)

    assert world.play(LATE, minutes=(0, 30, 60, 119)) == ["weather: Bergen and 1 more late"]
    assert world.play(LATE, minutes=(0, 60, 121)) == ["weather: Bergen and 1 more late"]
    assert world.play(LATE, {**LATE, "series": ["Oslo"]}, minutes=(0, 121))[2:] == ["weather: Oslo late no more"]


def test_silent_goes_by_event_time_and_late_readings_are_not_silence(world: World) -> None:
    stream = world.streams["weather"]
    declare(world.database, stream, "test", ["Bergen", "Oslo", "Troms", "Never"], timedelta(minutes=15))
    world.database["sources"].update_one({"_id": "weather"}, {"$set": {"since": NOW - timedelta(days=1)}})
    world.store("weather", "Bergen", 5000, 60)
    world.store("weather", "Oslo", 5)
    world.store("weather", "Troms", 60, delay_min=50)

    assert world.play({"kind": "silent", "stream": "weather"}) == ["weather: Bergen and 1 more silent"]
    assert "Never   never seen" in world.table
    assert "2026-11-24 11:00:00 UTC" in world.table


@pytest.mark.parametrize(
    ("rule", "fires"),
    [
        ({"above": 29.5}, True),
        ({"above": 30}, False),
        ({"below": 31}, True),
        ({"below": 30, "above": 30}, False),
        ({"aggregate": "max", "above": 39}, True),
        ({"aggregate": "min", "below": 11}, True),
        ({"aggregate": "min", "above": 11}, False),
        ({"aggregate": "avg", "above": 26}, True),
        ({"aggregate": "avg", "above": 27}, False),
        ({"aggregate": "sum", "above": 79}, True),
        ({"aggregate": "max", "above": 39, "window": "10min"}, False),
    ],
)
def test_threshold_is_of_the_newest_value_or_an_aggregate_of_the_window(
    world: World, rule: dict[str, Any], fires: bool
) -> None:
    for age, value in ((70, 60.0), (50, 10.0), (20, 40.0), (5, 30.0)):
        world.store("weather", "Bergen", age, temperature_c=value)

    said = world.play({"kind": "threshold", "stream": "weather", "field": "temperature_c", **rule})
    assert said == (["weather: Bergen out of bounds"] if fires else [])


def test_threshold_waits_for_its_time_and_says_the_worst_value(world: World) -> None:
    for age, value in ((20, 41.0), (5, 43.5), (-10, 42.0), (-25, 30.0)):
        world.store("weather", "Bergen", age, temperature_c=value)
    rule = {"kind": "threshold", "stream": "weather", "field": "temperature_c", "above": 40, "for": "10min"}

    assert world.play(rule, minutes=(0, 5)) == []
    assert world.play(rule, minutes=(0, 5, 11)) == ["weather: Bergen out of bounds"]
    assert "temperature_c 43.5 °C > 40 °C" in world.table
    assert world.play(rule, minutes=(0, 11, 26))[1:] == ["weather: Bergen out of bounds no more"]
    assert world.play(rule, minutes=(0, 11, 200)) == ["weather: Bergen out of bounds"]  # no data is not well


def test_a_meter_that_runs_backwards_is_told(world: World) -> None:
    for age, value in ((30, 100.0), (20, 101.0), (10, 97.5)):
        world.store("meter", "home-A", age, energy_kwh=value)
        world.store("meter", "home-B", age, energy_kwh=value if age > 10 else 102.0)
    rule = {"kind": "change", "stream": "meter", "field": "energy_kwh", "how": "backwards"}

    assert world.play(rule) == ["meter: home-A changes wrongly"]
    assert "energy_kwh fell from 101 kWh to 97.5 kWh" in world.table
    assert world.play({**rule, "by": 4}) == []


def test_a_value_that_is_stuck_is_told_unless_it_may_be(world: World) -> None:
    for series, values in (("Bergen", (5, 5, 5)), ("Oslo", (5, 5, 6)), ("Night", (0, 0, 0)), ("Few", (5, 5))):
        for number, value in enumerate(values):
            world.store("weather", series, 10 * number + 1, temperature_c=float(value))
    rule = {"kind": "change", "stream": "weather", "field": "temperature_c", "how": "stuck", "unless": [0]}

    assert world.play(rule) == ["weather: Bergen changes wrongly"]
    assert "temperature_c 5 °C in all 3 readings" in world.table


def test_a_value_that_jumps_is_told(world: World) -> None:
    for series, values in (("NSW1", (50.0, 300.0)), ("QLD1", (50.0, 120.0))):
        for number, value in enumerate(values):
            world.store("market", series, 5 * number + 6, price_per_mwh=value)
    rule = {"kind": "change", "stream": "market", "field": "price_per_mwh", "how": "jumps", "by": 100}

    assert world.play(rule) == ["market: NSW1 changes wrongly"]
    assert "between 50 AUD/MWh and 300 AUD/MWh" in world.table


def test_surprise_is_the_newest_hours_in_a_row_outside_their_interval(world: World) -> None:
    def hour(region: str, ago: int, actual: float, horizon_h: int = 1) -> dict[str, Any]:
        at = NOW - timedelta(hours=ago)
        known = {"actual": actual, "error": 5 - actual, "off": abs(5 - actual), "inside": 3 <= actual <= 7}
        forecast = {"region": region, "temperature_c": 5.0, "lower_c": 3.0, "upper_c": 7.0, "horizon_h": horizon_h}
        issued = at - timedelta(hours=horizon_h)
        return {**forecast, **known, "timestamp": at.isoformat(), "issued_at": issued.isoformat()}

    world.put("forecasts-weather", *(hour("Bergen", ago, 9.0 + ago) for ago in (1, 2, 3)), hour("Bergen", 4, 5.0))
    world.put("forecasts-weather", hour("Oslo", 1, 5.0), *(hour("Oslo", ago, 12.0) for ago in (2, 3, 4, 5)))
    world.put("forecasts-weather", *(hour("Troms", ago, 12.0) for ago in (1, 2)), hour("Troms", 3, 12.0, horizon_h=9))

    assert world.play({"kind": "surprise"}) == ["weather: Bergen surprising"]
    assert "3 hours in a row outside the forecast, worst 12.0 °C instead of 3.0 to 7.0 °C" in world.table


def test_dead_letters_are_counted_by_source_with_their_reason(world: World) -> None:
    def letter(source: str | None, number: int, ago_min: float = 5) -> dict[str, Any]:
        at = (NOW - timedelta(minutes=ago_min)).isoformat()
        kept = {"stream": "market", "topic": "markets", "position": 0, "message": "x", "encoding": "utf-8"}
        return {**kept, "source": source, "reason": "price is no number", "partition": 0, "offset": number} | {
            "arrived_at": at
        }

    world.put("dead-letters", *(letter("mqtt", number) for number in range(4)), letter(None, 9), letter("mqtt", 1, 90))

    assert world.play({"kind": "dead_letters", "more_than": 3}) == ["pipeline: market/mqtt unreadable messages"]
    assert "4 messages, most often: price is no number" in world.table
    assert world.play({"kind": "dead_letters"}) == ["pipeline: market/mqtt and 1 more unreadable messages"]
    assert world.play({"kind": "dead_letters", "stream": "weather"}) == []


QUERY = {"kind": "query", "index": "readings-weather-*", "time_field": "timestamp"}


def test_a_query_of_ones_own_counts_documents(world: World) -> None:
    world.store("weather", "Bergen", 5, 15, temperature_c=35.0)
    world.store("weather", "Oslo", 5, 120, temperature_c=35.0)

    assert world.play({**QUERY, "query": "temperature_c:>30", "more_than": 2}) == ["pipeline: all query answered"]
    assert world.play({**QUERY, "query": "temperature_c:>30", "more_than": 3}) == []
    assert world.play({**QUERY, "query": {"term": {"series": "Oslo"}}, "fewer_than": 2}) != []
    by_series = {**QUERY, "query": "temperature_c:>30", "by": "series", "more_than": 1, "stream": "weather"}
    assert world.play(by_series) == ["weather: Bergen query answered"]


def test_a_query_goes_by_the_time_of_its_indices(world: World) -> None:
    at = (NOW - timedelta(minutes=5)).isoformat()
    world.put("service-logs", {"@timestamp": at, "message": "it failed", "log": {"level": "error"}})

    logs = {"kind": "query", "index": "service-logs-*", "query": "log.level:error", "more_than": 0}
    assert world.play(logs) == ["pipeline: all query answered"]
    assert world.report is not None
    assert world.report.blind == {}


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"index": "readings-weather-*", "by": "regoin"}, "no index of readings-weather-* has a field regoin"),
        ({"index": "readings-weather-*", "time_field": "@timestamp"}, "has a field @timestamp"),
        ({"index": "readings-wether-*"}, "there is no index readings-wether-*, did you mean 'readings-weather-*'?"),
        ({"index": "dead-letters-*"}, None),
    ],
)
def test_a_query_that_nothing_can_ever_answer_is_blind(world: World, rule: dict[str, Any], why: str | None) -> None:
    world.store("weather", "Bergen", 5)

    assert world.play({"kind": "query", "query": "*", "more_than": 0, **rule}, LATE) == []
    assert world.report is not None
    assert (why or "") in world.report.blind.get("rule 0", "")
    assert len(world.report.blind) == (why is not None)


def test_a_question_that_elasticsearch_refuses_blinds_its_rule_alone(world: World) -> None:
    world.store("weather", "Bergen", 90, delay_min=45)

    assert world.play(LATE, {**QUERY, "query": {"nonsense": {}}, "more_than": 0}) == ["weather: Bergen late"]
    assert world.report is not None
    assert list(world.report.blind) == ["rule 1"]
    assert "nonsense" in world.report.blind["rule 1"]


def test_a_round_of_fifty_rules_takes_no_more_requests_than_one_of_few(world: World) -> None:
    declare(world.database, world.streams["weather"], "test", ["Bergen", "Oslo"], timedelta(minutes=15))
    world.store("weather", "Bergen", 90, delay_min=45)
    world.store("weather", "Oslo", 5, 10, 15, temperature_c=40.0)
    threshold = {"kind": "threshold", "stream": "weather", "field": "temperature_c"}
    stuck = {"kind": "change", "stream": "weather", "field": "temperature_c", "how": "stuck"}
    rules: list[dict[str, Any]] = [
        *({"kind": "late", "window": f"{hours}h"} for hours in range(1, 11)),
        *({"kind": "silent", "for": f"{minutes}min"} for minutes in range(10)),
        *({**threshold, "above": 25 + number} for number in range(15)),
        *({**stuck, "window": f"{hours}h"} for hours in range(1, 11)),
        *({"kind": "dead_letters", "more_than": number} for number in range(5)),
    ]

    assert len(rules) == 50
    assert world.play(*rules, minutes=(0, 1)) != []
    assert world.report is not None
    assert world.report.blind == {}
    assert world.report.requests <= 4
