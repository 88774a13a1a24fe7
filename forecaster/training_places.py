"""The hourly temperatures that the model is trained on: real readings of eleven places. Needed for training alone.

Norway comes from `recordings/`; the others are samples inside two packages of the Python package index, which
``pip download --no-deps eemeter==4.1.1 pvlib==0.16.1`` fetches and which are read without being installed:

- eemeter 4.1.1 (Apache-2.0): a station in Illinois (USAF 724390), 2015-11 to 2018-02, and two unnamed places in the
  United Kingdom, 2012-10 to 2014-01 and 2020-04 to 2022-12. Their coordinates are taken as the middle of England, and
  their times, which name no zone, as UTC.
- pvlib 0.16.1 (BSD-3-Clause): NREL's typical meteorological years of Greensboro (North Carolina), Sand Point (Alaska)
  and Miami (Florida): measured months of different years laid end to end, smoothed for some hours where they meet.

New York, which the forecaster is scored on, has no part in it.
"""

import csv
import gzip
import io
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecaster.series import to_hourly

RECORDING = Path(__file__).parents[1] / "recordings" / "weather" / "norway_era5_2021.csv.gz"
TYPICAL_YEAR = datetime(2001, 1, 1, tzinfo=UTC)
"""Typical years have no year; which is taken does not matter, for the sun stands alike each year."""
LONGEST_SPAN = 60 * 24


@dataclass(frozen=True)
class Place:
    """A place's hourly temperatures."""

    name: str
    group: str
    """Places of one group are held out together."""
    latitude: float
    longitude: float
    first_h: int
    """Hours since 1970-01-01T00Z of `values[0]`."""
    values: NDArray[np.float64]
    """°C; NaN is not known."""


def training_places(packages: Path) -> list[Place]:
    """All eleven; `packages` is the folder with the two wheels. Raises FileNotFoundError where one is not there."""
    return [
        *recorded(RECORDING, "Norway"),
        *_eemeter(_wheel(packages, "eemeter-4")),
        *_pvlib(_wheel(packages, "pvlib-")),
    ]


def recorded(file: Path, group: str) -> list[Place]:
    """The places of a recording of weather."""
    rows: dict[tuple[str, float, float], list[tuple[datetime, float]]] = {}
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["temperature_c"]:
                place = row["region"], float(row["location.lat"]), float(row["location.lon"])
                when = datetime.fromisoformat(row["timestamp"])
                rows.setdefault(place, []).append((when, float(row["temperature_c"])))
    return [_place(name, group, lat, lon, points) for (name, lat, lon), points in rows.items()]


def _wheel(packages: Path, begins: str) -> zipfile.ZipFile:
    found = sorted(packages.glob(f"{begins}*.whl"))
    if not found:
        raise FileNotFoundError(f"{packages}: read no {begins}*.whl, expected what the module's description downloads")
    return zipfile.ZipFile(found[-1])


def _eemeter(wheel: zipfile.ZipFile) -> list[Place]:
    places = []
    for name, file, column, latitude, longitude in (
        ("Illinois", "il-tempF", "tempF", 39.84, -89.68),
        ("United Kingdom, 2012-2014", "uk-tempC-sample-1_2", "tempC", 52.5, -1.5),
        ("United Kingdom, 2020-2022", "uk-tempC-sample-0", "tempC", 52.5, -1.5),
    ):
        path = next(path for path in wheel.namelist() if path.endswith(f"/{file}.csv.gz"))
        rows = csv.DictReader(io.StringIO(gzip.decompress(wheel.read(path)).decode()))
        points = [(datetime.fromisoformat(row["dt"]), row[column]) for row in rows]
        celsius = [(when, _celsius(float(value), column)) for when, value in points if value]
        places.append(_place(name, name.partition(",")[0], latitude, longitude, celsius))
    return places


def _celsius(value: float, column: str) -> float:
    return (value - 32) / 1.8 if column == "tempF" else value


def _pvlib(wheel: zipfile.ZipFile) -> list[Place]:
    places = []
    for name, file, latitude, longitude, behind_utc_h in (
        ("Greensboro", "723170TYA.CSV", 36.1, -79.95, 5),
        ("Sand Point", "703165TY.csv", 55.317, -160.517, 9),
    ):
        text = wheel.read(f"pvlib/data/{file}").decode().split("\n", 1)[1]
        values = [float(row["Dry-bulb (C)"]) for row in csv.DictReader(io.StringIO(text))]
        places.append(_typical(name, latitude, longitude, behind_utc_h, values))
    lines = wheel.read("pvlib/data/12839.tm2").decode().splitlines()[1:]
    tenths = [int(line[67:71]) for line in lines]  # TMY2 manual, table 3-2: dry bulb, tenths of a degree
    places.append(_typical("Miami", 25.8, -80.267, 5, [value / 10 for value in tenths]))
    return places


def _typical(name: str, latitude: float, longitude: float, behind_utc_h: int, values: list[float]) -> Place:
    first = TYPICAL_YEAR + timedelta(hours=1 + behind_utc_h)
    points = [(first + timedelta(hours=hour), value) for hour, value in enumerate(values)]
    return _place(name, name, latitude, longitude, points)


def _place(name: str, group: str, latitude: float, longitude: float, points: list[tuple[datetime, float]]) -> Place:
    """On the hourly grid; readings without a zone are UTC."""
    aware = [(when if when.tzinfo else when.replace(tzinfo=UTC), value) for when, value in points]
    hours = np.array([when.timestamp() / 3600 for when, _ in aware])
    values = np.array([value for _, value in aware])
    order = np.argsort(hours)
    hours, values = hours[order], values[order]
    parts = []  # the grid takes 60 days at once
    first_h = int(hours[0])
    for start in range(first_h, int(hours[-1]) + 1, LONGEST_SPAN):
        inside = (hours >= start) & (hours < start + LONGEST_SPAN)
        part = np.full(LONGEST_SPAN, np.nan)
        if inside.sum() > 1:
            grid = to_hourly(list(hours[inside] * 3600), list(values[inside]))
            end = round(grid.last_s / 3600) - start + 1
            part[end - len(grid.values) : end] = grid.values
        parts.append(part)
    return Place(name, group, latitude, longitude, first_h, np.concatenate(parts))
