"""The page of Norway's production in a real browser, on a whole stack with its recordings."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo.database import Database

from readings.connections import Document
from tests.end_to_end.browser import Reader
from tests.end_to_end.pages import choose, chosen, downloaded, eventually, number, table, wait_for_the_archive

pytestmark = pytest.mark.timeout(900)

MARCH = {"$gte": datetime(2021, 2, 28, 23, tzinfo=UTC), "$lt": datetime(2021, 3, 31, 22, tzinfo=UTC)}
"""Oslo's, in which the clock changes."""


def test_production_of_2021_is_what_is_recorded_and_says_what_is_missing(
    visitor: Reader, database: "Database[Document]"
) -> None:
    wait_for_the_archive(database)
    visitor.open("/production?area=NO1&year=2021", "table")
    shown = {row["Group"]: row for row in table(visitor.page, "Production of NO1 in 2021")}
    january = {"$gte": datetime(2020, 12, 31, 23, tzinfo=UTC), "$lt": datetime(2021, 1, 31, 23, tzinfo=UTC)}
    for group, row in shown.items():
        stored = database["production"].find({"price_area": "NO1", "production_group": group, "start_time": january})
        assert number(row["Energy"]) == pytest.approx(sum(one["quantity_kwh"] for one in stored) / 1e6, abs=0.051)
    assert number(shown["hydro"]["Stored"]) == 8760
    assert number(shown["wind"]["Stored"]) == 744
    visitor.page.get_by_text("744 of the year's 8,760 hours").wait_for()
    visitor.page.get_by_text("Hours of January 2021, Oslo time").wait_for()


def test_productions_clock_changes_have_743_and_745_hours(visitor: Reader, database: "Database[Document]") -> None:
    wait_for_the_archive(database)
    visitor.open("/production?area=NO1&year=2021&month=October&group=hydro", "table")
    visitor.page.get_by_text("745 of 745 hours stored").wait_for()
    visitor.page.get_by_text("All hours as a table").click()
    hours = [row["Hour (Oslo)"] for row in table(visitor.page, "Production of each hour")]
    assert [hour for hour in hours if hour.startswith("31 Oct 02:00")] == ["31 Oct 02:00 CEST", "31 Oct 02:00 CET"]


def test_an_area_a_month_and_groups_are_chosen_and_kept_in_the_address(
    visitor: Reader, database: "Database[Document]"
) -> None:
    wait_for_the_archive(database)
    page = visitor.page
    visitor.open("/production", "table")
    for name in ("NO5", "2021", "March", "solar", "other"):  # groups are all on: these are switched off
        choose(page, name)

    def as_stored() -> None:
        page.get_by_text("743 of 743 hours stored. The clock changes in it").wait_for(timeout=5000)
        stored = database["production"].find({"price_area": "NO5", "start_time": MARCH}, {"_id": 0})
        expected = {
            (one["start_time"].isoformat(), one["production_group"]): one["quantity_kwh"]
            for one in stored
            if one["production_group"] not in ("solar", "other")
        }
        shown = {(row["start_time"], row["group"]): float(row["kwh (kWh)"]) for row in downloaded(page, "hours")}
        assert shown == {key: pytest.approx(kwh) for key, kwh in expected.items()}
        assert {group for _, group in shown} >= {"hydro"}
        page.get_by_text("nothing of 2021 is stored.").wait_for(timeout=5000)

    page.get_by_text("All hours as a table").click()
    eventually(as_stored)
    assert {("area", "NO5"), ("month", "March")} <= chosen(page)
    visitor.open_again("table")
    eventually(as_stored)


def test_shares_of_a_year_add_up(visitor: Reader, database: "Database[Document]") -> None:
    """Where a month of each group is stored."""
    wait_for_the_archive(database)
    visitor.open("/production?area=NO1&year=2021", "table")

    def add_up() -> None:
        shares = [number(row["Share"]) for row in table(visitor.page, "Production of NO1 in 2021")]
        assert sum(shares) == pytest.approx(100, abs=0.3)

    eventually(add_up)


def test_a_revised_hour_is_shown_with_what_it_was(visitor: Reader, database: "Database[Document]") -> None:
    """The recordings hold no revision: one is written here."""
    wait_for_the_archive(database)
    with revised(database, "NO2", "wind", 123.5) as now:
        visitor.open("/production?area=NO2&year=2021&month=March&group=wind", "table")
        visitor.page.get_by_text("Revised hours: 1", exact=True).wait_for()
        (shown,) = downloaded(visitor.page, "revisions")
        assert float(shown["before (kWh)"]) == 123.5
        assert float(shown["now (kWh)"]) == pytest.approx(now["quantity_kwh"])
        assert (shown["times"], shown["wall"]) == ("1", now["start_time"].isoformat())
        (row,) = table(visitor.page, "Hours that were revised")
        assert row["Hour (Oslo)"] == "28 Mar 03:00 CEST", "the hour after the one that the change leaves out"


@contextmanager
def revised(database: "Database[Document]", area: str, group: str, before_kwh: float) -> Iterator[dict[str, Any]]:
    at = datetime(2021, 3, 28, 1, tzinfo=UTC)
    which = {"price_area": area, "production_group": group, "start_time": at}
    now = database["production"].find_one(which)
    assert now
    fields = {"revision": 1, "previous_kwh": before_kwh, "revised_at": at}
    database["production"].update_one({"_id": now["_id"]}, {"$set": fields})
    try:
        yield now
    finally:
        database["production"].replace_one({"_id": now["_id"]}, now)
