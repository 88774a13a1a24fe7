"""Whole rounds of the engine, on readings and a pipeline made by hand."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from elasticsearch import ConnectionError as NotThere

from alerts.engine import Engine
from alerts.pipeline import Pipeline, Sample
from tests.alerts.stored import NOW, STREAMS, Book, View, declared, engine

SILENT_AFTER = timedelta(minutes=45)
"""Cadence and allowed delay."""
PATIENT = {"rules": [{"name": "silent", "kind": "silent", "stream": "weather", "for": "10min"}]}
LATE = {"rules": [{"name": "late", "kind": "late", "stream": "weather"}]}
SILENT = {"rules": [{"name": "silent", "kind": "silent", "stream": "weather"}]}
AWAY = timedelta(hours=3)


def just_silent() -> tuple[View, Book]:
    view = View()
    view.put("Bergen", NOW - SILENT_AFTER - timedelta(seconds=1))
    return view, Book(declared("Bergen"))


def test_for_does_not_count_the_time_in_which_the_engine_was_away() -> None:
    view, book = just_silent()
    before = engine(book, view, PATIENT)
    before.load(NOW)
    before.round(NOW)

    after = engine(book, view, PATIENT)
    after.load(NOW + AWAY)
    after.round(NOW + AWAY)
    after.round(NOW + AWAY + timedelta(minutes=9))
    assert book.said == []
    after.round(NOW + AWAY + timedelta(minutes=10))
    assert book.said == ["weather: Bergen silent"]


def test_for_does_not_count_the_time_in_which_elasticsearch_was_away() -> None:
    view, book = just_silent()
    running = engine(book, view, PATIENT)
    running.round(NOW)
    view.away = NotThere("away")
    running.round(NOW + AWAY)
    view.away = None

    running.round(NOW + AWAY + timedelta(seconds=1))
    assert book.said == []
    running.round(NOW + AWAY + timedelta(minutes=10))
    assert book.said == ["weather: Bergen silent"]


class Starting(View):
    """An Elasticsearch of which the readings' shards are not there; there are no dead letters."""

    def __init__(self) -> None:
        super().__init__()
        self.starts = True
        self.asked: list[str] = []

    def msearch(self, searches: Sequence[Mapping[str, Any]], filter_path: object) -> dict[str, Any]:
        self.asked += [where["index"] for where in searches[::2]]
        answer = super().msearch(searches, filter_path)
        failed = {"status": 503, "error": {"type": "search_phase_execution_exception", "reason": "all shards failed"}}
        answer["responses"] = [
            failed if self.starts and "readings" in where["index"] else response
            for where, response in zip(searches[::2], answer["responses"], strict=True)
        ]
        return answer


@pytest.mark.parametrize("away", [None, NotThere("away")], ids=["its shards start", "it is away"])
def test_what_had_no_answer_is_asked_less_often_and_soon_enough(away: Exception | None) -> None:
    view, book = Starting(), Book(declared("Bergen"))
    view.away = away
    letters = {"name": "letters", "kind": "dead_letters", "stream": "weather"}
    running = engine(book, view, {"rules": [*LATE["rules"], letters]})
    asked = []
    for second in range(20):
        view.asked.clear()
        report = running.round(NOW + timedelta(seconds=second))
        if "readings-weather-*" in view.asked:
            asked.append(second)
        assert ("dead-letters-*" in view.asked) == (away is None or second in asked)
        assert report.view_away is away
        assert away or report.blind.keys() == {"late"}
    assert asked == [0, 1, 3, 7, 12, 17]

    view.starts, view.away = False, None
    reports = [running.round(NOW + timedelta(seconds=20 + second)) for second in range(5)]
    assert not reports[-1].blind
    assert reports[-1].view_away is None


