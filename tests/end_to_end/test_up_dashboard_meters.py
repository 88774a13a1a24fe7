"""The page of the meters in a real browser, on a whole stack with its recordings."""

from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from zoneinfo import ZoneInfo

import pytest
from pymongo.database import Database

from readings.connections import Document
from tests.end_to_end.browser import Reader
from tests.end_to_end.consumer import wait_until
from tests.end_to_end.pages import card, chosen, downloaded, eventually, number, table

pytestmark = pytest.mark.timeout(900)

LISBON = ZoneInfo("Europe/Lisbon")
METERS = [f"home-{letter}" for letter in "ABCDEFGHIJK"]


def test_meters_are_sorted_and_equal_to_the_stores_totals(visitor: Reader, database: "Database[Document]") -> None:
    today = datetime.now(LISBON).date().isoformat()
    wait_until(
        lambda: set(database["meter_totals"].distinct("sensor_id", {"day": today})) == set(METERS),
        "the totals of each meter's day",
        600,
    )
    before = months_of(database, today)
    visitor.open(f"/meters?day={today}", "table")

    def as_stored() -> None:  # they grow while the page is read
        rows = table(visitor.page, "Energy and cost by meter")
        shown = {row["Meter"]: number(row["Month"]) for row in rows}
        assert list(shown.values()) == sorted(shown.values(), reverse=True)
        assert set(shown) == set(METERS)
        after = months_of(database, today)
        assert [meter for meter in METERS if not before[meter] <= shown[meter] <= after[meter]] == []

    eventually(as_stored)


def months_of(database: "Database[Document]", day: str) -> dict[str, float]:
    """The newest total of the month of each meter on a day, kWh as the page rounds them."""
    stored = database["meter_totals"].find({"day": day}).sort("timestamp", 1)
    return {one["sensor_id"]: round(one["month_kwh"], 3) for one in stored}


def wait_for_yesterday(database: "Database[Document]") -> str:
    """The day before, to which nothing is added any more."""
    today = datetime.combine(datetime.now(LISBON).date(), clock_time(), LISBON)
    yesterday = (today.date() - timedelta(days=1)).isoformat()
    last_half_hour = {"day": yesterday, "half_hour": today.astimezone(UTC) - timedelta(minutes=30)}
    wait_until(
        lambda: set(database["meter_totals"].distinct("sensor_id", last_half_hour)) == set(METERS),
        "the end of each meter's day before",
        600,
    )
    return yesterday


def test_a_days_half_hours_and_costs_of_meters_are_the_stores(visitor: Reader, database: "Database[Document]") -> None:
    yesterday = wait_for_yesterday(database)
    visitor.open(f"/meters?day={yesterday}", "table")
    table(visitor.page, "Energy in each half hour")  # the last of the page's tables is there

    def as_stored() -> None:
        read = downloaded(visitor.page, "half-hours")
        assert list(read[0]) == ["from", "period", *(f"{meter} (kWh)" for meter in METERS)]
        assert len(read) == len(table(visitor.page, "Energy in each half hour"))
        last: dict[tuple[str, str], Document] = {}
        for one in database["meter_totals"].find({"day": yesterday}).sort("timestamp", 1):
            last[one["half_hour"].isoformat(), one["sensor_id"]] = one
        shown = {
            (row["from"], meter): float(row[f"{meter} (kWh)"])
            for row in read
            for meter in METERS
            if row[f"{meter} (kWh)"]
        }
        assert shown == {key: pytest.approx(one["half_hour_kwh"]) for key, one in last.items()}
        costs = {row["Period"]: number(row["Cost"]) for row in table(visitor.page, "Energy and cost by tariff period")}
        assert set(costs) == {one["period"] for one in last.values()}
        for period, cost in costs.items():
            stored = sum(one["half_hour_cost_eur"] for one in last.values() if one["period"] == period)
            assert cost == pytest.approx(stored, abs=0.006)

    eventually(as_stored)


def test_two_meters_alone_are_chosen_and_kept_in_the_address(visitor: Reader, database: "Database[Document]") -> None:
    yesterday, page = wait_for_yesterday(database), visitor.page
    visitor.open(f"/meters?day={yesterday}", "table")
    for meter in ("home-C", "home-G"):
        page.get_by_role("combobox", name="Meters").fill(meter)
        page.get_by_role("option", name=meter, exact=True).click()

    def as_stored() -> None:
        last = {
            one["sensor_id"]: one
            for one in database["meter_totals"]
            .find({"day": yesterday, "sensor_id": {"$in": ["home-C", "home-G"]}})
            .sort("timestamp", 1)
        }
        names = ("month_kwh (kWh)", "day_kwh (kWh)", "day_cost_eur (EUR)")
        shown = {row["meter"]: [float(row[name]) for name in names] for row in downloaded(page, "totals")}
        assert shown == {
            meter: pytest.approx([one["month_kwh"], one["day_kwh"], one["day_cost_eur"]]) for meter, one in last.items()
        }
        assert card(page, "Energy of the day") == pytest.approx(sum(one["day_kwh"] for one in last.values()), abs=0.051)
        cost = sum(one["day_cost_eur"] for one in last.values())
        assert card(page, "Cost of the day") == pytest.approx(cost, abs=0.0051)
        month = sum(one["month_kwh"] for one in last.values())
        assert card(page, "Energy of the month") == pytest.approx(month, abs=0.051)
        assert list(table(page, "Energy in each half hour")[0]) == ["From (Lisbon)", "Period", "home-C", "home-G"]

    eventually(as_stored)
    assert {name for key, name in chosen(page) if key == "meter"} == {"home-C", "home-G"}
    visitor.open_again("table")
    eventually(as_stored)
