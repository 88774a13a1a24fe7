import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from producer.cursor import UnkeptCursor
from producer.disorder import Disorder
from producer.errors import Enough, Stopped
from producer.limited import Limited
from producer.recordings import Recording, read_recording
from producer.replay import Holding, ReplayNow, ReplaySpedUp, Target, send_bad_lines
from readings.config import StreamConfig
from readings.production import Production
from readings.stream import Stream
from readings.weather import Weather
from tests.producer.conftest import NOW, Heard, Kept, TurnedClock, hourly, write_recording

FIRST = datetime(2021, 3, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def recordings(tmp_path: Path) -> list[Recording]:
    rows = hourly("Bergen", FIRST, 72, -20) + hourly("Oslo", FIRST, 72, -15)
    return [read_recording(write_recording(tmp_path / "a.csv", rows), Weather)]


@pytest.fixture
def target(weather: Stream, kept: Kept, clock: TurnedClock, heard: Heard) -> Target:
    return Target(weather, kept, UnkeptCursor(), clock, heard)


def play(replay: ReplayNow, target: Target, minutes: float) -> None:
    """Plays for so long, then ends the process."""
    assert isinstance(target.clock, TurnedClock)
    target.clock.end = target.clock.now() + minutes * MINUTE
    with pytest.raises(Stopped):
        list(replay.play(target))
    target.clock.time = target.clock.end


def event_time(reading: dict[str, str]) -> datetime:
    return datetime.fromisoformat(reading["timestamp"])


def test_what_falls_before_now_is_a_backfill_at_once_and_what_comes_after_live_in_time(
    recordings: list[Recording], target: Target, kept: Kept
) -> None:
    play(ReplayNow(recordings, MINUTE), target, 10)
    sent = list(kept.readings())
    backfill = [(at, one) for at, one in sent if one["mode"] == "backfill"]
    live = [(at, one) for at, one in sent if one["mode"] == "live"]
    assert {at for at, _ in backfill} == {NOW}
    recorded = [one for _, one in backfill if one["source"] == "replay"]
    assert len(recorded) == 2 * 28 * 24
    assert max(event_time(one) for one in recorded) == NOW.replace(minute=0, second=0)
    filled = [event_time(one) for _, one in backfill if one["source"] == "replay-interpolated"]
    assert filled == 2 * [NOW.replace(second=0)], "one of now for each series, so that none begins silent"
    assert len(live) == 2 * 10
    assert all(at == event_time(one) for at, one in live)
    assert {one["source"] for _, one in live} == {"replay-interpolated"}
    assert sent.index(live[0]) == len(backfill)


def test_messages_are_keyed_by_series_and_hold_no_absent_field(
    recordings: list[Recording], target: Target, kept: Kept
) -> None:
    limited = dataclasses.replace(target, publisher=Limited(kept, 2))
    with pytest.raises(Enough):
        list(ReplayNow(recordings, MINUTE).play(limited))
    assert len(kept.messages) == 2
    assert {(message.topic, message.key) for _, message in kept.messages} == {
        ("openweathermap", b"Bergen"),
        ("openweathermap", b"Oslo"),
    }
    assert kept.messages[0][1].value == (
        b'{"source":"replay","mode":"backfill","region":"Bergen","timestamp":"2026-10-27T13:00:00Z","temperature_c":-7.0}'
    )


def test_an_hours_energy_is_due_when_the_hour_has_ended(
    tmp_path: Path, kept: Kept, clock: TurnedClock, heard: Heard
) -> None:
    path = tmp_path / "a.csv"
    lines = [f"NO5,hydro,{(FIRST + number * HOUR).isoformat()},{number}" for number in range(72)]
    path.write_text("\n".join(["price_area,production_group,start_time,quantity_kwh", *lines]))
    config = StreamConfig(topic="production", sources=["elhub"], cadence="1h", allowed_delay="72h", series=[])
    target = Target(Stream("production", Production, config, ""), kept, UnkeptCursor(), clock, heard)
    play(ReplayNow([read_recording(path, Production)], None), target, 120)
    sent = [(at, datetime.fromisoformat(one["start_time"]), one["mode"]) for at, one in kept.readings("production")]
    backfill = [start for _, start, mode in sent if mode == "backfill"]
    live = [(at, start) for at, start, mode in sent if mode == "live"]
    assert max(backfill) == NOW.replace(hour=11, minute=0, second=0)
    assert [start.hour for _, start in live] == [12, 13]
    assert all(at == start + HOUR for at, start in live)


def test_without_filling_only_recorded_readings_go_out(recordings: list[Recording], target: Target, kept: Kept) -> None:
    replay = ReplayNow(recordings, None)
    play(replay, target, 120)
    live = [one for _, one in kept.readings() if one["mode"] == "live"]
    assert [event_time(one).hour for one in live] == [13, 13, 14, 14]
    assert replay.cadence(target.stream) == HOUR


def test_a_recorded_hour_is_sent_as_recorded_among_the_filled_minutes(
    recordings: list[Recording], target: Target, kept: Kept
) -> None:
    play(ReplayNow(recordings, MINUTE), target, 30)
    sources = {event_time(one).minute: one["source"] for _, one in kept.readings() if one["mode"] == "live"}
    assert {minute for minute, source in sources.items() if source == "replay"} == {0}


@pytest.mark.parametrize("away_minutes", [3, 200])
def test_after_a_restart_the_gap_is_filled_as_a_backfill_and_nothing_is_missing(
    recordings: list[Recording], target: Target, kept: Kept, away_minutes: int
) -> None:
    replay = ReplayNow(recordings, MINUTE)
    play(replay, target, 5)
    shift = dict(target.cursor.facts["shift_days"])
    target.clock.time += away_minutes * MINUTE  # type: ignore[attr-defined]
    play(replay, target, 5)
    bergen = [one for _, one in kept.readings() if one["region"] == "Bergen"]
    minutes = sorted(event_time(one) for one in bergen if event_time(one) > NOW)
    assert minutes == [NOW.replace(second=0) + n * MINUTE for n in range(1, 10 + away_minutes + 1)]
    modes = {event_time(one): one["mode"] for one in bergen}
    away = NOW.replace(second=0) + 6 * MINUTE
    assert modes[away] == modes[away + (away_minutes - 1) * MINUTE] == "backfill"
    assert modes[away - MINUTE] == modes[away + away_minutes * MINUTE] == "live"
    assert target.cursor.facts["shift_days"] == shift


def test_of_a_long_absence_only_the_last_day_is_filled(recordings: list[Recording], target: Target, kept: Kept) -> None:
    replay = ReplayNow(recordings, MINUTE)
    play(replay, target, 1)
    back = NOW + 3 * DAY
    target.clock.time, target.clock.end = back, None  # type: ignore[attr-defined]
    before = len(kept.messages)
    list(replay.play(target, once=True))
    made_up = [event_time(one) for _, one in list(kept.readings())[before:] if one["region"] == "Bergen"]
    older = [instant for instant in made_up if instant <= back - DAY]
    assert all(instant.minute == 0 for instant in older)
    assert len(older) == 48
    assert len(made_up) - len(older) == 24 * 60


def test_with_once_what_is_due_goes_out_and_that_is_all(
    recordings: list[Recording], target: Target, kept: Kept, clock: TurnedClock
) -> None:
    list(ReplayNow(recordings, MINUTE).play(target, once=True))
    assert clock.now() == NOW
    assert len(kept.messages) == 2 * (28 * 24 + 1)


def test_a_series_held_back_falls_silent_comes_late_and_is_punctual_again(
    recordings: list[Recording], target: Target, kept: Kept
) -> None:
    holding = Holding("Bergen", timedelta(seconds=40), after=timedelta(seconds=30))
    play(ReplayNow(recordings, timedelta(seconds=5), [holding]), target, 2)
    delays = {
        region: [
            (at - event_time(one)).total_seconds()
            for at, one in kept.readings()
            if one["mode"] == "live" and one["region"] == region
        ]
        for region in ("Bergen", "Oslo")
    }
    assert delays["Oslo"] == [0.0] * 24
    assert delays["Bergen"] == [0.0] * 5 + [40, 35, 30, 25, 20, 15, 10, 5] + [0.0] * 11
    order = [event_time(one) for _, one in kept.readings() if one["region"] == "Bergen"]
    assert order == sorted(order)


def test_the_cursor_of_a_series_held_back_stays_behind(recordings: list[Recording], target: Target, kept: Kept) -> None:
    replay = ReplayNow(recordings, MINUTE, [Holding("Bergen", 20 * MINUTE)])
    play(replay, target, 10)
    assert target.cursor.until["Bergen"] == NOW.replace(second=0)
    assert target.cursor.until["Oslo"] == NOW.replace(second=0) + 10 * MINUTE


@pytest.mark.parametrize("held", [[], [Holding("Bergen", lasts=10 * MINUTE, after=MINUTE)]])
def test_what_is_shuffled_and_not_sent_when_the_process_ends_is_sent_by_the_next(
    recordings: list[Recording], target: Target, kept: Kept, held: list[Holding]
) -> None:
    replay = ReplayNow(recordings, MINUTE, held, Disorder(shuffle=5 * MINUTE))
    play(replay, target, 12.5)
    play(replay, target, 30)
    for region in ("Bergen", "Oslo"):
        sent = {event_time(one) for _, one in kept.readings() if one["region"] == region}
        missing = [one for one in (NOW.replace(second=0) + n * MINUTE for n in range(35)) if one not in sent]
        assert missing == [], region


def test_the_cursor_moves_only_past_what_is_safe(recordings: list[Recording], target: Target, kept: Kept) -> None:
    class Broken(Kept):
        def publish(self, messages: object) -> None:
            raise ConnectionError

    broken = Target(target.stream, Broken(target.clock), target.cursor, target.clock, target.state)  # type: ignore[arg-type]
    with pytest.raises(ConnectionError):
        list(ReplayNow(recordings, MINUTE).play(broken))
    assert target.cursor.until == {}
    assert target.cursor.facts["shift_days"]


def test_sped_up_the_gaps_are_divided_on_one_clock_and_the_times_kept(
    recordings: list[Recording], target: Target, kept: Kept
) -> None:
    list(ReplaySpedUp(recordings, speedup=7).play(target))
    sent = list(kept.readings())
    assert len(sent) == 144
    assert {(one["mode"], one["source"]) for _, one in sent} == {("replay", "replay")}
    for at, one in sent:
        assert abs((at - NOW) * 7 - (event_time(one) - FIRST)) < timedelta(milliseconds=1)


def test_a_slow_target_does_not_make_a_sped_up_replay_drift(
    recordings: list[Recording], target: Target, kept: Kept, clock: TurnedClock
) -> None:
    class Slow(Kept):
        def publish(self, messages: object) -> None:
            super().publish(messages)  # type: ignore[arg-type]
            clock.time += timedelta(seconds=1)

    slow = Slow(clock)
    list(ReplaySpedUp(recordings, speedup=60).play(Target(target.stream, slow, UnkeptCursor(), clock, Heard())))
    last_at, last = list(slow.readings())[-1]
    assert last_at - NOW == (event_time(last) - FIRST) / 60


def test_sped_up_and_moved_the_recording_ends_before_now(
    recordings: list[Recording], target: Target, kept: Kept
) -> None:
    list(ReplaySpedUp(recordings, speedup=1e6, to_now=True).play(target))
    times = [event_time(one) for _, one in kept.readings()]
    assert NOW - DAY < max(times) <= NOW
    assert min(times).hour == 0


def test_files_of_different_years_play_together_when_sped_up(
    tmp_path: Path, target: Target, kept: Kept, clock: TurnedClock
) -> None:
    old = write_recording(tmp_path / "old.csv", hourly("Oslo", FIRST - 3000 * DAY, 5))
    new = write_recording(tmp_path / "new.csv", hourly("Bergen", FIRST, 5))
    list(ReplaySpedUp([read_recording(old, Weather), read_recording(new, Weather)], 3600).play(target))
    assert [one["region"] for _, one in kept.readings()] == ["Oslo", "Bergen"] * 5
    assert clock.now() == NOW + timedelta(seconds=4)


def test_bad_lines_become_dead_letters(tmp_path: Path, target: Target, kept: Kept, heard: Heard) -> None:
    path = tmp_path / "a.csv"
    path.write_text("region,timestamp,temperature_c\nBergen,2021-03-01T00:00:00Z,1\nBergen,2021-03-01T01:00:00Z,hot\n")
    send_bad_lines(target, [read_recording(path, Weather)])
    ((_, letter),) = kept.readings("dead-letters")
    assert letter["reason"].startswith("a.csv: line 3: temperature_c: read 'hot'")
    assert letter["message"] == "Bergen,2021-03-01T01:00:00Z,hot"
    assert heard.counts == {"dead_letters": 1}