def rules(**silent: str) -> dict[str, Any]:
    """Of which silence follows from a consumer that stands."""
    return {
        "rules": [
            {"name": "silent", "kind": "silent", "stream": "weather", **silent},
            {"name": "stalled", "kind": "stalled", "for": "30s", "keep_firing_for": "2min"},
        ],
        "inhibit": [{"while": {"kind": "stalled", "series": "consumer"}, "mute": {"kind": "silent"}}],
    }


def seen(at: datetime, consumer_at: datetime) -> Pipeline:
    """The pipeline, with the heartbeat that the consumer gave last."""
    parts = {
        name: {"at": beat, "state": "running", "since": beat, "waiting_for": None}
        for name, beat in (("producer", at), ("consumer", consumer_at))
    }
    return Pipeline([Sample(at, parts, {}, {})])


def test_what_may_follow_from_the_pipeline_is_not_told_before_the_pipeline_was_seen() -> None:
    view, book = just_silent()
    pipeline = Pipeline()
    running = engine(book, view, rules(), lambda: pipeline)
    running.load(NOW)
    running.round(NOW)
    assert book.said == []
    pipeline = seen(NOW + timedelta(seconds=1), NOW - AWAY)
    running.round(NOW + timedelta(seconds=1))
    assert book.said == []

    pipeline = seen(NOW + timedelta(seconds=2), NOW + timedelta(seconds=2))
    running.round(NOW + timedelta(seconds=2))
    assert book.said == ["weather: Bergen silent"]


def test_without_an_inhibition_that_depends_on_the_pipeline_nothing_waits_for_it() -> None:
    view, book = just_silent()
    engine(book, view, {**rules(), "inhibit": []}).round(NOW)

    assert book.said == ["weather: Bergen silent"]


def test_what_follows_from_a_cause_that_is_pending_holds_only_from_its_end_on() -> None:
    """As after a start of the whole stack: the consumer comes after 25 s, its first reading after 75 s."""
    view, book = just_silent()
    pipeline = Pipeline()
    running = engine(book, view, rules(**{"for": "1min"}), lambda: pipeline)
    running.load(NOW)
    for second in range(130):
        now = NOW + timedelta(seconds=second)
        if second >= 5:
            pipeline = seen(now, now if second >= 25 else NOW - AWAY)
        if second == 75:
            view.put("Bergen", now)
        running.round(now)

    assert book.said == []
    assert book.written < 10


QUIET = {
    "rules": [{**SILENT["rules"][0], "keep_firing_for": "2h"}],
    "quiet_hours": [{"from": "03:00", "until": "04:00", "time_zone": "UTC"}],
}


def recovering_in_quiet_hours() -> tuple[View, Book, Engine]:
    """As it is when they end: since half an hour there is a newer reading."""
    view, book = just_silent()
    running = engine(book, view, QUIET)
    running.round(NOW)
    view.put("Bergen", NOW + timedelta(minutes=30))
    running.round(NOW + timedelta(minutes=30))
    running.round(NOW + timedelta(hours=1))
    return view, book, running


def test_what_recovers_at_the_end_of_quiet_hours_is_never_told_and_keeps_why() -> None:
    view, book, running = recovering_in_quiet_hours()
    view.put("Bergen", NOW + timedelta(hours=2))
    running.round(NOW + timedelta(hours=2))
    assert [alert.muted_by for alert in book.alerts.values()] == ["quiet hours until 2026-11-24T04:00+00:00"]

    running.round(NOW + timedelta(hours=2, minutes=30))
    assert book.alerts == {}
    assert book.said == []


def test_what_recovers_at_the_end_of_quiet_hours_and_fires_again_is_told_then() -> None:
    _, book, running = recovering_in_quiet_hours()
    assert book.said == []

    running.round(NOW + timedelta(minutes=76))

    assert book.said == ["weather: Bergen silent"]
    assert [alert.muted_by for alert in book.alerts.values()] == [None]


def ends(book: Book) -> list[tuple[str, str]]:
    """Each end with why, where it is told."""
    posts = [post for post in book.posts if post.event == "resolved"]
    return [(post.message.title.split(": ")[1], post.message.footer.split("; ")[-1]) for post in posts]


