"""Meters: lines of CSV, and what a recording's later laps show."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.cursor import UnkeptCursor
from producer.errors import RecordingError
from producer.feed import Feed
from producer.messages import Message
from producer.recorded.meter import carry_on, interpolate
from producer.sources.meters import Growing, play
from producer.sources.meters_csv import MeterLines, meter_message, read_meters
from readings.config import load_config
from readings.meter import Meter
from readings.stream import Stream
from tests.producer.conftest import NOW, ROOT, Heard, Kept, TurnedClock

HEADER = "timestamp;sensor_id;energy"

METERS = Stream("meter", Meter, load_config(ROOT / "skywatt.yml").streams["meter"], "")
NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)


def meter(minutes: int, kwh: float) -> Meter:
    return Meter(source="replay", sensor_id="A", timestamp=NOON + timedelta(minutes=minutes), energy_kwh=kwh)


@pytest.mark.parametrize(
    ("first", "line"),
    [
        ("timestamp;sensor_id;energy", "2026-02-01T12:00:00+00:00;A;10.5"),
        ("timestamp,meter_id,reading_kwh,interval_kwh", "2026-02-01 12:00:00,A,10.5,0.1"),
        ("2026-02-01T11:55:00;A;10.4", "2026-02-01T12:00:00;A;10.5"),
        ("Timestamp;Sensor_ID;Energy", "2026-02-01T12:00:00Z;A;10.5"),
    ],
)
def test_each_spelling_is_the_same_reading(first: str, line: str) -> None:
    reading = read_one(first, line)
    assert (reading.sensor_id, reading.timestamp, reading.energy_kwh) == ("A", NOON, 10.5)


def read_one(first: str, line: str) -> Meter:
    (reading,) = MeterLines.of(first).read([line], "live")
    assert isinstance(reading, Meter), reading
    return reading


TWICE = {"00:00": 1.0, "00:30": 2.0, "01:00": 3.0, "01:30": 4.0}
"""What a meter shows in the two hours (UTC) of 25 October whose local times are 01:00 and 01:30 both."""
NAIVE = ["01:00;A;1", "01:30;A;2", "01:00;A;3", "01:30;A;4"]


def repeated(lines: list[str]) -> list[str]:
    return [f"2026-10-25T{line}" for line in lines]


def shown(readings: list[Meter]) -> dict[str, float]:
    """Of each instant what is stored: what came last."""
    return {f"{one.timestamp:%H:%M}": one.energy_kwh for one in readings}


@pytest.mark.parametrize("order", ["as read", "by local time", "backwards", "shuffled", "all twice"])
def test_in_the_repeated_hour_a_register_only_grows_whatever_the_order_of_the_lines(tmp_path: Path, order: str) -> None:
    lines = {
        "as read": NAIVE,
        "by local time": sorted(NAIVE),
        "backwards": NAIVE[::-1],
        "shuffled": [NAIVE[place] for place in (2, 1, 3, 0)],
        "all twice": NAIVE * 2,
    }[order]
    path = tmp_path / "energy.csv"
    path.write_text("\n".join(repeated(lines)))
    readings, bad = read_meters(path, "replay")
    assert shown(readings) == TWICE
    assert bad == []


def stored(used_kwh: list[int], order: Sequence[int]) -> list[float]:
    """What a meter shows each five minutes of both hours, read in that order: of each instant, in the order of time."""
    kwh = list(accumulate(used_kwh))
    lines = repeated([f"01:{5 * (place % 12):02};A;{kwh[place]}" for place in order])
    readings = [one for one in MeterLines.of(HEADER).read(lines, "live") if isinstance(one, Meter)]
    return [energy for _, energy in sorted({one.timestamp: one.energy_kwh for one in readings}.items())]


@given(st.lists(st.integers(1, 9), min_size=24, max_size=24), st.permutations(range(24)))
def test_while_energy_is_used_the_order_of_lines_does_not_matter(used_kwh: list[int], order: list[int]) -> None:
    assert stored(used_kwh, order) == list(accumulate(used_kwh))


@given(st.lists(st.integers(0, 1), min_size=24, max_size=24))
def test_where_no_energy_is_used_the_register_does_not_run_backwards(used_kwh: list[int]) -> None:
    assert stored(used_kwh, range(24)) == list(accumulate(used_kwh))
    by_local_time = stored(used_kwh, sorted(range(24), key=lambda place: place % 12))
    assert by_local_time == sorted(by_local_time)
    assert set(by_local_time) == set(accumulate(used_kwh))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["01:00;A;5", "01:30;A;5", "01:00;A;5", "01:30;A;5"], dict.fromkeys(TWICE, 5.0)),
        (["01:00;A;1", "01:00;A;1", "01:30;A;1", "01:30;A;2"], {"00:00": 1.0, "00:30": 1.0, "01:30": 2.0}),
        (["01:00;A;1", "01:30;A;2", "01:00;A;1", "01:00;A;3"], {"00:00": 1.0, "00:30": 2.0, "01:00": 3.0}),
        (
            ["01:02;A;1", "01:33;A;2", "01:04;A;3", "01:31;A;4"],
            {"00:02": 1.0, "00:33": 2.0, "01:04": 3.0, "01:31": 4.0},
        ),
        (["01:00;A;1", "01:30;B;2", "01:00;B;0", "01:30;A;3"], {"00:00": 0.0, "00:30": 3.0}),
    ],
)
def test_in_the_repeated_hour_line_by_line(lines: list[str], expected: dict[str, float]) -> None:
    meters = MeterLines.of(HEADER)
    readings = [one for line in repeated(lines) for one in meters.read([line], "live") if isinstance(one, Meter)]
    assert shown(readings) == expected


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2026-03-29T01:30:00;A;1", "leaves out"),
        ("2026-02-01T12:00:00;A;much", "energy_kwh: read 'much'"),
        ("2026-02-01T12:00:00;A", "read 2 values, expected 3"),
        ("yesterday;A;1", "expected an ISO-8601 time"),
        ("2026-02-01T12:00:00;A;10,5", "energy_kwh: read '10,5'"),
    ],
)
def test_a_bad_line_says_what_was_read(line: str, reason: str) -> None:
    (problem,) = MeterLines.of(HEADER).read([line], "live")
    assert isinstance(problem, str)
    assert reason in problem


@pytest.mark.parametrize("first_line", ["<html>", "time;meter;kwh"])
def test_what_is_no_csv_of_meters_is_refused(first_line: str) -> None:
    with pytest.raises(ValueError, match="expected timestamp;sensor_id;energy"):
        MeterLines.of(first_line)


def test_a_register_between_two_readings_and_in_a_later_lap() -> None:
    first, last = meter(0, 100.0), meter(30, 101.0)
    assert interpolate(first, last, NOON + timedelta(minutes=15)).energy_kwh == 100.5  # type: ignore[attr-defined]
    later = carry_on(first, first, last, timedelta(hours=1))
    assert later.energy_kwh == 102.0  # type: ignore[attr-defined]


def test_a_month_is_played_on_one_clock_without_drift(tmp_path: Path, clock: TurnedClock, kept: Kept) -> None:
    times = [NOON + number * timedelta(minutes=5, milliseconds=7) for number in range(8640)]
    lines = [f"{time.isoformat()};A;{number}" for number, time in enumerate(times)]
    lines.sort(key=lambda line: line[::-1])  # the order of the file does not matter
    path = tmp_path / "energy.csv"
    path.write_text("\n".join(["timestamp;sensor_id;energy", *lines, "x;A;1", "2026-02-01T12:00:00Z;A"]) + "\n")
    heard = Heard()
    assert play(path, 60, METERS, kept, clock, heard) == len(times)
    sent = [(at, message) for at, message in kept.messages if message.topic == "energy"]
    worst = max(abs((at - NOW) - (time - NOON) / 60) for (at, _), time in zip(sent, times, strict=True))
    assert worst <= timedelta(microseconds=1)
    assert [message.key for _, message in sent] == [b"A"] * len(times)
    assert json.loads(sent[0][1].value) == {
        "timestamp": "2026-02-01T12:00:00Z",
        "sensor_id": "A",
        "energy": 0.0,
        "mode": "replay",
    }
    reasons = [json.loads(message.value)["reason"] for _, message in kept.messages if message.topic != "energy"]
    assert [reason.split(": read")[0] for reason in reasons] == [
        "energy.csv: line 8642: timestamp",
        "energy.csv: line 8643",
    ]
    assert heard.counts == {"sent": len(times), "dead_letters": 2}


def test_a_live_reading_travels_as_meters_send_it() -> None:
    message = meter_message(read_one(HEADER, "2026-02-01T12:00:00;A;10.5"), "energy")
    assert json.loads(message.value) == {"timestamp": "2026-02-01T12:00:00Z", "sensor_id": "A", "energy": 10.5}


@pytest.mark.parametrize("text", ["", "no CSV of meters\n", "timestamp;sensor_id;energy\n"])
def test_a_file_without_readings_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "energy.csv"
    path.write_text(text)
    with pytest.raises(RecordingError, match=r"energy\.csv: ") as refused:
        read_meters(path, "replay")
    assert "\n" not in str(refused.value)


def test_a_file_of_bad_lines_alone_is_refused_with_the_first_ones_reason(tmp_path: Path) -> None:
    path = tmp_path / "energy.csv"
    path.write_text("timestamp;sensor_id;energy\n2026-02-01T12:00:00;A;10,5\n2026-02-01T12:05:00;A;10,6\n")
    with pytest.raises(RecordingError, match=r"no reading of a meter; line 2: .*10,5"):
        read_meters(path, "replay")


def test_of_two_readings_of_a_meter_and_time_both_are_sent_and_the_later_line_comes_last(
    tmp_path: Path, clock: TurnedClock, kept: Kept
) -> None:
    path = tmp_path / "energy.csv"
    path.write_text("\n".join([HEADER, line(5, 7.5), line(0, 1.0), line(5, 7.0), line(0, 1.0)]))
    play(path, 60, METERS, kept, clock, Heard())
    assert [reading["energy"] for _, reading in kept.readings("energy")] == [1.0, 1.0, 7.5, 7.0]


def line(minutes: int, kwh: float, sensor: str = "A") -> str:
    return f"{(NOON + timedelta(minutes=minutes)).isoformat()};{sensor};{kwh}"


class File:
    """A CSV that grows, and a producer of it that can be started anew with the cursor that was kept."""

    def __init__(self, path: Path, kept: Kept, clock: TurnedClock, cursor: UnkeptCursor | None = None) -> None:
        self.path = path
        self.kept = kept
        self.clock = clock
        self.heard = Heard()
        self.cursor = cursor or UnkeptCursor()
        self.start()

    def start(self) -> None:
        self.growing = Growing(self.path, self.cursor, Feed(METERS, None, self.kept, self.clock, self.heard))  # type: ignore[arg-type]

    def write(self, *lines: str) -> None:
        self.path.write_text("".join(f"{one}\n" for one in lines))

    def add(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text)

    def sent(self) -> list[float]:
        """What is sent of what is new."""
        before = len(self.kept.messages)
        number = self.growing.send("live")
        energies = [json.loads(one.value)["energy"] for _, one in self.kept.messages[before:] if one.topic == "energy"]
        assert len(energies) == number
        return energies

    def dead_letters(self) -> list[str]:
        return [json.loads(one.value)["reason"] for _, one in self.kept.messages if one.topic == "dead-letters"]


@pytest.fixture
def file(tmp_path: Path, kept: Kept, clock: TurnedClock) -> File:
    return File(tmp_path / "energy.csv", kept, clock)


def test_each_line_is_sent_once_also_after_a_restart(file: File, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    file.write(HEADER, line(0, 1), line(5, 2))
    assert file.sent() == [1, 2]
    assert caplog.records == [], "what goes well needs no line"
    file.add(f"{line(10, 3)}\n")
    assert file.sent() == [3]
    file.start()
    assert file.sent() == []
    file.add(f"\n{line(15, 4)}\n")
    assert file.sent() == [4]


def test_more_lines_than_are_sent_at_once(file: File) -> None:
    file.write(HEADER, *(line(number, number) for number in range(4500)))
    assert file.sent() == list(range(4500))
    file.start()
    file.add(f"{line(4500, 4500)}\n")
    assert file.sent() == [4500]


def test_what_is_added_while_a_file_is_sent_is_left_to_the_next_call(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a line could be part of the backfill though it was written after the source began."""
    file.write(HEADER, line(0, 1), line(5, 2))
    publish = file.kept.publish

    def slowly(messages: Sequence[Message]) -> None:
        publish(messages)
        file.add(f"{line(10, 3)}\n")

    with monkeypatch.context() as slow:
        slow.setattr(file.kept, "publish", slowly)
        assert file.sent() == [1, 2]
    assert file.sent() == [3]


