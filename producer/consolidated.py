"""The compact cache: a CSV with one row a timestamp and one column a facility or region and metric.

``timestamp,BAYSW.power,BAYSW.emissions,…,NSW1.price,NSW1.demand``: timestamps in UTC with ``Z``, in order; power and
demand in MW, emissions in t, price in AUD/MWh; an empty cell is a value that there is none of.
"""

import csv
import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from producer.errors import RecordingError
from readings.problems import shown
from readings.reading import Reading

CODES = {"power": "facility_code", "emissions": "facility_code", "price": "region_code", "demand": "region_code"}
"""What a metric's code is called in an event."""
METRICS: Mapping[str, Mapping[str, str]] = {
    "Facility": {"power": "power_mw", "emissions": "emissions_t"},
    "Market": {"price": "price_per_mwh", "demand": "demand_mw"},
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """What a facility or a region was at an instant, as it goes to MQTT."""

    code_name: str
    """``facility_code`` or ``region_code``."""
    code: str
    at: datetime
    values: Mapping[str, float]

    @property
    def key(self) -> tuple[datetime, str]:
        """What tells it from the others."""
        return self.at, self.code

    @property
    def fields(self) -> dict[str, object]:
        """Its wire form, e.g. ``{facility_code, timestamp, power, emissions}``."""
        return {self.code_name: self.code, "timestamp": _text(self.at), **self.values}

    def shifted(self, by: timedelta) -> "Event":
        """The same, at another time."""
        return Event(self.code_name, self.code, self.at + by, self.values)


class Written(NamedTuple):
    """What a compact cache holds."""

    readings: int
    rows: int
    columns: int


def write_consolidated(path: Path, readings: Iterable[Reading]) -> Written:
    """Writes readings of facilities and regions, in one step; of them only the numbers are held meanwhile.

    Where there are none, what was there before stays.
    """
    rows: dict[datetime, dict[tuple[str, str], float]] = {}
    count = 0
    for count, reading in enumerate(readings, 1):  # noqa: B007 - the last number is how many there were
        row = rows.setdefault(reading.event_time, {})
        for metric, field in METRICS[type(reading).__name__].items():
            value = getattr(reading, field)
            if value is not None:
                row[reading.series, metric] = value
    if not count:
        return Written(0, 0, 0)
    order = list(CODES)
    columns = sorted(
        {column for row in rows.values() for column in row},
        key=lambda column: (CODES[column[1]], column[0], order.index(column[1])),
    )
    unfinished = path.with_name(f"{path.name}.unfinished")
    with unfinished.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["timestamp", *(f"{code}.{metric}" for code, metric in columns)])
        for at, row in sorted(rows.items()):
            writer.writerow([_text(at), *(_number(row.get(column)) for column in columns)])
    unfinished.replace(path)
    return Written(count, len(rows), len(columns) + 1)


def read_events(path: Path) -> list[Event]:
    """The events of each row in the order of the file: facilities, then regions, as the columns come.

    A bad line is logged with its number and left out. Raises RecordingError where the file cannot be read, is no
    compact cache, or holds no event.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            columns = _columns(path, next(rows, []))
            events = [event for values in rows if values for event in _row(path, rows.line_num, columns, values)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(f"{path}: cannot be read as CSV: {error}") from error
    if not events:
        raise RecordingError(f"{path}: holds no event")
    return events


def _columns(path: Path, header: list[str]) -> list[tuple[str, str]]:
    named = [tuple(name.rpartition(".")[::2]) for name in header[1:]]
    wrong = [name for name, (code, metric) in zip(header[1:], named, strict=True) if not code or metric not in CODES]
    if header[:1] != ["timestamp"] or not named or wrong:
        raise RecordingError(
            f"{path}: is no compact cache: read the columns {shown(wrong or header)}, expected timestamp and some of "
            f"CODE.{', CODE.'.join(CODES)} (python -m producer extract openelectricity writes one)"
        )
    return [(code, metric) for code, metric in named]


def _row(path: Path, line: int, columns: list[tuple[str, str]], values: list[str]) -> list[Event]:
    try:
        if len(values) != len(columns) + 1:
            raise ValueError(f"read {len(values)} values, expected {len(columns) + 1}")
        at = datetime.fromisoformat(values[0])
        if at.tzinfo is None:
            raise ValueError(f"timestamp: read {shown(values[0])}, expected a time with its offset")
        found: dict[tuple[str, str], dict[str, float]] = {}
        for (code, metric), value in zip(columns, values[1:], strict=True):
            if value:
                found.setdefault((CODES[metric], code), {})[metric] = _value(code, metric, value)
    except ValueError as error:
        log.warning("%s: line %d is left out: %s", path, line, error)
        return []
    return [Event(name, code, at.astimezone(UTC), metrics) for (name, code), metrics in found.items()]


def _value(code: str, metric: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{code}.{metric}: read {shown(text)}, expected a number")
    return value


def _number(value: float | None) -> str:
    """As short as it can be without a loss."""
    return "" if value is None else repr(int(value)) if value == int(value) else repr(value)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
