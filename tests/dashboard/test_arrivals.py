"""What is said of arrivals, and what is kept of a series."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboard import arrivals as watched
from dashboard.arrivals import Arrivals, ArrivalsReader, Seen, SeriesState, sentence, spell_duration
from dashboard.store import Store
from readings.parts import ALIVE_S
from tests.dashboard.stand_in import Collection, reading, stand_in

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def series(stream, name, minutes_ago=0, *, late=False, silent=False, searched=True) -> SeriesState:
    newest = None if minutes_ago is None else Seen(NOW - timedelta(minutes=minutes_ago), 1.0, 60 * minutes_ago, late)
    return SeriesState(stream, name, newest, silent, searched, 60 * (minutes_ago or 0), ())


def arrivals(*states: SeriesState, streams: tuple[str, ...] = ("weather", "market")) -> Arrivals:
    return Arrivals(NOW, states, dict.fromkeys(streams, "replay"), (), (), None, 0)


def test_all_is_well() -> None:
    told = arrivals(series("weather", "Oslo"), series("weather", "Bergen"), series("market", "NSW1"))
    assert sentence(told) == "All 2 streams arrive, and all 3 series are on time."


def test_a_late_one_is_named_and_by_how_much() -> None:
    told = arrivals(series("weather", "Oslo"), series("weather", "Bergen", 43, silent=True), series("market", "NSW1"))
    assert sentence(told) == "All 2 streams arrive; Bergen is 43 minutes late."
    told = arrivals(series("weather", "Oslo"), series("weather", "Bergen", 43, late=True), series("market", "NSW1"))
    assert sentence(told) == "All 2 streams arrive; Bergen is 43 minutes late."


def test_of_many_late_ones_the_two_worst_are_named() -> None:
    late = [series("weather", name, ago, silent=True) for name, ago in (("A", 40), ("B", 70), ("C", 200), ("D", 50))]
    told = arrivals(series("weather", "Oslo"), *late, series("market", "NSW1"))
    assert sentence(told) == "All 2 streams arrive; C is 3 hours late, B is 70 minutes late and 2 more are late."


def test_a_silent_stream_is_said_before_a_late_series() -> None:
    told = arrivals(
        series("weather", "Oslo"),
        series("weather", "Bergen", None, silent=True),
        series("market", "NSW1", 180, silent=True),
        series("market", "QLD1", 120, silent=True),
    )
    assert sentence(told) == (
        "1 of 2 streams arrive; market is silent for 2 hours; Bergen is silent: it was never heard of."
    )


def test_nothing_arrives() -> None:
    assert sentence(arrivals(series("weather", "Oslo", None))) == "Nothing has arrived yet."
    told = arrivals(series("weather", "Oslo", 90, silent=True), series("market", "NSW1", None))
    assert sentence(told) == "Nothing arrives: weather is silent for 90 minutes and market has not come yet."


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *((-1, "0 seconds"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (3600, "60 minutes")),
        *((7200, "2 hours"), (90_000, "25 hours"), (172_800, "2 days")),
    ],
)
def test_durations_are_words(seconds: float, words: str) -> None:
    assert spell_duration(seconds) == words


def test_what_has_not_come_yet_is_not_on_time() -> None:
    here = [series("weather", "Oslo"), series("market", "NSW1")]
    told = arrivals(*here, series("weather", "Bergen", None))
    assert sentence(told) == "All 2 streams arrive; 1 series has not come yet."
    told = arrivals(*here, series("weather", "Bergen", 43, late=True), *(series("market", name, None) for name in "AB"))
    assert sentence(told) == "All 2 streams arrive; Bergen is 43 minutes late; 2 series have not come yet."
    assert (
        sentence(arrivals(series("market", "NSW1"), streams=("market",)))
        == "The stream arrives, and its series is on time."
    )


def test_what_is_still_looked_for_is_not_called_silent() -> None:
    sought = series("weather", "Bergen", None, silent=True, searched=False)
    told = arrivals(series("weather", "Oslo"), sought, series("market", "NSW1"))
    assert sentence(told) == "All 2 streams arrive; 1 series is being looked for."
    assert sentence(arrivals(sought, series("market", "NSW1"))) == "1 of 2 streams arrive; weather is being looked for."
    assert sentence(arrivals(sought)) == "The newest readings are being looked for."
    assert not sought.late


def test_a_stream_with_much_to_look_for_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Collection):
        def find(self, *which: Any, **how: Any) -> Any:
            time.sleep(0.01)
            return super().find(*which, **how)

    monkeypatch.setattr(watched, "ROUND_S", 0.1)
    here = stand_in()
    now = datetime.now(UTC)
    for name, one in here.streams.items():
        declaration = {"source": "test", "series": one.config.series_names(), "cadence_s": 300.0}
        here.database["sources"].put({"_id": name, **declaration, "since": now - timedelta(days=9)})
    here.database["facility"] = Slow()
    here.database["market"].put(reading("NSW1", now - timedelta(days=5), network_region="NSW1", price_per_mwh=50.0))
    reader = ArrivalsReader(here)
    market = [reader.read() for _ in range(3)][-1].of("market")
    assert all(one.searched or one.newest for one in market)
    assert [one.values for one in market if one.series == "NSW1"] == [(50.0,)]
    facilities = {one.series for one in reader.read().of("facility") if one.searched}
    assert len(facilities) < len({one.series for one in reader.read().of("facility") if one.searched})


def test_a_consumer_that_is_gone_writes_nothing_and_says_when_it_was_last_heard_of() -> None:
    here = stand_in()
    now = datetime.now(UTC)
    began = now - timedelta(hours=3)
    reader = ArrivalsReader(here)

    def beat(ago_s: float, written: int) -> Arrivals:
        at = now - timedelta(seconds=ago_s)
        told = {"state": "running", "since": began, "waiting_for": None, "at": at}
        told["counts"] = {"written": written, "dead_letters": 2}
        here.database["parts"].put({"_id": "consumer", **told})
        return reader.read()

    assert beat(60 + ALIVE_S / 2, 100).per_minute is None
    alive = beat(ALIVE_S / 2, 160)
    assert (alive.per_minute, alive.dead_letters) == (pytest.approx(60), 2)
    gone = beat(ALIVE_S + 10, 160)
    assert (gone.per_minute, gone.dead_letters) == (None, 0)
    assert [(one.state, one.since) for one in gone.parts] == [("gone", now - timedelta(seconds=ALIVE_S + 10))]


def test_a_stored_document_that_says_nothing_of_its_arrival_takes_no_page_down() -> None:
    here = stand_in()
    now = datetime.now(UTC)
    for at, names in ((now - timedelta(minutes=20), ("late", "delay_s")), (now - timedelta(minutes=5), ())):
        one = reading("Oslo", at, region="Oslo", temperature_c=1.0)
        here.database["weather"].put({name: value for name, value in one.items() if name not in names})
    (oslo,) = [one for one in ArrivalsReader(here).read().of("weather") if one.series == "Oslo"]
    assert oslo.values == (1.0, 1.0)


@pytest.mark.parametrize(("name", "value"), [("facility", "power_mw"), ("production", "quantity_kwh")])
def test_of_many_series_those_that_come_a_little_later_are_seen_too(name: str, value: str) -> None:
    """Also where they are of intervals."""
    here = stand_in()
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    model = here.streams[name].model
    names = [f"F{number:03}/hydro" for number in range(100)]
    declaration = {"source": "test", "series": names, "cadence_s": 300.0, "since": now - timedelta(days=9)}
    here.database["sources"].put({"_id": name, **declaration})
    reader = ArrivalsReader(here)
    for minutes_ago in (15, 10, 5):
        for some in (names[:50], names[50:]):
            at = now - timedelta(minutes=minutes_ago) - model.interval
            here.database[name].put(*(reading(one, at, **{model.time_field: at, value: 1.0}) for one in some))
            read = reader.read()
    assert {one.newest and one.newest.at for one in read.of(name)} == {now - timedelta(minutes=5)}


def metered(count: int, now: datetime) -> tuple[Store, list[str]]:
    """A store of meters alone, so many of which are declared, and their names."""
    here = stand_in()
    for name in here.streams.keys() - {"meter"}:
        del here.streams[name]
    names = [f"M{number:03}" for number in range(count)]
    declaration = {"source": "test", "series": names, "cadence_s": 300.0, "since": now - timedelta(days=9)}
    here.database["sources"].put({"_id": "meter", **declaration})
    return here, names


@pytest.mark.parametrize("count", [3, 100])
@pytest.mark.parametrize("hours_ago", [0, 2])
def test_what_go_live_removes_is_forgotten(count: int, hours_ago: int) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    here, names = metered(count, now)
    stored = here.database["meter"]

    def put(minutes_ago: int, kwh: float) -> None:
        at = now - timedelta(minutes=minutes_ago)
        stored.put(*(reading(name, at, sensor_id=name, energy_kwh=kwh) for name in names))

    for minutes_ago in (10, 5, 0):
        put(60 * hours_ago + minutes_ago, 999.0)
    reader = ArrivalsReader(here)
    assert {one.values for one in reader.read().of("meter")} == {(999.0,) * 3}
    stored.documents.clear()
    assert {one.values for one in reader.read().of("meter")} == {()}
    put(20, 1.0)
    put(15, 2.0)
    assert {one.values for one in reader.read().of("meter")} == {(1.0, 2.0)}


def test_a_revised_newest_reading_has_its_value() -> None:
    here = stand_in()
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=50)
    names = {"price_area": "NO1", "production_group": "hydro"}
    reader = ArrivalsReader(here)
    for kwh in (10.0, 12.0):
        document = reading("NO1/hydro", hour, **names, quantity_kwh=kwh)
        here.database["production"].put({**document, "start_time": document["timestamp"]})
        (hydro,) = [one for one in reader.read().of("production") if one.series == "NO1/hydro"]
        assert hydro.values == (kwh,)


def test_of_many_series_those_that_come_minutes_later_are_seen_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "BEHIND_EVERY_S", 0.0)
    now = datetime.now(UTC)
    here, names = metered(100, now)
    quick, slow = names[:50], names[50:]
    reader = ArrivalsReader(here)
    for minutes_ago in (7, 2):
        for some, behind in ((quick, 0), (slow, 4)):
            at = now - timedelta(minutes=minutes_ago + behind)
            here.database["meter"].put(*(reading(one, at, sensor_id=one, energy_kwh=minutes_ago) for one in some))
            read = reader.read()
    assert {one.values for one in read.of("meter")} == {(7, 2)}


def test_of_many_series_what_comes_far_behind_is_not_asked_for_each_round() -> None:
    here, names = metered(100, datetime.now(UTC))
    here.database["meter"].put(*(reading(one, datetime.now(UTC), sensor_id=one, energy_kwh=1.0) for one in names))
    reader = ArrivalsReader(here)
    reader.read()
    here.database["meter"].asked.clear()
    reader.read()
    (asked,) = here.database["meter"].asked
    assert datetime.now(UTC) - asked["timestamp"]["$gte"] < timedelta(minutes=3)


@pytest.mark.parametrize("count", [3, 100])
def test_the_past_that_is_stored_after_the_present_is_seen(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """At a first start the dashboard is up before the past four weeks are stored."""
    monkeypatch.setattr(watched, "PAST_EVERY", timedelta())
    now = datetime.now(UTC)
    here, names = metered(count, now)
    reader = ArrivalsReader(here)

    def put(minutes_ago: int) -> None:
        at = now - timedelta(minutes=minutes_ago)
        here.database["meter"].put(*(reading(one, at, sensor_id=one, energy_kwh=minutes_ago) for one in names))

    put(1)
    reader.read()
    for minutes_ago in (186, 121, 61):
        put(minutes_ago)
    assert {one.values for one in reader.read().of("meter")} == {(186, 121, 61, 1)}
    monkeypatch.setattr(watched, "PAST_MAY_COME", timedelta())
    put(151)
    assert {one.values for one in reader.read().of("meter")} == {(186, 121, 61, 1)}
