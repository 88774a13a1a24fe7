"""A meter between two recorded readings, and after the recording has ended."""

from datetime import datetime, timedelta

from readings.meter import Meter
from readings.reading import Reading

DIGITS = 3
"""A watt-hour."""


def interpolate(before: Reading, after: Reading, instant: datetime) -> Reading:
    """The register at an instant between two readings, as if the energy between them had been used evenly."""
    first, second = _meter(before), _meter(after)
    share = (instant - first.timestamp) / (second.timestamp - first.timestamp)
    energy_kwh = round(first.energy_kwh + (second.energy_kwh - first.energy_kwh) * share, DIGITS)
    return Meter(source="replay-interpolated", sensor_id=first.sensor_id, timestamp=instant, energy_kwh=energy_kwh)


def carry_on(reading: Reading, first: Reading, last: Reading, laps: timedelta) -> Reading:
    """A reading of a later lap: its total goes on from where the laps before ended, at the recording's mean power."""
    one, begin, end = _meter(reading), _meter(first), _meter(last)
    took = end.timestamp - begin.timestamp
    used_kwh = (end.energy_kwh - begin.energy_kwh) * (laps / took) if took else 0.0
    return one.model_copy(update={"energy_kwh": round(one.energy_kwh + used_kwh, DIGITS)})


def _meter(reading: Reading) -> Meter:
    if not isinstance(reading, Meter):
        raise TypeError("expected readings of meters")
    return reading
