"""Recordings: CSV files of a stream's fields (see recordings/README.md), kept as the JSON that goes to Kafka."""

import csv
import gzip
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from producer.errors import RecordingError
from readings.problems import reason_of
from readings.reading import Reading

ENDINGS = (".csv", ".csv.gz")
QUOTE = '"'


@dataclass(frozen=True)
class BadLine:
    """A line of a recording that is no reading."""

    file: str
    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class RecordedSeries:
    """One series of a file, in the order of its event times (epoch seconds).

    Each reading was checked by the model and is kept as it travels: JSON, cut where its event time belongs.
    """

    model: type[Reading]
    name: str
    times: "array[float]"
    begins: Sequence[bytes]
    """Each one's JSON up to the event time; few differ, and those that do not are the same object."""
    ends: Sequence[bytes]
    """Each one's JSON after the event time."""

    def __len__(self) -> int:
        return len(self.times)

    def time(self, index: int) -> datetime:
        """The recorded event time of a reading."""
        return datetime.fromtimestamp(self.times[index], UTC)

    def reading(self, index: int) -> Reading:
        """The recorded reading; it is live, and its source ``replay``, where its file does not say otherwise."""
        stamp = stamped(self.time(index)).encode()
        return self.model.model_validate_json(b"".join((self.begins[index], stamp, self.ends[index])))


@dataclass(frozen=True)
class Recording:
    """One file: its series by name, and the lines that are no readings."""

    name: str
    series: dict[str, RecordedSeries]
    bad_lines: list[BadLine]

    @property
    def first(self) -> datetime:
        """The earliest event time."""
        return min(series.time(0) for series in self.series.values())

    @property
    def last(self) -> datetime:
        """The latest event time."""
        return max(series.time(len(series) - 1) for series in self.series.values())


def recording_files(path: Path) -> list[Path]:
    """The file, or the recordings in the folder. Raises RecordingError where there are none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise RecordingError(f"{path}: there is no such file or folder, expected a recording ({' or '.join(ENDINGS)})")
    files = sorted(file for file in path.iterdir() if file.name.endswith(ENDINGS))
    if not files:
        raise RecordingError(f"{path}: holds no recording ({' or '.join(ENDINGS)})")
    return files


def header(path: Path) -> list[str]:
    """The names of a file's columns. Raises RecordingError where it is no CSV."""
    return next(_rows(path), (1, "", []))[2]


def read_recording(path: Path, model: type[Reading]) -> Recording:
    """Reads a whole file of a stream's readings.

    Raises RecordingError where the file cannot be read, has a column that the model does not know, lacks one
    that names the series or the time, or holds no reading at all. Single bad lines are kept as `BadLine`; of two
    lines of a series and time the later one counts.
    """
    rows = _rows(path)
    _, _, columns = next(rows, (1, "", []))
    _check_columns(path, columns, model)
    found: dict[str, dict[float, tuple[bytes, bytes]]] = {}
    bad_lines = []
    for number, line, values in rows:
        try:
            if len(values) != len(columns):
                raise ValueError(f"read {len(values)} values, expected {len(columns)}")
            reading = _reading(model, columns, values)
        except ValueError as error:
            reason = reason_of(error) if isinstance(error, ValidationError) else str(error)
            bad_lines.append(BadLine(path.name, number, reason, line))
        else:
            found.setdefault(reading.series, {})[reading.event_time.timestamp()] = _cut(reading)
    if not found:
        why = f": line {bad_lines[0].line}: {bad_lines[0].reason}" if bad_lines else ""
        raise RecordingError(f"{path}: holds no reading of {model.__name__.lower()}{why}")
    return Recording(path.name, {name: _series(model, name, parts) for name, parts in found.items()}, bad_lines)


def stamped(instant: datetime) -> str:
    """An aware UTC instant as readings spell it: ``2026-11-24T03:00:00Z``."""
    return f"{instant.isoformat()[:-6]}Z"


def _cut(reading: Reading) -> tuple[bytes, bytes]:
    """A reading's JSON before and after its event time."""
    name = f'"{reading.time_field}":"'
    begins, _, rest = reading.model_dump_json(exclude_none=True).partition(name)
    return f"{begins}{name}".encode(), f'"{rest.partition(QUOTE)[2]}'.encode()


def _series(model: type[Reading], name: str, parts: Mapping[float, tuple[bytes, bytes]]) -> RecordedSeries:
    ordered = sorted(parts.items())
    same: dict[bytes, bytes] = {}
    begins = [same.setdefault(begin, begin) for _, (begin, _) in ordered]
    ends = [end for _, (_, end) in ordered]
    return RecordedSeries(model, name, array("d", (time for time, _ in ordered)), begins, ends)


def _check_columns(path: Path, columns: list[str], model: type[Reading]) -> None:
    unknown = [name for name in columns if name.split(".")[0] not in model.model_fields]
    missing = [name for name in (*model.series_fields, model.time_field) if name not in columns]
    if unknown or missing:
        shown = ", ".join(columns)
        what = f"unknown columns {', '.join(unknown)}" if unknown else f"no column {', '.join(missing)}"
        raise RecordingError(
            f"{path}: is no recording of {model.__name__.lower()}: {what}; read {shown[:200]!r}, "
            f"expected some of {', '.join(model.model_fields)}"
        )


def _rows(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Each line's number, text and values. A value cannot hold a line break."""
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8")
            if path.name.endswith(".gz")
            else path.open(encoding="utf-8") as file
        ):
            for number, line in enumerate(file, 1):
                text = line.rstrip("\r\n").removeprefix("\ufeff")
                if text:
                    yield number, text, next(csv.reader([text]))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(f"{path}: cannot be read as CSV: {error}") from error


def _reading(model: type[Reading], columns: list[str], values: list[str]) -> Reading:
    fields: dict[str, Any] = {"source": "replay"}
    for column, value in zip(columns, values, strict=True):
        if value != "":
            name, _, inner = column.partition(".")
            if inner:
                fields.setdefault(name, {})[inner] = value
            else:
                fields[name] = value
    return model.model_validate_strings(fields, strict=False)
