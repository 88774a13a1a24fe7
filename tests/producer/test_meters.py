"""Meters: lines of CSV, and what a recording's later laps show."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from producer.errors import RecordingError
from producer.recorded.meter import carry_on, interpolate
from producer.sources.meters import play
from producer.sources.meters_csv import MeterLines, meter_message, read_meters
from readings.config import load_config
from readings.meter import Meter
from readings.stream import Stream
from tests.producer.conftest import NOW, ROOT, Heard, Kept, TurnedClock

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
    ],
)
def test_each_spelling_is_the_same_reading(first: str, line: str) -> None:
    reading = MeterLines.of(first).read(line, "live")
    assert (reading.sensor_id, reading.timestamp, reading.energy_kwh) == ("A", NOON, 10.5)


def test_in_the_repeated_hour_a_register_only_grows() -> None:
    lines = MeterLines.of("timestamp;sensor_id;energy")
    texts = ["2026-10-25T01:00:00", "2026-10-25T01:30:00", "2026-10-25T01:00:00", "2026-10-25T01:30:00"]
    times = [lines.read(f"{text};A;{number}", "live").timestamp for number, text in enumerate(texts)]
    assert [f"{time:%H:%M}" for time in times] == ["00:00", "00:30", "01:00", "01:30"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2026-03-29T01:30:00;A;1", "leaves out"),
        ("2026-02-01T12:00:00;A;much", "energy_kwh: read 'much'"),
        ("2026-02-01T12:00:00;A", "read 2 values, expected 3"),
        ("yesterday;A;1", "expected an ISO-8601 time"),
    ],
)
def test_a_bad_line_says_what_was_read(line: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        MeterLines.of("timestamp;sensor_id;energy").read(line, "live")


def test_what_is_no_csv_of_meters_is_refused() -> None:
    with pytest.raises(ValueError, match="expected timestamp;sensor_id;energy"):
        MeterLines.of("<html>")


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
    reading = MeterLines.of("timestamp;sensor_id;energy").read("2026-02-01T12:00:00;A;10.5", "live")
    message = meter_message(reading, "energy")
    assert json.loads(message.value) == {"timestamp": "2026-02-01T12:00:00Z", "sensor_id": "A", "energy": 10.5}


@pytest.mark.parametrize("text", ["", "no CSV of meters\n", "timestamp;sensor_id;energy\n"])
def test_a_file_without_readings_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "energy.csv"
    path.write_text(text)
    with pytest.raises(RecordingError, match=r"energy\.csv: ") as refused:
        read_meters(path, "replay")
    assert "\n" not in str(refused.value)
