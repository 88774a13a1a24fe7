"""A market's week in a MongoDB store for `benchmarks.dashboard`: recorded days again and again, up to now."""

import csv
import gzip
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from pymongo.database import Database

from benchmarks.progress import say
from readings.config import ROOT
from readings.connections import Document

FACILITIES = 515
STEP = timedelta(minutes=5)
STEPS_AT_ONCE = 36
"""Inserted together: the local server syncs at each call."""
REGIONS = ("NSW1", "QLD1", "SA1", "TAS1", "VIC1")

Place = dict[str, Any]


def places_of_the_market() -> list[Place]:
    """The known facilities, and some of them again under further names and a little to the east."""
    known: list[Place] = json.loads((ROOT / "readings" / "facilities.json").read_text())
    more = FACILITIES - len(known)
    copies = [{**one, "name": f"{one['name']}-2", "longitude": one["longitude"] + 0.3} for one in known[:more]]
    return [*known, *copies]


def config_with(folder: Path, places: Sequence[Place]) -> Path:
    """The configuration with these facilities, in a folder."""
    (folder / "facilities.json").write_text(json.dumps(places))
    config = yaml.safe_load((ROOT / "skywatt.yml").read_text())
    config["streams"]["facility"]["series"] = str(folder / "facilities.json")
    path = folder / "skywatt.yml"
    path.write_text(yaml.safe_dump(config))
    return path


def fill(database: "Database[Document]", places: Sequence[Place], days: float) -> int:
    """Stores the readings and the sums until now, as the consumer would."""
    recorded = _recorded(ROOT / "recordings" / "facility" / "nem_2025-10-01.csv.gz", "facility_code")
    market = _recorded(ROOT / "recordings" / "market" / "nem_2023-01-17_24.csv.gz", "network_region")
    last = datetime.now(UTC).replace(second=0, microsecond=0)
    last -= timedelta(minutes=last.minute % 5)
    database["sources"].insert_many(
        [
            {
                "_id": "facility",
                "source": "benchmark",
                "cadence_s": 300.0,
                "series": [one["name"] for one in places],
                "since": last,
            },
            {"_id": "market", "source": "benchmark", "cadence_s": 300.0, "series": list(REGIONS), "since": last},
        ]
    )
    stored, told = 0, time.monotonic()
    steps = int(days * 288)
    waiting: dict[str, list[Document]] = defaultdict(list)
    for number in range(steps):
        at = last - (steps - 1 - number) * STEP
        facilities = list(_facilities(places, recorded, at, number))
        regions = [_region(region, market[region], at, number) for region in REGIONS]
        waiting["facility"] += facilities
        waiting["market"] += regions
        waiting["market_sums"] += _sums(facilities, at)
        waiting["market_sums"] += ({"_id": f"{one['series']}|price|{at}", **_price(one)} for one in regions)
        if number % STEPS_AT_ONCE == STEPS_AT_ONCE - 1 or number == steps - 1:
            stored += sum(len(documents) for documents in waiting.values())
            for name, documents in waiting.items():
                database[name].insert_many(documents, ordered=False)
            waiting.clear()
        if time.monotonic() - told > 10:
            told = time.monotonic()
            say(f"  {stored:,} stored ({number / steps:.0%})")
    return stored


def _facilities(
    places: Sequence[Place], recorded: dict[str, list[Place]], at: datetime, number: int
) -> Iterator[Document]:
    for place in places:
        rows = recorded[place["name"].removesuffix("-2")]
        row = rows[number % len(rows)]
        values = {name: float(row[name]) for name in ("power_mw", "emissions_t") if row[name]}
        yield {
            **reading(place["name"], at),
            "facility_code": place["name"],
            "timestamp": at,
            **values,
            "network_region": place["area"],
            "fuel_group": place["fuel_groups"][0],
            "facility_name": place["title"],
        }


def _region(region: str, rows: list[Place], at: datetime, number: int) -> Document:
    row = rows[number % len(rows)]
    values = {name: float(row[name]) for name in ("price_per_mwh", "demand_mw") if row[name]}
    return {**reading(region, at), "network_region": region, "timestamp": at, **values}


def reading(series: str, at: datetime) -> Document:
    """What the consumer stores of any reading, without the fields of its stream."""
    arrived_at = at + timedelta(seconds=3)
    kafka = {"arrived_at": arrived_at, "partition": 0, "offset": 1}
    facts = {"source": "benchmark", "mode": "live", "late": False, "revision": 0, "delay_s": 3.0}
    return {"_id": f"{series}|{at.isoformat()}", "series": series, "arrived_at": arrived_at, "kafka": kafka, **facts}


def _price(reading: Document) -> Document:
    names = ("network_region", "timestamp", "price_per_mwh", "demand_mw")
    return {name: reading[name] for name in names if name in reading} | {"spike": False}


def _sums(facilities: Sequence[Document], at: datetime) -> Iterator[Document]:
    groups: dict[tuple[str, str], list[Document]] = defaultdict(list)
    for one in facilities:
        groups[one["network_region"], one["fuel_group"]].append(one)
    for (region, fuel), members in groups.items():
        yield {
            "_id": f"{region}|{fuel}|{at.isoformat()}",
            "timestamp": at,
            "network_region": region,
            "fuel_group": fuel,
            "power_mw": sum(one.get("power_mw", 0.0) for one in members),
            "emissions_t": sum(one.get("emissions_t", 0.0) for one in members),
        }


def _recorded(path: Path, series: str) -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = defaultdict(list)
    for row in rows_of(path):
        found[row[series]].append(row)
    return found


def rows_of(path: Path) -> Iterator[Place]:
    """The rows of a recording, by column."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from csv.DictReader(file)
