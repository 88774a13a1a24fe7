"""Makes ``recordings/weather`` from the copies it was made of: ``python recordings/convert_weather.py FOLDER``.

FOLDER holds ``norway_5_cities_era5_2021_hourly.csv.gz`` and ``nyc_airports_2013_hourly.csv.gz`` (see README.md).
The rows become the fields of the stream `weather`; what was converted, blanked or derived is said in README.md.
"""

import csv
import gzip
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

FIELDS = [
    "region",
    "timestamp",
    "temperature_c",
    "dew_point_c",
    "humidity_pct",
    "pressure_hpa",
    "wind_speed_ms",
    "wind_gust_ms",
    "wind_deg",
    "rain_mm",
    "snow_mm",
    "location.lat",
    "location.lon",
]
ROOT = Path(__file__).resolve().parent
REGIONS = {
    "oslo": "Oslo",
    "kristiansand": "Kristiansand",
    "trondheim": "Trondheim",
    "tromso": "Tromsø",
    "bergen": "Bergen",
    "EWR": "Newark",
    "JFK": "New York JFK",
    "LGA": "New York LaGuardia",
}
PLACES = {place["name"]: place for place in json.loads((ROOT.parent / "readings/regions.json").read_text())}

ALL_RAIN_FROM_C = 4.0
ALL_SNOW_TO_C = -2.0
FASTEST_WIND_MS = 150.0

Row = dict[str, object]


def main(folder: Path) -> None:
    """Writes both files, sorted by region and time, so that a series' readings lie together."""
    _write("norway_era5_2021", [_norway(row) for row in _rows(folder / "norway_5_cities_era5_2021_hourly.csv.gz")])
    new_york = _rows(folder / "nyc_airports_2013_hourly.csv.gz")
    _write("new_york_asos_2013", [_new_york(row) for row in new_york if row["temp_c"]])


def _norway(row: dict[str, str]) -> Row:
    return {
        **_place(row["place"]),
        "timestamp": row["time_utc"],
        "temperature_c": row["temperature_2m_c"],
        "wind_speed_ms": _metres_per_second(row["wind_speed_10m_kmh"]),
        "wind_gust_ms": _metres_per_second(row["wind_gusts_10m_kmh"]),
        "wind_deg": row["wind_direction_10m_deg"].removesuffix(".0"),
        **_rain_or_snow(float(row["precipitation_mm"]), float(row["temperature_2m_c"])),
    }


def _new_york(row: dict[str, str]) -> Row:
    speed = row["wind_speed_ms"]
    return {
        **_place(row["station"]),
        "timestamp": row["time_utc"],
        "temperature_c": row["temp_c"],
        "dew_point_c": row["dewpoint_c"],
        "humidity_pct": row["humidity_pct"],
        "pressure_hpa": row["pressure_hpa"],
        "wind_speed_ms": speed if speed and float(speed) <= FASTEST_WIND_MS else "",
        "wind_deg": row["wind_dir_deg"].removesuffix(".0"),
        **_rain_or_snow(round(float(row["precip_in"]) * 25.4, 2), float(row["temp_c"])),
    }


def _place(code: str) -> Row:
    place = PLACES[REGIONS[code]]
    return {"region": place["name"], "location.lat": place["latitude"], "location.lon": place["longitude"]}


def _metres_per_second(kmh: str) -> float:
    return round(float(kmh) / 3.6, 2)


def _rain_or_snow(precipitation_mm: float, temperature_c: float) -> Row:
    """Precipitation has no phase in either source: it is named only where the temperature leaves no doubt."""
    if precipitation_mm == 0:
        return {"rain_mm": 0, "snow_mm": 0}
    if temperature_c >= ALL_RAIN_FROM_C:
        return {"rain_mm": precipitation_mm, "snow_mm": 0}
    if temperature_c <= ALL_SNOW_TO_C:
        return {"rain_mm": 0, "snow_mm": precipitation_mm}
    return {}


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _write(name: str, rows: list[Row]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: (str(row["region"]), str(row["timestamp"]))))
    target = ROOT / "weather" / f"{name}.csv.gz"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(gzip.compress(text.getvalue().encode(), 9, mtime=0))
    sys.stdout.write(f"{target}: {len(rows)} readings\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
