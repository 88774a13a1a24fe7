"""The page of arrivals in a real browser, on a whole stack with its recordings."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from pymongo.database import Database

from alerts.links import BEFORE, linker
from readings.connections import Document
from readings.settings import Settings
from readings.stream import load_streams
from tests.end_to_end.browser import Reader
from tests.end_to_end.pages import choose, chosen, eventually, number, table

pytestmark = pytest.mark.timeout(900)


def test_arrivals_begin_with_a_sentence_and_have_a_line_a_series(visitor: Reader) -> None:
    visitor.open("/", ".sw-lead")
    assert visitor.page.locator(".sw-lead").inner_text().startswith("All 5 streams arrive")
    expected = {"weather": 8, "production": 25, "meter": 11, "facility": 330, "market": 5}
    for stream, series in expected.items():
        text = visitor.page.locator(".sw-card", has_text=stream).first.inner_text()
        assert f"of {series} series" in text
    parts = {row["Part"]: row["State"] for row in table(visitor.page, "The parts")}
    assert parts == {"alerts": "running", "consumer": "running", "producer": "running"}

    def all_series() -> None:  # the first are there at once
        assert len(table(visitor.page, "Each series")) == sum(expected.values())

    eventually(all_series)


def test_arrivals_filters_are_in_the_address_and_the_newest_event_is_the_stores(
    visitor: Reader, database: "Database[Document]"
) -> None:
    visitor.open("/", ".sw-lead")
    choose(visitor.page, "market")

    def only_the_market() -> None:
        rows = table(visitor.page, "Each series")
        assert {row["Series"] for row in rows} == {"NSW1", "QLD1", "SA1", "TAS1", "VIC1"}
        newest = database["market"].find({"network_region": "NSW1"}, sort=[("timestamp", -1)]).limit(1)[0]
        at = visitor.page.locator("tr", has_text="NSW1").locator("time").first
        assert at.get_attribute("datetime") == newest["timestamp"].isoformat()
        assert at.get_attribute("title") == f"{newest['timestamp']:%Y-%m-%d %H:%M:%S} UTC"

    eventually(only_the_market)
    assert ("stream", "market") in chosen(visitor.page)
    visitor.open_again(".sw-lead")
    eventually(only_the_market)


def test_arrivals_by_name_are_the_stores_and_nothing_is_late(visitor: Reader, database: "Database[Document]") -> None:
    page = visitor.page
    visitor.open("/?stream=weather", ".sw-lead")

    def as_stored() -> None:
        rows = table(page, "Each series")
        assert {row["Series"] for row in rows} == set(database["weather"].distinct("region"))
        for row in rows:
            newest = database["weather"].find({"region": row["Series"]}, sort=[("timestamp", -1)]).limit(1)[0]
            assert number(row["Value"]) == pytest.approx(newest["temperature_c"], abs=0.051), row
            assert number(row["Delay"]) == round(newest["delay_s"]), row
            assert (row["State"], row["Unit"]) == ("on time", "°C"), row

    eventually(as_stored)
    page.get_by_label("Name").fill("oslo")
    page.get_by_label("Name").press("Enter")
    page.get_by_text("Delay of each reading, and what is allowed").or_(page.get_by_text("All of them were")).wait_for()
    assert [row["Series"] for row in table(page, "Each series")] == ["Oslo"]
    page.locator(".st-key-late label").click()
    page.get_by_text("Nothing is late or silent.").wait_for()
    assert {("name", "oslo"), ("late", "true")} <= chosen(page)


def test_an_alerts_link_shows_the_readings_of_its_series_in_its_span(
    visitor: Reader, settings: Settings, database: "Database[Document]"
) -> None:
    now = datetime.now(UTC)
    began, ended = now - timedelta(days=2), now - timedelta(days=1)
    stream = load_streams(settings)["weather"]
    visitor.page.goto(linker(settings)(stream, "Oslo", began, ended).url)
    visitor.page.locator("[data-testid=stVegaLiteChart] svg.marks").wait_for()
    visitor.page.locator("[data-testid=stVegaLiteChart] .mark-symbol path").first.hover()
    hovered = visitor.page.locator("#vg-tooltip-element").inner_text()
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", hovered), hovered
    assert visitor.page.get_by_text("All of them were fetched for the past").count() == 1
    visitor.page.get_by_text("The readings as a table").click()
    rows = table(visitor.page, "The readings of the series")
    span = {"$gte": began - BEFORE, "$lte": ended}
    stored = list(database["weather"].find({"region": "Oslo", "timestamp": span}, sort=[("timestamp", -1)]))
    assert [number(row["Value"]) for row in rows] == pytest.approx([one["temperature_c"] for one in stored], abs=0.0051)
    assert len(rows) in (30, 31)
