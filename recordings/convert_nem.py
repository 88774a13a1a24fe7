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

from apis.openelectricity import GROUPS

HERE = Path(__file__).parent
FACILITY = HERE / "facility" / "nem_2025-10-01.csv.gz"
MARKET = HERE / "market" / "nem_2023-01-17_24.csv.gz"
MARKET_SOURCE = "region_price_demand_power_2023-01-17_24_5min.csv.gz"
PLACES = HERE.parent / "readings" / "facilities.json"
MARKET_ENDS = "2023-01-24T11:30"
"""The first instant after seven whole days."""


def main(collected: Path) -> None:
    """Writes a day of the facilities, a week of the market, and where the facilities are."""
    facilities = _facilities(collected / "unit_power_emissions_2025-10-01_5min.csv.gz")
    _write(FACILITY, "facility_code,timestamp,power_mw,emissions_t", facilities)
    _write(MARKET, "network_region,timestamp,price_per_mwh,demand_mw", _market(collected / MARKET_SOURCE))
    recorded = {row[0] for row in facilities}
    places = [place for place in _places(collected) if place["name"] in recorded]
    PLACES.write_text("[\n" + ",\n".join(json.dumps(place, ensure_ascii=False) for place in places) + "\n]\n")
    sys.stdout.write(f"{PLACES}: {len(places)} of {len(recorded)} recorded facilities have a place\n")


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _facilities(path: Path) -> list[tuple[str, ...]]:
    """The sums of each facility's units; a sum of nothing stays empty."""
    sums: dict[tuple[str, str], list[Decimal | None]] = defaultdict(lambda: [None, None])
    for row in _rows(path):
        one = sums[row["facility_code"], row["interval_start"]]
        for place, column in enumerate(("power_mw", "emissions_t")):
            if row[column]:
                one[place] = (one[place] or Decimal()) + Decimal(row[column])
    return sorted(
        (code, instant, *("" if value is None else f"{value.normalize():f}" for value in values))
        for (code, instant), values in sums.items()
        if values != [None, None]
    )


def _market(path: Path) -> list[tuple[str, ...]]:
    return sorted(
        (row["region"], row["interval_start"], row["price_aud_per_mwh"], row["demand_mw"])
        for row in _rows(path)
        if row["interval_start"] < MARKET_ENDS and (row["price_aud_per_mwh"] or row["demand_mw"])
    )


def _places(collected: Path) -> Iterator[dict[str, object]]:
    units = defaultdict(list)
    with (collected / "facility_units.csv").open(encoding="utf-8") as file:
        for unit in csv.DictReader(file):
            units[unit["facility_code"]].append(unit)
    with (collected / "facilities.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["lat"] and row["lng"]:
                capacities = _capacities(units[row["facility_code"]])
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

    A battery may be listed as one unit for both directions beside one for each: it counts once. Loads do not count.
    """
    for statuses in (("operating",), ("operating", "committed", "commissioning"), ("retired",)):
        here = [unit for unit in units if unit["status_id"] in statuses and unit["dispatch_type"] != "LOAD"]
        whole = any(unit["fueltech_id"] == "battery" for unit in here)
        here = [unit for unit in here if not (whole and unit["fueltech_id"] == "battery_discharging")]
        if here:
            break
    found: dict[str, float] = defaultdict(float)
    for unit in here:
        group = GROUPS[unit["fueltech_id"]].removesuffix("_discharging")
        found[group] += float(unit["capacity_registered_mw"] or 0)
    return dict(found)


def _write(path: Path, header: str, rows: list[tuple[str, ...]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed:
        packed.write(("\n".join([header, *(",".join(row) for row in rows)]) + "\n").encode())
    sys.stdout.write(f"{path}: {len(rows)} readings of {len({row[0] for row in rows})} series\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
