"""The further shape of meter messages: ``{"timestamp", "sensor_id", "energy"}``, as meter gateways send it.

``meter_id`` and ``reading_kwh`` are taken as well. Times without an offset are Europe/Lisbon's. In the hour that the
clock change repeats they stand for two instants: they are read as the earlier one and marked as `repeated_hour`, and
`settled` finds the place of each, for of two readings of a meter the lower is the earlier.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from readings.problems import shown
from readings.spellings import METER, renamed

ZONE = ZoneInfo("Europe/Lisbon")
REPEATED = timedelta(hours=1)
"""How much later the same local time comes again."""
SOURCE = "meters"


def canonical(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record as a `readings.meter.Meter` spells it.

    Raises ValueError on a field named twice, on a time that is none, and on one that the clock
    change left out.
    """
    reading = renamed(record, METER, SOURCE)
    if isinstance(reading.get("timestamp"), str):
        instant = _instant(reading["timestamp"])
        reading["timestamp"] = instant.isoformat()
        if instant.tzinfo is ZONE and _offset(instant) != _offset(instant.replace(fold=1)):
            reading["repeated_hour"] = True
    return reading


def settled(earlier: float | None, later: float | None, read: float) -> tuple[float, float | None]:
    """What a meter showed at the two instants of a repeated local time, in kWh, when another reading of it came."""
    if earlier is None or read == earlier:
        return read, later
    if read > earlier:
        return earlier, read
    return read, earlier if later is None else later


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"timestamp: read {shown(text)}, expected an ISO-8601 time") from error
    if instant.tzinfo is not None:
        return instant
    earlier, later = (instant.replace(tzinfo=ZONE, fold=fold) for fold in (0, 1))
    if _offset(earlier) < _offset(later):  # what says that a time was left out: PEP 495
        raise ValueError(f"timestamp: read {text!r}, a time that the clock change of {ZONE} leaves out")
    return earlier


def _offset(instant: datetime) -> timedelta:
    return instant.utcoffset() or timedelta()
