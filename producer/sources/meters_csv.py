"""Meter readings as CSV lines: ``timestamp;sensor_id;energy`` with ``;`` or ``,``, with or without a header.

``meter_id`` and ``reading_kwh`` are taken as well, in small letters or capitals, and further columns are left out.
Without a header the columns are those three in that order. Energy is the register in kWh, with a decimal point. Times
without an offset are Europe/Lisbon's; in the hour that the clock change repeats they stand for two instants, and the
energy tells which, for a register only grows: of two readings of a local time the lower one is the earlier.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
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


REPEATED = timedelta(hours=1)
"""How much later the same local time comes again."""


@dataclass
class RepeatedHour:
    """What a meter showed in the hour of a day that the clock change repeats, as far as it was read."""

    first: dict[datetime, float] = field(default_factory=dict)
    """Instants of the first of the two hours → kWh."""
    second: dict[datetime, float] = field(default_factory=dict)
    """The same of the second hour, by the instants an hour before."""

    def place(self, instant: datetime, kwh: float) -> datetime:
        """Which instant a reading is of: that of the first hour, or, where the register says so, an hour later.

        What nothing tells apart is taken for the first; so is a line of it that comes again.
        """
        came_lower = self.first.get(instant, kwh) < kwh
        went_on = any(other > instant and one <= kwh for other, one in self.first.items())
        began_again = any(one < kwh or (one == kwh and other < instant) for other, one in self.second.items())
        is_second = came_lower or went_on or began_again
        (self.second if is_second else self.first)[instant] = kwh
        return instant + REPEATED if is_second else instant


@dataclass
class MeterLines:
    """Reads the lines of a file."""

    delimiter: str
    columns: Mapping[str, int]
    """Our field's name → its column."""
    has_header: bool
    _repeated: dict[tuple[str, date], RepeatedHour] = field(default_factory=dict)

    @classmethod
    def of(cls, first_line: str) -> "MeterLines":
        """As the first line says. Raises ValueError where it is of no CSV of meters."""
        for delimiter in DELIMITERS:
            values = _values(first_line, delimiter)
            names = [NAMES.get(value.lower()) for value in values]
            columns = {name: place for place, name in reversed(list(enumerate(names))) if name}
            if set(columns) == set(WITHOUT_HEADER):
                return cls(delimiter, columns, True)
            if len(values) == len(WITHOUT_HEADER) and _time(values[0]) is not None:
                return cls(delimiter, {name: place for place, name in enumerate(WITHOUT_HEADER)}, False)
        raise ValueError(
            f"read {shown(first_line)}, expected timestamp;sensor_id;energy (also with commas, also meter_id and "
            "reading_kwh), or a first reading of that form"
        )

    def read(self, lines: Sequence[str], mode: Mode) -> list[Meter | str]:
        """The reading of each line, or what was read and what was expected.

        Lines of the repeated hour that come together may come in any order; those that come one by one are expected
        in the order of their times.
        """
        found = [self._read(line, mode) for line in lines]
        undecided = [(place, one) for place, one in enumerate(found) if isinstance(one, Meter) and one.repeated_hour]
        for place, reading in sorted(undecided, key=lambda one: one[1].energy_kwh):
            hour = self._repeated.setdefault((reading.sensor_id, reading.timestamp.date()), RepeatedHour())
            instant = hour.place(reading.timestamp, reading.energy_kwh)
            found[place] = reading.model_copy(update={"timestamp": instant, "repeated_hour": None})
        return found

    def _read(self, line: str, mode: Mode) -> Meter | str:
        """The reading of a line; one of the repeated hour is marked as such, and at the earlier instant."""
        try:
            values = _values(line, self.delimiter)
            if len(values) <= max(self.columns.values()):
                raise ValueError(f"read {len(values)} values, expected {max(self.columns.values()) + 1}")
            fields = {name: values[place] for name, place in self.columns.items()}
            instant = _instant(fields["timestamp"])
            reading = Meter.model_validate_strings(
                {"source": SOURCE, "mode": mode, **fields, "timestamp": instant.isoformat()}, strict=False
            )
        except ValidationError as error:
            return reason_of(error)
        except ValueError as error:
            return str(error)
        is_repeated = _offset(instant) != _offset(instant.replace(fold=1))
        return reading.model_copy(update={"repeated_hour": True}) if is_repeated else reading


def read_meters(path: Path, mode: Mode) -> tuple[list[Meter], list[BadLine]]:
    """A whole file's readings in the order of their times, and its lines that are none.

    Of two readings of a meter and time the later line comes later. Raises RecordingError where the file cannot be
    read, or its first line is of no CSV of meters.
    """
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror})") from error
    lines = [(number, line) for number, raw in enumerate(text.split("\n"), 1) if (line := raw.strip())]
    if not lines:
        raise RecordingError(f"{path}: holds no reading of a meter")
    try:
        meters = MeterLines.of(lines[0][1])
    except ValueError as error:
        raise RecordingError(f"{path}: line {lines[0][0]}: {error}") from error
    if meters.has_header:
        del lines[0]
    readings: list[Meter] = []
    bad: list[BadLine] = []
    for (number, line), found in zip(lines, meters.read([line for _, line in lines], mode), strict=True):
        if isinstance(found, str):
            bad.append(BadLine(path.name, number, found, line))
        else:
            readings.append(found)
    if not readings:
        why = f"; line {bad[0].line}: {bad[0].reason}" if bad else ""
        raise RecordingError(f"{path}: holds no reading of a meter{why}")
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


def _instant(text: str) -> datetime:
    """A time, the earlier one where it may be two. Raises ValueError where it is none."""
    instant = _time(text)
    if instant is None:
        raise ValueError(f"timestamp: read {shown(text)}, expected an ISO-8601 time")
    if instant.tzinfo is not None:
        return instant
    local = instant.replace(tzinfo=ZONE)
    if _offset(local) < _offset(local.replace(fold=1)):  # what says that a time was left out: PEP 495
        raise ValueError(f"timestamp: read {text!r}, a time that the clock change of {ZONE} leaves out")
    return local


def _offset(instant: datetime) -> timedelta:
    return instant.utcoffset() or timedelta()


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