def test_the_cursor_moves_only_past_what_kafka_has(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write(HEADER, line(0, 1))
    with monkeypatch.context() as broken:
        broken.setattr(file.kept, "publish", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            file.sent()
    file.start()
    assert file.sent() == [1]


def test_a_bad_line_is_a_dead_letter_once_with_its_number_also_after_a_restart(
    file: File, caplog: pytest.LogCaptureFixture
) -> None:
    file.write(HEADER, line(0, 1), "yesterday;A;1", line(60 * 24 * 3650, 2))
    assert file.sent() == [1]
    assert [reason.split(": ")[:2] for reason in file.dead_letters()] == [
        ["energy.csv", "line 3"],
        ["energy.csv", "line 4"],
    ]
    assert file.heard.counts == {"sent": 1, "dead_letters": 2}
    caplog.clear()
    file.start()
    assert file.sent() == []
    assert len(file.dead_letters()) == 2
    assert caplog.records == []


def test_blank_lines_count_in_the_number_of_a_bad_line(file: File) -> None:
    file.write(HEADER, "", line(0, 1), "")
    assert file.sent() == [1]
    file.add("yesterday;A;1\n")
    assert file.sent() == []
    assert file.dead_letters()[0].startswith("energy.csv: line 5: ")


def test_a_line_is_sent_when_it_has_ended_and_until_then_it_is_said(file: File) -> None:
    file.write(HEADER, line(0, 1))
    file.add(line(5, 2))
    assert file.sent() == [1]
    assert file.growing.unfinished == "line 3 of energy.csv has no end: it is sent when it has one"
    assert file.heard.state == "running", "it may still be written"
    file.clock.time += timedelta(minutes=2)
    assert file.sent() == []
    assert (file.heard.state, file.heard.why) == ("waiting", f"METERS_FILE: {file.growing.unfinished} (readings go on)")
    file.add("0\n")
    assert file.sent() == [20]
    assert file.growing.unfinished is None
    assert file.heard.state == "running"


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("in_place", [False, True])
def test_a_file_that_was_replaced_is_read_from_its_beginning(file: File, in_place: bool, restarted: bool) -> None:
    file.write(HEADER, *(line(number, number) for number in range(8)))
    assert len(file.sent()) == 8
    other = [line(100 + number, 100 + number) for number in range(10)]
    if not in_place:
        file.path.unlink()
    file.write(HEADER, *other)
    if restarted:
        file.start()
    assert file.sent() == [100 + number for number in range(10)]
    assert file.sent() == []


def test_a_file_that_became_shorter_is_read_from_its_beginning(file: File) -> None:
    file.write(HEADER, line(0, 1), line(5, 2))
    assert len(file.sent()) == 2
    file.write("timestamp,meter_id,reading_kwh", line(10, 3).replace(";", ","))
    assert file.sent() == [3]


def test_a_file_that_was_written_anew_with_the_same_lines_goes_on(file: File) -> None:
    file.write(HEADER, line(0, 1), line(5, 2))
    assert file.sent() == [1, 2]
    new = file.path.with_name("new")
    new.write_text(f"{file.path.read_text()}{line(10, 3)}\n")
    new.replace(file.path)
    assert file.sent() == [3]


def test_another_file_begins_anew(file: File) -> None:
    file.write(HEADER, line(0, 1))
    assert file.sent() == [1]
    file.path = file.path.with_name("other.csv")
    file.write(HEADER, line(0, 1), line(5, 2))
    file.start()
    assert file.sent() == [1, 2]


def test_a_cursor_of_an_earlier_version_is_read(tmp_path: Path, kept: Kept, clock: TurnedClock) -> None:
    path = tmp_path / "energy.csv"
    path.write_text(f"{HEADER}\n{line(0, 1)}\n")
    cursor = UnkeptCursor()
    cursor.facts.update(file=str(path), bytes=path.stat().st_size)
    file = File(path, kept, clock, cursor)
    file.add(f"{line(5, 2)}\n")
    assert file.sent() == [2]


def test_a_file_that_is_away_for_a_moment_is_waited_for(file: File) -> None:
    file.write(HEADER, line(0, 1))
    assert file.sent() == [1]
    away = file.path.rename(file.path.with_name("away"))
    assert file.sent() == []
    assert file.heard.state == "waiting"
    assert str(file.path) in str(file.heard.why)
    away.rename(file.path)
    assert file.sent() == []
    assert file.heard.state == "running"


@pytest.mark.parametrize("text", [None, "<html>\n"])
def test_a_file_that_is_not_there_or_no_csv_of_meters_is_refused(file: File, text: str | None) -> None:
    if text is not None:
        file.add(text)
    with pytest.raises(RecordingError, match=r"METERS_FILE: .*energy\.csv: (cannot be read|line 1: )"):
        file.sent()
