"""Meter readings as CSV lines: ``timestamp;sensor_id;energy`` with ``;`` or ``,``, with or without a header.

``meter_id`` and ``reading_kwh`` are taken as well, and further columns are left out. Without a header the columns are
those three in that order. Times without an offset are Europe/Lisbon's; in the hour that the clock change repeats, what
comes after a later time of the same meter is the later one, for a register only grows.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from readings.meter import Meter
from readings.problems import reason_of, shown
from readings.reading import Mode

SOURCE = "meters"
ZONE = ZoneInfo("Europe/Lisbon")
DELIMITERS = (";", ",")
NAMES: Mapping[str, str] = {
    "timestamp": "timestamp",
    "sensor_id": "sensor_id",
    "meter_id": "sensor_id",
    "energy": "energy_kwh",
    "energy_kwh": "energy_kwh",
    "reading_kwh": "energy_kwh",
}
WITHOUT_HEADER = ("timestamp", "sensor_id", "energy_kwh")


@dataclass
class MeterLines:
    """Reads a file's lines one after the other."""

    delimiter: str
    columns: Mapping[str, int]
    """Our field's name → its column."""
    has_header: bool
    _newest: dict[str, datetime] = field(default_factory=dict)

    @classmethod
    def of(cls, first_line: str) -> "MeterLines":
        """As the first line says. Raises ValueError where it is of no CSV of meters."""
        for delimiter in DELIMITERS:
            values = _values(first_line, delimiter)
            columns = {NAMES[name]: place for place, name in reversed(list(enumerate(values))) if name in NAMES}
            if set(columns) == set(WITHOUT_HEADER):
                return cls(delimiter, columns, True)
            if len(values) == len(WITHOUT_HEADER) and _time(values[0]) is not None:
                return cls(delimiter, {name: place for place, name in enumerate(WITHOUT_HEADER)}, False)
        raise ValueError(
            f"read {shown(first_line)}, expected timestamp;sensor_id;energy (also with commas, also meter_id and "
            "reading_kwh), or a first reading of that form"
        )

    def read(self, line: str, mode: Mode) -> Meter:
        """The reading of a line. Raises ValueError with what was read and what was expected."""
        values = _values(line, self.delimiter)
        if len(values) <= max(self.columns.values()):
            raise ValueError(f"read {len(values)} values, expected {max(self.columns.values()) + 1}")
        fields = {name: values[place] for name, place in self.columns.items()}
        sensor = fields["sensor_id"]
        instant = self._instant(fields["timestamp"], sensor)
        try:
            reading = Meter.model_validate_strings(
                {"source": SOURCE, "mode": mode, **fields, "timestamp": instant.isoformat()}, strict=False
            )
        except ValidationError as error:
            raise ValueError(reason_of(error)) from None
        self._newest[sensor] = max(reading.timestamp, self._newest.get(sensor, reading.timestamp))
        return reading

    def _instant(self, text: str, sensor: str) -> datetime:
        instant = _time(text)
        if instant is None:
            raise ValueError(f"timestamp: read {shown(text)}, expected an ISO-8601 time")
        if instant.tzinfo is not None:
            return instant
        earlier, later = (instant.replace(tzinfo=ZONE, fold=fold) for fold in (0, 1))
        offsets = [one.utcoffset() or timedelta() for one in (earlier, later)]
        if offsets[0] < offsets[1]:  # what says that a time was left out: PEP 495
            raise ValueError(f"timestamp: read {text!r}, a time that the clock change of {ZONE} leaves out")
        newest = self._newest.get(sensor)
        return later if newest is not None and earlier <= newest < later and offsets[0] != offsets[1] else earlier


def _values(line: str, delimiter: str) -> Sequence[str]:
    return [value.strip() for value in next(csv.reader([line], delimiter=delimiter), [])]


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
