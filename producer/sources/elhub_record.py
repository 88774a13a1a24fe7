"""A record of Elhub's ``productionPerGroupMbaHour`` → a reading of the stream `production`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from readings.problems import reason_of, shown
from readings.production import Production
from readings.reading import Mode

SOURCE = "elhub"
FIELDS: Mapping[str, str] = {
    "priceArea": "price_area",
    "productionGroup": "production_group",
    "quantityKwh": "quantity_kwh",
}


def read_production(record: object, mode: Mode) -> Production:
    """The reading. Raises ValueError with what was read and what was expected."""
    if not isinstance(record, dict):
        raise ValueError(f"read {shown(record)}, expected an object")
    start, end = _instant(record, "startTime"), _instant(record, "endTime")
    if end - start != Production.interval:
        raise ValueError(f"endTime: read {record['endTime']!r}, expected an hour after startTime {start.isoformat()}")
    fields: dict[str, Any] = {ours: record.get(theirs) for theirs, ours in FIELDS.items()}
    try:
        return Production.model_validate({"source": SOURCE, "mode": mode, "start_time": start, **fields})
    except ValidationError as error:
        raise ValueError(reason_of(error)) from None


def _instant(record: Mapping[str, Any], name: str) -> datetime:
    value = record.get(name)
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise ValueError(f"{name}: read {shown(value)}, expected an ISO-8601 time with an offset")
    return instant
