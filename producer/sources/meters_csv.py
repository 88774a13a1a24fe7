"""Meter readings as CSV lines: ``timestamp;sensor_id;energy`` with ``;`` or ``,``, with or without a header.

``meter_id`` and ``reading_kwh`` are taken as well, and further columns are left out. Without a header the columns are
those three in that order. Times without an offset are Europe/Lisbon's; in the hour that the clock change repeats, what
comes after a later time of the same meter is the later one, for a register only grows.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
from pydantic import ValidationError

from producer.errors import RecordingError
from producer.messages import Message
from producer.recordings import BadLine
from readings.meter import Meter
from readings.problems import reason_of, shown
from readings.reading import Mode, Reading

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


def read_meters(path: Path, mode: Mode) -> tuple[list[Meter], list[BadLine]]:
    """A whole file's readings in the order of their times, and its lines that are none.

    Raises RecordingError where it cannot be read, or its first line is of no CSV of meters.
    """
    lines: MeterLines | None = None
    readings: list[Meter] = []
    bad: list[BadLine] = []
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            for number, raw in enumerate(file, 1):
                line = raw.strip()
                try:
                    if line and lines is None:
                        lines = MeterLines.of(line)
                        line = "" if lines.has_header else line
                    if line and lines is not None:
                        readings.append(lines.read(line, mode))
                except ValueError as error:
                    if lines is None:
                        raise RecordingError(f"{path}: line {number}: {error}") from error
                    bad.append(BadLine(path.name, number, str(error), line))
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror})") from error
    if not readings:
        raise RecordingError(f"{path}: holds no reading of a meter")
    return sorted(readings, key=lambda reading: reading.timestamp), bad


def meter_message(reading: Reading, topic: str) -> Message:
    """A reading as meters send it: ``{timestamp, sensor_id, energy}``, and its mode where it is not live."""
    if not isinstance(reading, Meter):
        raise TypeError("expected readings of meters")
    mode = {} if reading.mode == "live" else {"mode": reading.mode}
    timestamp = reading.timestamp.isoformat().replace("+00:00", "Z")
    fields = {"timestamp": timestamp, "sensor_id": reading.sensor_id, "energy": reading.energy_kwh, **mode}
    return Message(topic, reading.series.encode(), orjson.dumps(fields))


def _values(line: str, delimiter: str) -> Sequence[str]:
    try:
        return [value.strip() for value in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error as error:
        raise ValueError(f"read {shown(line)}, which is no line of CSV: {error}") from None


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