NOT_DECLARED = "it is not declared any more"


def test_a_silent_series_that_is_not_declared_any_more_ends_for_that_reason() -> None:
    view, book = just_silent()
    running = engine(book, view, SILENT)
    running.round(NOW)
    view.put("Oslo", NOW)
    book.expected = declared("Oslo")
    running.round(NOW + timedelta(seconds=1))

    assert ends(book) == [("Bergen silent no more", NOT_DECLARED)]


def late() -> tuple[View, Book]:
    view = View()
    view.put("Bergen", NOW - AWAY, NOW, late=True)
    return view, Book(declared("Bergen"))


def test_a_late_series_that_is_gone_and_not_declared_any_more_ends_for_that_reason() -> None:
    view, book = late()
    running = engine(book, view, LATE)
    running.round(NOW)
    book.expected = declared()
    running.round(NOW + timedelta(minutes=59))
    assert ends(book) == []
    running.round(NOW + timedelta(minutes=60))

    assert ends(book) == [("Bergen late no more", NOT_DECLARED)]


def counts(book: Book) -> dict[str, int]:
    """How many late readings are written of each series."""
    return {key.series: alert.finding.count for key, alert in book.alerts.items()}


def late_each_second(running: Engine, view: View, *series: str, seconds: range) -> None:
    for second in seconds:
        for name in series:
            view.put(name, NOW - AWAY, NOW + timedelta(seconds=second), late=True)
        running.round(NOW + timedelta(seconds=second))


def test_what_only_finds_more_is_written_once_a_minute_and_with_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alerts.engine.FOUND_AT_ONCE", 1)
    view, book = View(), Book(declared("Bergen", "Oslo"))
    quiet = {**LATE, "quiet_hours": [{"from": "03:00", "until": "06:00", "time_zone": "UTC"}]}
    running = engine(book, view, quiet)
    late_each_second(running, view, "Bergen", "Oslo", seconds=range(60))
    assert counts(book) == {"Bergen": 1, "Oslo": 1}
    assert book.written == 2

    late_each_second(running, view, "Bergen", "Oslo", seconds=range(60, 63))
    assert sorted(counts(book).values()) == [61, 62]
    assert book.written == 4

    view.put("Bergen", NOW + timedelta(hours=2), NOW + timedelta(hours=2))
    running.round(NOW + timedelta(hours=2))
    assert [alert.finding.count for alert in book.ended] == [63]


def test_what_a_message_says_is_written_with_it() -> None:
    view, book = View(), Book(declared("Bergen", "Oslo"))
    running = engine(book, view, LATE)
    late_each_second(running, view, "Bergen", seconds=range(10))
    assert counts(book) == {"Bergen": 1}

    late_each_second(running, view, "Bergen", "Oslo", seconds=range(10, 20))
    assert counts(book) == {"Bergen": 11, "Oslo": 1}
    [notice] = book.changes[-1].notices.values()
    assert {row.key.series: row.finding.count for row in notice.rows} == counts(book)


def test_a_late_series_that_is_declared_stays_without_data() -> None:
    view, book = late()
    running = engine(book, view, LATE)
    running.round(NOW)
    running.round(NOW + timedelta(days=60))

    assert [alert.state for alert in book.alerts.values()] == ["no_data"]


def test_a_series_that_the_rule_does_not_watch_any_more_ends_for_that_reason() -> None:
    view, book = late()
    engine(book, view, LATE).round(NOW)
    changed = {"rules": [{**LATE["rules"][0], "series": ["O*"]}]}
    running = engine(book, view, changed)
    running.load(NOW + timedelta(seconds=1))
    running.round(NOW + timedelta(seconds=1))

    assert ends(book) == [("Bergen late no more", "the rule does not watch it any more")]


