"""The further shape of meter messages: ``{"timestamp", "sensor_id", "energy"}``, as meter gateways send it.

``meter_id`` and ``reading_kwh`` are taken as well. Times without an offset are Europe/Lisbon's. In the hour that the
clock change repeats they are ambiguous and taken as the earlier ones.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from readings.problems import shown
from readings.spellings import METER, renamed

ZONE = ZoneInfo("Europe/Lisbon")
SOURCE = "meters"


def canonical(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record as a `readings.meter.Meter` spells it.

    Raises ValueError on a field named twice, on a time that is none, and on one that the clock
    change left out.
    """
    reading = renamed(record, METER, SOURCE)
    if isinstance(reading.get("timestamp"), str):
        reading["timestamp"] = _instant(reading["timestamp"])
    return reading


def _instant(text: str) -> str:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"timestamp: read {shown(text)}, expected an ISO-8601 time") from error
    if instant.tzinfo is not None:
        return text
    earlier, later = (instant.replace(tzinfo=ZONE, fold=fold) for fold in (0, 1))
    if _offset(earlier) < _offset(later):  # what says that a time was left out: PEP 495
        raise ValueError(f"timestamp: read {text!r}, a time that the clock change of {ZONE} leaves out")
    return earlier.isoformat()


def _offset(instant: datetime) -> timedelta:
    return instant.utcoffset() or timedelta()
