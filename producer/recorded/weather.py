"""Weather between two recorded readings."""

from datetime import datetime
from typing import Any

from readings.reading import Reading
from readings.weather import Weather

LINEAR = (
    "temperature_c",
    "feels_like_c",
    "dew_point_c",
    "pressure_hpa",
    "humidity_pct",
    "clouds_pct",
    "uvi",
    "visibility_m",
    "wind_speed_ms",
    "wind_gust_ms",
)
"""What changes steadily. Precipitation does not: an amount of a whole hour says nothing of a minute within it."""


def interpolate(before: Reading, after: Reading, instant: datetime) -> Reading:
    """The weather at an instant between two readings of a place, linearly, to two decimals.

    A field that one of them lacks stays absent, as do precipitation, words and the sun's times.
    """
    if not isinstance(before, Weather) or not isinstance(after, Weather):
        raise TypeError("expected readings of weather")
    share = (instant - before.timestamp) / (after.timestamp - before.timestamp)
    fields: dict[str, Any] = {}
    for name in LINEAR:
        first, second = getattr(before, name), getattr(after, name)
        if first is not None and second is not None:
            fields[name] = round(first + (second - first) * share, 2)
    if before.wind_deg is not None and after.wind_deg is not None:
        fields["wind_deg"] = _turn(before.wind_deg, after.wind_deg, share)
    return Weather(
        source="replay-interpolated", region=before.region, timestamp=instant, location=before.location, **fields
    )


def _turn(first: float, second: float, share: float) -> float:
    """From one direction to another the shorter way round."""
    difference = (second - first + 180) % 360 - 180
    return round((first + difference * share) % 360, 1) % 360
