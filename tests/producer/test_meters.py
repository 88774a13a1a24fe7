"""Meters: lines of CSV, and what a recording's later laps show."""

from datetime import UTC, datetime, timedelta

import pytest

from producer.recorded.meter import carry_on, interpolate
from producer.sources.meters_csv import MeterLines
from readings.meter import Meter

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
