"""``python -m spark_consumer show meters``: a day's totals as tables."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pymongo import DESCENDING
from pymongo.collection import Collection
from pymongo.database import Database
from rich.table import Table

from spark_consumer.documents import Document
from spark_consumer.meters.store import COLLECTION
from spark_consumer.meters.tariff import Day

Columns = dict[str, dict[datetime, str]]
"""By meter: what stands where each half hour begins."""


def tables(
    database: "Database[Document]", day: Day, zone: ZoneInfo, meters: Sequence[str], width: int
) -> list[tuple[str, Table]]:
    """The month and the day so far, the day's cost, and its half hours, each with its title; none without totals.

    The month's has meters that are silent that day, too. `meters` names those wanted, all where it is empty; a table of
    half hours has as many of them beside each other as `width` characters hold, but one at least.
    """
    totals, wanted = database[COLLECTION], _wanted(meters)
    last_days = _last_days(totals, day, wanted)
    if not last_days:
        return []
    of_month = [_newest(totals.find({"day": name, "sensor_id": sensor})) for sensor, name in last_days.items()]
    newest = [one for one in of_month if one["day"] == day.name]
    columns = {
        name: _half_hours(totals.find({"day": day.name, "sensor_id": name}))
        for name in sorted(one["sensor_id"] for one in newest)
    }
    pages = _pages(columns, width)
    return [
        (f"Energy in {day.month} so far", _listed("month_kwh", "kWh", of_month, zone, "%d %H:%M")),
        (f"Energy on {day.name} so far", _listed("day_kwh", "kWh", newest, zone)),
        (f"Cost on {day.name} so far", _listed("day_cost_eur", "EUR", newest, zone)),
        *(
            (
                f"Energy in each half hour of {day.name}, kWh" + (f" ({number} of {len(pages)})" if pages[1:] else ""),
                _beside(day, zone, page),
            )
            for number, page in enumerate(pages, 1)
        ),
    ]


def _last_days(totals: "Collection[Document]", day: Day, wanted: Document) -> dict[str, str]:
    """The last day of the month, not after that one, that has totals of a meter, by meter."""
    found: dict[str, str] = {}
    for number in range(int(day.name[-2:]), 0, -1):
        name = f"{day.month}-{number:02}"
        for sensor in totals.distinct("sensor_id", {"day": name, **wanted}):
            found.setdefault(sensor, name)
    return found


def newest_day(database: "Database[Document]", meters: Sequence[str]) -> str | None:
    """The newest day that has totals of these meters, of any where it is empty."""
    found = database[COLLECTION].find_one(_wanted(meters), {"day": 1}, sort=[("day", DESCENDING)])
    return found["day"] if found else None


def _wanted(meters: Sequence[str]) -> Document:
    return {"sensor_id": {"$in": list(meters)}} if meters else {}


def _newest(documents: Iterable[Document]) -> Document:
    return max(documents, key=lambda one: one["timestamp"])


def _listed(field: str, unit: str, documents: Sequence[Document], zone: ZoneInfo, until: str = "%H:%M") -> Table:
    """By value, then by meter, both descending."""
    table = Table()
    table.add_column("meter")
    table.add_column(unit, justify="right")
    table.add_column("until", justify="right")
    for one in sorted(documents, key=lambda one: (one[field], one["sensor_id"]), reverse=True):
        table.add_row(one["sensor_id"], f"{one[field]:,.3f}", f"{one['until'].astimezone(zone):{until}}")
    return table


def _half_hours(documents: Iterable[Document]) -> dict[datetime, str]:
    """A meter's kWh by where each half hour begins; the last of each counts."""
    ordered = sorted(documents, key=lambda one: one["timestamp"])
    return {one["half_hour"]: f"{one['half_hour_kwh']:,.3f}" for one in ordered}


def _pages(columns: Columns, width: int) -> list[Columns]:
    """As many meters a table as its width holds."""
    pages: list[Columns] = []
    left = 0
    for name, values in columns.items():
        needed = max(map(len, [name, *values.values()])) + len("│  ")
        if not pages or needed > left:
            pages.append({})
            left = width - len("│ 00:00 │")
        pages[-1][name] = values
        left -= needed
    return pages


def _beside(day: Day, zone: ZoneInfo, columns: Columns) -> Table:
    table = Table()
    table.add_column("from")
    for name in columns:
        table.add_column(name, justify="right")
    for start_ms in day.starts_ms.tolist():
        start = datetime.fromtimestamp(start_ms / 1000, UTC)  # a local time of the repeated hour equals no other
        if any(start in values for values in columns.values()):
            table.add_row(f"{start.astimezone(zone):%H:%M}", *(values.get(start, "") for values in columns.values()))
    return table
