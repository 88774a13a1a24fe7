"""The page of the weather in a real browser, on a whole stack with its recordings."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page
from pymongo.database import Database

from readings.connections import Document
from readings.stored import forecast_error_id
from tests.end_to_end.browser import Reader
from tests.end_to_end.pages import card, choose, downloaded, eventually, number, table

pytestmark = pytest.mark.timeout(900)

OSLO = ZoneInfo("Europe/Oslo")


def test_weather_shows_the_newest_reading_and_the_forecast(visitor: Reader, database: "Database[Document]") -> None:
    visitor.open("/weather?place=Oslo", ".sw-card")

    def as_stored() -> None:
        for row in table(visitor.page, "The newest temperature"):
            newest = newest_in(database, row["Place"])
            assert number(row["Temperature"]) == pytest.approx(newest["temperature_c"], abs=0.051), row
        assert_conditions(visitor.page, "Oslo", newest_in(database, "Oslo"))

    eventually(as_stored)
    visitor.page.locator("canvas").first.wait_for()
    visitor.page.get_by_text("The forecast as a table").click()
    assert table(visitor.page, "The forecast hour by hour")

    def forecast_as_stored() -> None:
        ahead = {"region": "Oslo", "timestamp": {"$gt": datetime.now(UTC)}}
        stored = {
            one["timestamp"].isoformat(): (one["temperature_c"], one["lower_c"], one["upper_c"])
            for one in database["predictions"].find(ahead)
        }
        shown = {
            row["at"]: tuple(float(row[f"{name} (°C)"]) for name in ("temperature_c", "lower_c", "upper_c"))
            for row in downloaded(visitor.page, "forecast")
        }
        assert shown == stored
        assert len(shown) >= 24

    eventually(forecast_as_stored)


def test_another_place_and_a_longer_time_are_chosen_and_kept_in_the_address(
    visitor: Reader, database: "Database[Document]"
) -> None:
    page = visitor.page
    visitor.open("/weather", ".sw-card")
    choose(page, "Bergen")
    eventually(lambda: assert_conditions(page, "Bergen", newest_in(database, "Bergen")))
    choose(page, "7 days")

    def a_week() -> None:
        labels = page.locator("[data-testid=stVegaLiteChart]").first.locator("svg.marks text").all_text_contents()
        shown = {(datetime.now(OSLO) - timedelta(days=back)).strftime("%-d %b") for back in (4, 5, 6)}
        assert shown & set(labels), labels

    eventually(a_week)
    visitor.open_again(".sw-card")
    eventually(lambda: assert_conditions(page, "Bergen", newest_in(database, "Bergen")))
    eventually(a_week)


def test_how_far_forecasts_were_off_is_the_stores(visitor: Reader, database: "Database[Document]") -> None:
    """Of a stack that has just begun none has come true: what is kept of one is written here."""
    with forecast_error(database, "Trondheim", 36) as error:
        visitor.open("/weather?place=Trondheim", ".sw-card")
        visitor.page.get_by_text("As a table", exact=True).click()
        (shown,) = [row for row in table(visitor.page, "Forecast errors") if row["Ahead"] == "36"]
        assert shown == {
            "Ahead": "36",
            "Forecasts": str(error["count"]),
            "Off": "1.25",
            "Bias": "-0.50",
            "In the interval": "75",
        }


@contextmanager
def forecast_error(database: "Database[Document]", region: str, horizon_h: int) -> Iterator[Document]:
    now = datetime.now(UTC)
    error = {
        "_id": forecast_error_id(region, horizon_h),
        "region": region,
        "horizon_h": horizon_h,
        "count": 4,
        "mean_absolute_error_c": 1.25,
        "bias_c": -0.5,
        "inside_share": 0.75,
        "timestamp": now,
        "until": now,
    }
    database["forecast_errors"].insert_one(error)
    try:
        yield error
    finally:
        database["forecast_errors"].delete_one({"_id": error["_id"]})


def newest_in(database: "Database[Document]", region: str) -> Document:
    return database["weather"].find({"region": region}, sort=[("timestamp", -1)]).limit(1)[0]


def assert_conditions(page: Page, place: str, stored: Document) -> None:
    """The cards are of the place and have what is stored."""
    first = page.locator(".sw-card").first
    assert first.inner_text().startswith(place)
    shown = number(first.locator(".sw-value").inner_text().split()[-1])
    assert shown == pytest.approx(stored["temperature_c"], abs=0.051)
    fallen = [stored[name] for name in ("rain_mm", "snow_mm") if stored.get(name) is not None]
    told = {
        "Wind": stored.get("wind_speed_ms"),
        "Humidity": stored.get("humidity_pct"),
        "Pressure": stored.get("pressure_hpa"),
        "Rain and snow": sum(fallen) if fallen else None,
    }
    for name, value in told.items():
        digits = 0.51 if name in ("Humidity", "Pressure") else 0.051
        assert card(page, name) == pytest.approx(float("nan") if value is None else value, abs=digits, nan_ok=True), (
            name
        )
