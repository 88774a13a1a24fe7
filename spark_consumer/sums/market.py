"""Sums of the market, each five minutes: by region and fuel group power and emissions, and which prices are spikes.

A facility counts to the fuel group that is the largest part of it. A price is a spike where it lies outside the outer
fences of its region's last seven days: above Q3 + 3 (Q3 − Q1), or below Q1 − 3 (Q3 − Q1) (Tukey, Exploratory Data
Analysis, 1977, chapter 2). Of less than a day's prices nothing is said. A price that arrives late is one of the recent
ones of the seven days after it: those are worked out with it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from pymongo.database import Database

from spark_consumer.sums import due
from spark_consumer.sums.due import STEP, Document

COLLECTION = "market_sums"
RECENT = timedelta(days=7)
LEAST_PRICES = 288
FENCES = 3.0
HOURS = STEP / timedelta(hours=1)
DIGITS = 3
OF_FACILITIES = dict.fromkeys(
    ("facility_code", "timestamp", "network_region", "fuel_group", "power_mw", "emissions_t"), 1
)
OF_REGIONS = dict.fromkeys(("timestamp", "network_region", "price_per_mwh", "demand_mw"), 1)
"""Fields that are read: the rest of a reading's document stays in the store."""


def fuel_sums(database: "Database[Document]", readings: str, times: Iterable[str]) -> list[Document]:
    """Of each five minutes (by their readings' time), region and fuel group the power, emissions and intensity."""
    found: list[Document] = []
    for first, last in _spans([datetime.fromisoformat(at) for at in times]):
        groups: dict[tuple[datetime, str, str], dict[str, Document]] = defaultdict(dict)
        span = {"$gte": first, "$lt": last + STEP}
        for one in database[readings].find({"timestamp": span}, OF_FACILITIES).sort("timestamp", 1):
            if "network_region" in one and "fuel_group" in one:
                at = first + (one["timestamp"] - first) // STEP * STEP
                groups[at, one["network_region"], one["fuel_group"]][one["facility_code"]] = one
        found += [_fuel_document(*key, list(members.values())) for key, members in groups.items()]
    return found


def region_sums(database: "Database[Document]", readings: str, times: Iterable[str]) -> list[Document]:
    """Of each five minutes and region the price and demand, and whether the price is a spike.

    And of those known in the seven days after: what is due itself has its turn.
    """
    found: list[Document] = []
    for first, last in _spans([datetime.fromisoformat(at) for at in times]):
        by_region: dict[str, list[Document]] = defaultdict(list)
        span = {"$gte": first - RECENT, "$lt": last + STEP + RECENT}
        has_its_turn = _due(database, last + STEP, last + STEP + RECENT)
        for one in database[readings].find({"timestamp": span}, OF_REGIONS).sort("timestamp", 1):
            by_region[one["network_region"]].append(one)
        for region, rows in by_region.items():
            wanted = [
                first <= at < last + STEP or (at >= last + STEP and due.five_minutes(at) not in has_its_turn)
                for at in (one["timestamp"] for one in rows)
            ]
            found += _region_documents(region, rows, wanted)
    return found


def _due(database: "Database[Document]", first: datetime, last: datetime) -> set[str]:
    """The names of the five minutes between that are due."""
    span = {"$gte": due.five_minutes(first), "$lte": due.five_minutes(last)}
    return {one["name"] for one in database[due.COLLECTION].find({"stream": "market", "name": span}, {"name": 1})}


def fences(prices: NDArray[np.float64]) -> tuple[float, float] | None:
    """Below and above which a price is a spike, in the prices' unit; None where too few are known."""
    if len(prices) < LEAST_PRICES:
        return None
    low, high = (float(value) for value in np.percentile(prices, [25, 75]))
    return low - FENCES * (high - low), high + FENCES * (high - low)


def _region_documents(region: str, rows: Sequence[Document], wanted: Sequence[bool]) -> list[Document]:
    times = np.array([one["timestamp"].timestamp() for one in rows])
    prices = np.array([one.get("price_per_mwh", np.nan) for one in rows], dtype=np.float64)
    found = []
    for place, one in enumerate(rows):
        if not wanted[place]:
            continue
        recent = prices[np.searchsorted(times, times[place] - RECENT.total_seconds()) : place]
        bounds = fences(recent[~np.isnan(recent)])
        at = datetime.fromisoformat(due.five_minutes(one["timestamp"]))
        document: Document = {
            "_id": f"{region}|price|{at.isoformat()}",
            "timestamp": at,
            "network_region": region,
            **{field: one[field] for field in ("price_per_mwh", "demand_mw") if field in one},
        }
        if bounds and "price_per_mwh" in one:
            document |= {
                "usual_from": round(bounds[0], DIGITS),
                "usual_to": round(bounds[1], DIGITS),
                "spike": not bounds[0] <= one["price_per_mwh"] <= bounds[1],
            }
        found.append(document)
    return found


def _fuel_document(at: datetime, region: str, group: str, members: Sequence[Document]) -> Document:
    power_mw = sum(one.get("power_mw", 0.0) for one in members)
    emissions_t = sum(one.get("emissions_t", 0.0) for one in members)
    document: Document = {
        "_id": f"{region}|{group}|{at.isoformat()}",
        "timestamp": at,
        "network_region": region,
        "fuel_group": group,
        "power_mw": round(power_mw, DIGITS),
        "emissions_t": round(emissions_t, DIGITS),
        "facilities": len(members),
    }
    whole = [(one["power_mw"], one["emissions_t"]) for one in members if "power_mw" in one and "emissions_t" in one]
    energy_mwh = sum(power for power, _ in whole) * HOURS
    if energy_mwh >= HOURS:  # of those that lack one of the two, nothing can be said
        document["intensity_t_per_mwh"] = round(sum(emitted for _, emitted in whole) / energy_mwh, DIGITS)
    return document


def _spans(times: Sequence[datetime]) -> list[tuple[datetime, datetime]]:
    """The times in runs without a gap of more than an hour, each as its first and last: read with one query."""
    spans: list[tuple[datetime, datetime]] = []
    for at in sorted(times):
        if spans and at - spans[-1][1] <= timedelta(hours=1):
            spans[-1] = spans[-1][0], at
        else:
            spans.append((at, at))
    return spans
