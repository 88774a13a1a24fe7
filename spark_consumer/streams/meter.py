"""The further shape of meter messages: ``{"timestamp", "sensor_id", "energy"}``, as meter gateways send it.

``meter_id`` and ``reading_kwh`` are taken as well. Times without an offset are Europe/Lisbon's. In the hour that the
clock change repeats they are ambiguous and taken as the earlier ones.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from spark_consumer.streams.aliases import renamed

ALIASES: Mapping[str, str] = {"energy": "energy_kwh", "reading_kwh": "energy_kwh", "meter_id": "sensor_id"}
ZONE = ZoneInfo("Europe/Lisbon")
SOURCE = "meters"


def canonical(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record as a `readings.meter.Meter` spells it.

    Raises ValueError on a field named twice, on a time that is none, and on one that the clock
    change left out.
    """
    reading = renamed(record, ALIASES, SOURCE)
    if isinstance(reading.get("timestamp"), str):
        reading["timestamp"] = _instant(reading["timestamp"])
    return reading


def _instant(text: str) -> str:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"timestamp: read {text!r}, expected an ISO-8601 time") from error
    if instant.tzinfo is None:
        naive = instant
        try:
            instant = naive.replace(tzinfo=ZONE).astimezone(UTC)
            left_out = instant.astimezone(ZONE).replace(tzinfo=None) != naive
        except OverflowError as error:
            raise ValueError(f"timestamp: read {text!r}, in UTC it is before the year 1 or after 9999") from error
        if left_out:
            raise ValueError(f"timestamp: read {text!r}, a time that the clock change of {ZONE} leaves out")
    return instant.isoformat()
