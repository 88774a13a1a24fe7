"""Makes recordings/facility, recordings/market and readings/facilities.json from the collected copies of NEM data.

``PYTHONPATH=. python recordings/convert_nem.py FOLDER`` with the folder that holds ``facilities.csv``,
``facility_units.csv``, ``unit_power_emissions_2025-10-01_5min.csv.gz`` and
``region_price_demand_power_2023-01-17_24_5min.csv.gz``.
"""

import csv
import gzip
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from apis.openelectricity import BATTERY, GROUPS, ONE_DIRECTION, TAKE, weight

HERE = Path(__file__).parent
FACILITY = HERE / "facility" / "nem_2025-10-01.csv.gz"
MARKET = HERE / "market" / "nem_2023-01-17_24.csv.gz"
MARKET_SOURCE = "region_price_demand_power_2023-01-17_24_5min.csv.gz"
PLACES = HERE.parent / "readings" / "facilities.json"
MARKET_ENDS = "2023-01-24T11:30"
"""The first instant after seven whole days."""


def main(collected: Path) -> None:
    """Writes a day of the facilities, a week of the market, and where the facilities are."""
    units = _units(collected)
    facilities = _facilities(collected / "unit_power_emissions_2025-10-01_5min.csv.gz", units)
    _write(FACILITY, "facility_code,timestamp,power_mw,emissions_t", facilities)
    _write(MARKET, "network_region,timestamp,price_per_mwh,demand_mw", _market(collected / MARKET_SOURCE))
    recorded = {row[0] for row in facilities}
    places = [place for place in _places(collected, units) if place["name"] in recorded]
    PLACES.write_text("[\n" + ",\n".join(json.dumps(place, ensure_ascii=False) for place in places) + "\n]\n")
    sys.stdout.write(f"{PLACES}: {len(places)} of {len(recorded)} recorded facilities have a place\n")


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _units(collected: Path) -> list[dict[str, str]]:
    with (collected / "facility_units.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _facilities(path: Path, units: list[dict[str, str]]) -> list[tuple[str, ...]]:
    """The sums of each facility's units, weighed as the live source does; a sum of nothing stays empty."""
    fuels = {unit["unit_code"]: unit["fueltech_id"] for unit in units}
    found: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in _rows(path):
        found[row["facility_code"], row["interval_start"]].append(row)
    readings = (
        (*known_by, _sum(rows, "power", "power_mw", fuels), _sum(rows, "emissions", "emissions_t", fuels))
        for known_by, rows in found.items()
    )
    return sorted(reading for reading in readings if any(reading[2:]))


def _sum(rows: list[dict[str, str]], metric: str, column: str, fuels: dict[str, str]) -> str:
    values = {row["unit_code"]: Decimal(row[column]) for row in rows if row[column]}
    beside = {fuels[code] for code in values}
    total = sum((weight(fuels[code], metric, beside) * value for code, value in values.items()), Decimal())
    return f"{total.normalize():f}" if values else ""


def _market(path: Path) -> list[tuple[str, ...]]:
    return sorted(
        (row["region"], row["interval_start"], row["price_aud_per_mwh"], row["demand_mw"])
        for row in _rows(path)
        if row["interval_start"] < MARKET_ENDS and (row["price_aud_per_mwh"] or row["demand_mw"])
    )


def _places(collected: Path, units: list[dict[str, str]]) -> Iterator[dict[str, object]]:
    of = defaultdict(list)
    for unit in units:
        of[unit["facility_code"]].append(unit)
    with (collected / "facilities.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["lat"] and row["lng"]:
                capacities = _capacities(of[row["facility_code"]])
                yield {
                    "name": row["facility_code"],
                    "title": row["name"],
                    "latitude": float(row["lat"]),
                    "longitude": float(row["lng"]),
                    "area": row["network_region"],
                    "fuel_groups": sorted(capacities, key=lambda group: (-capacities[group], group)),
                    "capacity_mw": round(sum(capacities.values()), 3) or None,
                }


def _capacities(units: list[dict[str, str]]) -> dict[str, float]:
    """What a facility can feed in by fuel group, in MW: of the units that operate, else of those not retired.

    A battery that is listed as a whole and as a unit for each direction counts once. What takes power does not count.
    """
    for statuses in (("operating",), ("operating", "committed", "commissioning"), ("retired",)):
        here = [unit for unit in units if unit["status_id"] in statuses and not _takes(unit)]
        whole = any(unit["fueltech_id"] == BATTERY for unit in here)
        here = [unit for unit in here if not (whole and unit["fueltech_id"] in ONE_DIRECTION)]
        if here:
            break
    found: dict[str, float] = defaultdict(float)
    for unit in here:
        group = GROUPS[unit["fueltech_id"]].removesuffix("_discharging")
        found[group] += float(unit["capacity_registered_mw"] or 0)
    return dict(found)


def _takes(unit: dict[str, str]) -> bool:
    return unit["fueltech_id"] in TAKE or unit["dispatch_type"] == "LOAD"


def _write(path: Path, header: str, rows: list[tuple[str, ...]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed:
        packed.write(("\n".join([header, *(",".join(row) for row in rows)]) + "\n").encode())
    sys.stdout.write(f"{path}: {len(rows)} readings of {len({row[0] for row in rows})} series\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