def test_a_series_that_is_well_again_ends_without_a_reason() -> None:
    view, book = just_silent()
    running = engine(book, view, SILENT)
    running.round(NOW)
    view.put("Bergen", NOW + timedelta(seconds=1))
    running.round(NOW + timedelta(seconds=1))

    assert ends(book) == [("Bergen silent no more", "cadence 15min, allowed delay 30min")]


@pytest.mark.parametrize(
    ("before", "newest"),
    [([NOW - 2 * AWAY], NOW - AWAY), ([], NOW - AWAY), ([NOW - AWAY / 2], NOW - AWAY / 2)],
    ids=["seen before those", "never seen", "seen after those"],
)
def test_a_series_that_is_silent_after_late_readings_has_nothing_newer_than_the_newest(
    before: list[datetime], newest: datetime
) -> None:
    view, book = View(), Book(declared("Bergen"))
    for at in before:
        view.put("Bergen", at)
    running = engine(book, view, SILENT)
    running.round(NOW)
    for at in (NOW - AWAY, NOW - AWAY - timedelta(hours=1)):
        view.put("Bergen", at, NOW + timedelta(seconds=1), late=True)
        asked = running.round(NOW + timedelta(seconds=1))
    for at in (NOW + SILENT_AFTER, NOW + SILENT_AFTER + timedelta(seconds=1)):
        running.round(at)

    assert asked.requests == 2
    assert book.said == ["weather: Bergen silent", "weather: Bergen silent no more", "weather: Bergen silent"]
    assert [alert.finding.began for alert in book.alerts.values()] == [newest]


@pytest.mark.parametrize(("beyond_s", "said"), [(-1, []), (1, ["production: NO1 hydro silent"])])
def test_what_is_of_an_hour_is_silent_from_the_end_of_its_hour_on(beyond_s: int, said: list[str]) -> None:
    hour = STREAMS["production"].model.interval
    patience = timedelta(minutes=15) + STREAMS["production"].config.allowed_delay
    view, book = View("production"), Book(declared("NO1 hydro"))
    view.put("NO1 hydro", NOW - hour - patience - timedelta(seconds=beyond_s))
    engine(book, view, {"rules": [{**SILENT["rules"][0], "stream": "production"}]}).round(NOW)

    assert book.said == said


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ({"aggregate": "max", "above": 35}, "max temperature_c 39 °C > 35 °C"),
        ({"aggregate": "max", "below": 35}, None),
        ({"aggregate": "max", "below": 40}, "max temperature_c 39 °C < 40 °C"),
        ({"aggregate": "min", "below": 35}, "min temperature_c 30 °C < 35 °C"),
        ({"aggregate": "min", "above": 35}, None),
        ({"aggregate": "min", "above": 25}, "min temperature_c 30 °C > 25 °C"),
    ],
)
def test_an_extreme_is_that_of_all_readings_of_the_window(rule: dict[str, Any], found: str | None) -> None:
    view, book = View(), Book(declared("Bergen"))
    for minutes, temperature_c in ((20, 30.0), (10, 39.0)):
        view.put("Bergen", NOW - timedelta(minutes=minutes), temperature_c=temperature_c)
    threshold = {"name": "t", "kind": "threshold", "stream": "weather", "field": "temperature_c", **rule}
    engine(book, view, {"rules": [threshold]}).round(NOW)

    assert [alert.finding.what for alert in book.alerts.values()] == ([found] if found else [])


def test_a_source_of_dead_letters_filed_under_a_stream_leads_to_no_series() -> None:
    view, book = just_silent()
    view.dead_letters = 5
    engine(book, view, {"rules": [{"name": "letters", "kind": "dead_letters", "stream": "weather"}]}).round(NOW)

    [began] = book.posts
    assert began.message.title.endswith("weather: weather/test unreadable messages")
    assert began.message.link is None


def test_a_series_that_is_silent_has_a_link() -> None:
    view, book = just_silent()
    engine(book, view, SILENT).round(NOW)

    [began] = book.posts
    assert began.message.link is not None
