"""Sums of production: of each price area and group, the energy of a day and of a month, both Norwegian ones."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

from pymongo.database import Database

from readings.stored import production_sum_id
from spark_consumer.sums.due import OSLO, Document

COLLECTION = "production_sums"
DIGITS = 3
FIELDS = dict.fromkeys(("price_area", "production_group", "start_time", "quantity_kwh"), 1)
"""Of a reading: the rest of its document stays in the store."""


def sums(database: "Database[Document]", readings: str, days: Iterable[str]) -> list[Document]:
    """The sums of the days (``2026-11-25``) and of their months, as documents of `production_sums`.

    `hours` is how many hours are in a sum: a whole day has 23, 24 or 25.
    """
    wanted = {date.fromisoformat(day) for day in days}
    found: list[Document] = []
    for first in sorted({day.replace(day=1) for day in wanted}):
        after = (first + timedelta(days=32)).replace(day=1)
        span = {"$gte": _midnight(first), "$lt": _midnight(after)}
        groups: dict[tuple[str, str, str, date], list[float]] = defaultdict(list)
        for one in database[readings].find({"start_time": span}, FIELDS):
            day = one["start_time"].astimezone(OSLO).date()
            for period, begins in (("month", first), ("day", day)):
                if period == "month" or day in wanted:
                    groups[one["price_area"], one["production_group"], period, begins].append(one["quantity_kwh"])
        found += [_document(*key, energies) for key, energies in groups.items()]
    return found


def _document(area: str, group: str, period: str, begins: date, energies: list[float]) -> Document:
    return {
        "_id": production_sum_id(area, group, period, begins),
        "price_area": area,
        "production_group": group,
        "period": period,
        "begins": begins.isoformat(),
        "timestamp": _midnight(begins),
        "quantity_kwh": round(sum(energies), DIGITS),
        "hours": len(energies),
    }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), OSLO).astimezone(UTC)
