"""The forecasts that `benchmarks.forecast` scores: histories out of the recordings, and what came after each."""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from readings.config import ROOT

Floats = NDArray[np.float64]
NEW_YORK = ROOT / "recordings" / "weather" / "new_york_asos_2013.csv.gz"
PRODUCTION = ROOT / "recordings" / "production" / "norway_elhub_2025.csv.gz"
MARKET = ROOT / "recordings" / "market" / "nem_2023-01-17_24.csv.gz"
METERS = ROOT / "recordings" / "meter" / "new_south_wales_2013-02.csv.gz"
AHEAD = 48
LONGEST_GAP_H = 6


@dataclass(frozen=True)
class Recorded:
    """One recorded series on its hours; NaN where nothing was recorded."""

    name: str
    first: datetime
    values: Floats
    filled: Floats
    """The same with gaps of up to six hours interpolated: what the rivals are given, which need every hour."""
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True)
class Origin:
    """A history, and what came in the 48 hours after it (NaN where nothing was recorded)."""

    of: Recorded
    last: int
    """Index of the newest value of the history."""
    days: int

    @property
    def history(self) -> Floats:
        """(days x 24,), every hour known."""
        return self.of.filled[self.last + 1 - self.days * 24 : self.last + 1]

    @property
    def came(self) -> Floats:
        """(48,), as recorded."""
        return self.of.values[self.last + 1 : self.last + 1 + AHEAD]

    @property
    def points(self) -> list[tuple[datetime, float]]:
        """The history as recorded, as the service is sent it."""
        start = self.last + 1 - self.days * 24
        return [
            (self.of.first + timedelta(hours=start + i), float(value))
            for i, value in enumerate(self.of.values[start : self.last + 1])
            if not np.isnan(value)
        ]


def origins(recorded: list[Recorded], days: int, every_h: int, first_h: int = 0) -> list[Origin]:
    """Origins `every_h` hours apart, series after series, whose history has no gap of more than six hours."""
    found = []
    for one in recorded:
        for last in range(days * 24 - 1 + first_h, len(one.values) - AHEAD, every_h):
            origin = Origin(one, last, days)
            if (
                not np.isnan(origin.history).any()
                and not np.isnan(one.values[last])
                and not np.isnan(origin.came).all()
            ):
                found.append(origin)
    return found


def new_york() -> list[Recorded]:
    """Temperature at three airports, 2013, °C."""
    return _series(_rows(NEW_YORK), ("region",), "timestamp", "temperature_c", places=True)


def production() -> list[Recorded]:
    """Hourly production by price area and group, Norway 2025, kWh."""
    return _series(_rows(PRODUCTION), ("price_area", "production_group"), "start_time", "quantity_kwh")


def consumption(file: Path) -> list[Recorded]:
    """Hourly consumption by price area and group, in the form of Elhub's consumption per group and price area, kWh."""
    return _series(_rows(file), ("priceArea", "consumptionGroup"), "startTime", "quantityKwh")


def homes() -> list[Recorded]:
    """What each of eleven homes of New South Wales used in each hour of February 2013, kWh: its register's growth."""
    at_hours = (row for row in _rows(METERS) if datetime.fromisoformat(row["timestamp"]).minute == 0)
    registers = _series(at_hours, ("sensor_id",), "timestamp", "energy_kwh")
    return [Recorded(one.name, one.first, np.diff(one.values), np.diff(one.filled)) for one in registers]


def market(column: str) -> list[Recorded]:
    """Five regions of Australia's market over seven days of 2023, the mean of each hour of `column`."""
    return _series(_rows(MARKET), ("network_region",), "timestamp", column)


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        yield from csv.DictReader(lines)


def _series(
    rows: Iterator[dict[str, str]], names: tuple[str, ...], time: str, value: str, places: bool = False
) -> list[Recorded]:
    found: dict[str, dict[int, list[float]]] = {}
    where: dict[str, tuple[float, float]] = {}
    for row in rows:
        name = " ".join(row[part] for part in names)
        if places:
            where[name] = float(row["location.lat"]), float(row["location.lon"])
        if row[value]:
            hour = int(datetime.fromisoformat(row[time]).timestamp() // 3600)
            found.setdefault(name, {}).setdefault(hour, []).append(float(row[value]))
    return [_recorded(name, hours, where.get(name)) for name, hours in found.items()]


def _recorded(name: str, hours: dict[int, list[float]], where: tuple[float, float] | None) -> Recorded:
    first, last = min(hours), max(hours)
    values = np.array([np.mean(hours[hour]) if hour in hours else np.nan for hour in range(first, last + 1)])
    at = np.flatnonzero(~np.isnan(values))
    filled = np.interp(np.arange(len(values)), at, values[at])
    for before, after in pairwise(at.tolist()):
        if after - before > LONGEST_GAP_H:
            filled[before + 1 : after] = np.nan
    start = datetime.fromisoformat("1970-01-01T00:00:00Z") + timedelta(hours=first)
    latitude, longitude = where or (None, None)
    return Recorded(name, start, values, filled, latitude, longitude)
