"""The dashboard in a real browser, on a whole stack with its recordings."""

import csv
import io
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from zoneinfo import ZoneInfo

import pytest
from PIL import Image, ImageChops
from playwright.sync_api import Browser, Page, WebSocket
from pymongo.database import Database

from alerts.links import BEFORE, linker
from local_stack.supervisor import Supervisor
from readings.config import ROOT
from readings.connections import Document, connect_mongodb
from readings.settings import Settings
from readings.stream import load_streams
from tests.end_to_end.browser import Reader, chromium, reader
from tests.end_to_end.consumer import wait_until
from tests.end_to_end.whole_stack import WholeStack

pytestmark = pytest.mark.timeout(900)

SHOWN = ("weather", "production", "meter", "facility", "market", "predictions", "meter_totals", "market_sums")
LISBON = ZoneInfo("Europe/Lisbon")
METERS = [f"home-{letter}" for letter in "ABCDEFGHIJK"]


@pytest.fixture(scope="module")
def settings(whole_stack: WholeStack) -> Settings:
    """Of a stack in which all that the pages show is stored."""
    database = connect_mongodb(whole_stack.settings)
    wait_until(lambda: all(database[name].find_one() for name in SHOWN), "something in each collection", 600)
    return whole_stack.settings


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def visitor(browser: Browser, settings: Settings) -> Iterator[Reader]:
    """A reader whose console must stay quiet."""
    with reader(browser, settings.dashboard_address) as one:
        yield one
        assert one.complaints == []


@pytest.fixture(scope="module")
def database(settings: Settings) -> "Database[Document]":
    return connect_mongodb(settings)


def number(text: str) -> float:
    return float(text.replace(",", "").replace("–", "nan"))


def table(page: Page, caption: str) -> list[dict[str, str]]:
    """The rows of the table with that caption, by column, as a reader reads them."""
    found = page.locator("table", has=page.locator("caption", has_text=caption)).first
    found.locator("tbody tr").first.wait_for()
    rows: list[dict[str, str]] = found.evaluate(
        """table => {
            const heads = [...table.querySelectorAll("thead th")].map(head => head.firstChild.textContent.trim());
            return [...table.querySelectorAll("tbody tr")].map(row =>
                Object.fromEntries([...row.children].map((cell, at) => [heads[at], cell.innerText.trim()])));
        }"""
    )
    return rows


def card(page: Page, name: str) -> float:
    return number(
        page.locator(".sw-card", has=page.locator(f".sw-name:text-is('{name}')")).locator(".sw-value").inner_text()
    )


def eventually(check: Callable[[], None], seconds: float = 40) -> None:
    """Runs a check again and again until it holds: pages and store move on at the same time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            check()
            return
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def test_arrivals_begin_with_a_sentence_and_have_a_line_a_series(visitor: Reader, settings: Settings) -> None:
    visitor.open(f"{settings.dashboard_address}/", ".sw-lead")
    assert visitor.page.locator(".sw-lead").inner_text().startswith("All 5 streams arrive")
    expected = {"weather": 8, "production": 25, "meter": 11, "facility": 330, "market": 5}
    for stream, series in expected.items():
        text = visitor.page.locator(".sw-card", has_text=stream).first.inner_text()
        assert f"of {series} series" in text
    parts = {row["Part"]: row["State"] for row in table(visitor.page, "The parts")}
    assert parts == {"alerts": "running", "consumer": "running", "producer": "running"}
    assert len(table(visitor.page, "Each series")) == sum(expected.values())


def test_arrivals_filters_are_in_the_address_and_the_newest_event_is_the_stores(
    visitor: Reader, settings: Settings, database: "Database[Document]"
) -> None:
    visitor.open(f"{settings.dashboard_address}/", ".sw-lead")
    visitor.page.get_by_role("button", name="market", exact=True).click()

    def only_the_market() -> None:
        rows = table(visitor.page, "Each series")
        assert {row["Series"] for row in rows} == {"NSW1", "QLD1", "SA1", "TAS1", "VIC1"}
        newest = database["market"].find({"network_region": "NSW1"}, sort=[("timestamp", -1)]).limit(1)[0]
        at = visitor.page.locator("tr", has_text="NSW1").locator("time").first
        assert at.get_attribute("datetime") == newest["timestamp"].isoformat()
        assert at.get_attribute("title") == f"{newest['timestamp']:%Y-%m-%d %H:%M:%S} UTC"

    eventually(only_the_market)
    assert "stream=market" in visitor.page.url
    again = visitor.page.url
    visitor.page.goto("about:blank")
    visitor.open(again, ".sw-lead")
    eventually(only_the_market)


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


def test_weather_shows_the_newest_reading_and_the_forecast(
    visitor: Reader, settings: Settings, database: "Database[Document]"
) -> None:
    visitor.open(f"{settings.dashboard_address}/weather?place=Oslo", ".sw-card")

    def as_stored() -> None:
        newest = database["weather"].find({"region": "Oslo"}, sort=[("timestamp", -1)]).limit(1)[0]
        shown = {row["Place"]: row["Temperature"] for row in table(visitor.page, "The newest temperature")}
        assert number(shown["Oslo"]) == pytest.approx(newest["temperature_c"], abs=0.051)
        assert visitor.page.locator(".sw-card").first.inner_text().startswith("Oslo")
        assert card_starting(visitor.page, "Oslo") == pytest.approx(newest["temperature_c"], abs=0.051)

    eventually(as_stored)
    visitor.page.locator("canvas").first.wait_for()
    visitor.page.get_by_text("The forecast as a table").click()
    forecast = table(visitor.page, "The forecast hour by hour")
    ahead = database["predictions"].count_documents({"region": "Oslo", "timestamp": {"$gt": datetime.now(UTC)}})
    assert abs(len(forecast) - ahead) <= 1
    assert all(number(row["From"]) <= number(row["Forecast"]) <= number(row["To"]) for row in forecast)


def card_starting(page: Page, name: str) -> float:
    return number(page.locator(".sw-card", has_text=name).locator(".sw-value").first.inner_text().split()[-1])


def test_meters_are_sorted_and_equal_to_the_stores_totals(
    visitor: Reader, settings: Settings, database: "Database[Document]"
) -> None:
    today = datetime.now(LISBON).date().isoformat()
    wait_until(
        lambda: set(database["meter_totals"].distinct("sensor_id", {"day": today})) == set(METERS),
        "the totals of each meter's day",
        600,
    )
    before = months_of(database, today)
    visitor.open(f"{settings.dashboard_address}/meters?day={today}", "table")

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


def test_a_days_half_hours_and_costs_of_meters_are_the_stores(
    visitor: Reader, settings: Settings, database: "Database[Document]"
) -> None:
    today = datetime.combine(datetime.now(LISBON).date(), clock_time(), LISBON)
    yesterday = (today.date() - timedelta(days=1)).isoformat()  # nothing is added to it any more
    last_half_hour = {"day": yesterday, "half_hour": today.astimezone(UTC) - timedelta(minutes=30)}
    wait_until(
        lambda: set(database["meter_totals"].distinct("sensor_id", last_half_hour)) == set(METERS),
        "the end of each meter's day before",
        600,
    )
    visitor.open(f"{settings.dashboard_address}/meters?day={yesterday}", "table")
    table(visitor.page, "Energy in each half hour")  # the last of the page's tables is there

    def as_stored() -> None:
        with visitor.page.expect_download() as download:
            visitor.page.get_by_role("button", name="CSV").last.click()
        read = list(csv.DictReader(download.value.path().read_text(encoding="utf-8-sig").splitlines()))
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


def test_the_markets_sums_are_the_stores_and_filters_leave_a_region(
    visitor: Reader, settings: Settings, database: "Database[Document]"
) -> None:
    visitor.open(f"{settings.dashboard_address}/market", ".sw-card")

    def as_stored() -> None:
        demand = sum(
            database["market"].find({"network_region": region}, sort=[("timestamp", -1)]).limit(1)[0]["demand_mw"]
            for region in ("NSW1", "QLD1", "SA1", "TAS1", "VIC1")
        )
        assert card(visitor.page, "Demand") == pytest.approx(demand, abs=1)

        facilities = newest_of(database, "facility", "facility_code").values()
        assert card(visitor.page, "Power") == pytest.approx(sum(one.get("power_mw") or 0 for one in facilities), abs=1)
        emissions = sum(one.get("emissions_t") or 0 for one in facilities)
        assert card(visitor.page, "Emissions") == pytest.approx(emissions, abs=0.1)
        regions = newest_of(database, "market", "network_region").values()
        weighed = sum(one["price_per_mwh"] * one["demand_mw"] for one in regions)
        assert card(visitor.page, "Price") == pytest.approx(weighed / demand, abs=0.1)

    eventually(as_stored)
    assert card(visitor.page, "Power") == pytest.approx(
        sum(number(row["Power"]) for row in table(visitor.page, "Power and emissions by fuel")), abs=8
    )
    visitor.page.get_by_role("button", name="TAS1", exact=True).click()
    visitor.page.get_by_role("button", name="hydro", exact=True).click()

    def tasmania_alone() -> None:
        assert [row["Region"] for row in table(visitor.page, "Price, demand, power")] == ["TAS1"]
        assert [row["Fuel"] for row in table(visitor.page, "Power and emissions by fuel")] == ["hydro"]

    eventually(tasmania_alone)
    assert "region=TAS1" in visitor.page.url
    assert "fuel=hydro" in visitor.page.url


def newest_of(database: "Database[Document]", name: str, series: str) -> dict[str, Document]:
    """The newest reading of each series that is not stale."""
    since = datetime.now(UTC) - timedelta(hours=1)
    found = list(database[name].find({"timestamp": {"$gte": since}}).sort("timestamp", 1))
    return {one[series]: one for one in found if found[-1]["timestamp"] - one["timestamp"] <= timedelta(minutes=30)}


def test_a_refresh_leaves_the_map_the_scroll_and_the_filters_as_they_are(
    visitor: Reader, settings: Settings, database: "Database[Document]"
) -> None:
    page = visitor.page
    sockets: list[str] = []
    received: list[bytes] = []

    def listen(socket: WebSocket) -> None:
        sockets.append(socket.url)
        socket.on("framereceived", lambda frame: received.append(frame if isinstance(frame, bytes) else frame.encode()))

    page.on("websocket", listen)
    visitor.open(f"{settings.dashboard_address}/market?region=VIC1", "canvas")
    whole = map_at_rest(page)
    page.get_by_label("Zoom in").or_(page.locator("[data-testid=stDeckGlJsonChartZoomButton] button")).first.click()
    page.wait_for_timeout(1000)  # it glides
    zoomed = map_at_rest(page)
    assert differing(whole, zoomed) > 0.2
    page.evaluate("document.querySelector('canvas').mine = true")
    main = "document.querySelector('[data-testid=stMain]')"
    page.evaluate(f"{main}.scrollTo(0, 300)")
    events = "[...document.querySelectorAll('.stHtml:has(> .sw-table)')].at(-1)"
    page.evaluate(f"{events}.scrollTo(0, 200)")
    begun = len(sockets)
    with another_power(database, 1234.5):
        eventually(lambda: told(page, received, b"1,234.5 MW"), 60)
        page.wait_for_timeout(1000)  # it is drawn
    assert len(sockets) == begun, "it connected anew"
    assert page.evaluate("document.querySelector('canvas').mine") is True
    assert page.evaluate(f"{main}.scrollTop") == 300
    assert page.evaluate(f"{events}.scrollTop") == 200
    assert "region=VIC1" in page.url
    page.evaluate(f"{main}.scrollTo(0, 0)")
    assert differing(zoomed, map_at_rest(page)) < 0.05


@contextmanager
def another_power(database: "Database[Document]", power_mw: float) -> Iterator[None]:
    """The newest reading of a facility of Victoria has that power meanwhile."""
    which = {"facility_code": "LOYYANGA", "timestamp": {"$gte": datetime.now(UTC) - timedelta(minutes=30)}}
    (newest,) = database["facility"].find(which).sort("timestamp", -1).limit(1)
    database["facility"].update_one({"_id": newest["_id"]}, {"$set": {"power_mw": power_mw}})
    try:
        yield
    finally:
        database["facility"].update_one({"_id": newest["_id"]}, {"$set": {"power_mw": newest["power_mw"]}})


def told(page: Page, received: list[bytes], what: bytes) -> None:
    page.wait_for_timeout(300)
    assert any(what in frame for frame in received), "the map was not told the new power"


def map_at_rest(page: Page) -> Image.Image:
    """A picture of the map, the same twice in a row, with nothing pointed at."""
    page.mouse.move(5, 5)
    before = b""
    for _ in range(60):
        seen = page.locator("canvas").first.screenshot()
        if seen == before:
            return Image.open(io.BytesIO(seen)).convert("L")
        before = seen
        page.wait_for_timeout(300)
    raise AssertionError("the map does not come to rest")


def differing(one: Image.Image, other: Image.Image) -> float:
    """The share of the pixels that are visibly lighter or darker."""
    seen = ImageChops.difference(one, other).point(lambda by: 255 if by > 24 else 0)
    return seen.histogram()[255] / (one.width * one.height)


@pytest.mark.parametrize("path", ["", "weather", "production?area=NO1&year=2021", "meters", "market"])
def test_each_table_can_be_downloaded_and_each_time_says_its_utc(
    visitor: Reader, settings: Settings, database: "Database[Document]", path: str
) -> None:
    wait_for_the_archive(database)
    visitor.open(f"{settings.dashboard_address}/{path}", "table")

    def whole() -> None:
        tables = visitor.page.locator("[data-testid=stMain] table").count()
        assert tables == visitor.page.locator("[data-testid=stDownloadButton]").count() > 0
        times = visitor.page.evaluate("[...document.querySelectorAll('table time')].map(at => [at.dateTime, at.title])")
        for machine, hover in times:
            assert hover == f"{datetime.fromisoformat(machine).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"

    eventually(whole)


WIDEST = """
window.widest = 0;
setInterval(() => {
  const page = document.querySelector('[data-testid=stMain]')
  if (page) window.widest = Math.max(window.widest, page.scrollWidth)
}, 1)
"""
"""How wide the page was at any time, since what is seen for a moment without its style is too wide then."""


@pytest.mark.parametrize("path", ["", "weather", "production", "meters", "market"])
def test_a_page_fits_a_phone_in_the_dark(browser: Browser, settings: Settings, path: str) -> None:
    with reader(browser, settings.dashboard_address, dark=True, phone=True) as one:
        one.page.add_init_script(WIDEST)
        one.open(f"{settings.dashboard_address}/{path}", "table, canvas")
        assert 0 < one.page.evaluate("window.widest") <= 390
        background = one.page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
        assert background == "rgb(15, 21, 27)"
        assert one.complaints == []


def test_production_of_2021_is_what_is_recorded_and_says_what_is_missing(
    visitor: Reader, settings: Settings, database: "Database[Document]"
) -> None:
    wait_for_the_archive(database)
    visitor.open(f"{settings.dashboard_address}/production?area=NO1&year=2021", "table")
    shown = {row["Group"]: row for row in table(visitor.page, "Production of NO1 in 2021")}
    january = {"$gte": datetime(2020, 12, 31, 23, tzinfo=UTC), "$lt": datetime(2021, 1, 31, 23, tzinfo=UTC)}
    for group, row in shown.items():
        stored = database["production"].find({"price_area": "NO1", "production_group": group, "start_time": january})
        assert number(row["Energy"]) == pytest.approx(sum(one["quantity_kwh"] for one in stored) / 1e6, abs=0.051)
    assert number(shown["hydro"]["Stored"]) == 8760
    assert number(shown["wind"]["Stored"]) == 744
    visitor.page.get_by_text("744 of the year's 8,760 hours").wait_for()
    visitor.page.get_by_text("Hours of January 2021, Oslo time").wait_for()


def test_productions_clock_changes_have_743_and_745_hours(
    visitor: Reader, settings: Settings, database: "Database[Document]"
) -> None:
    wait_for_the_archive(database)
    visitor.open(f"{settings.dashboard_address}/production?area=NO1&year=2021&month=October&group=hydro", "table")
    visitor.page.get_by_text("745 of 745 hours stored").wait_for()
    visitor.page.get_by_text("All hours as a table").click()
    hours = [row["Hour (Oslo)"] for row in table(visitor.page, "Production of each hour")]
    assert [hour for hour in hours if hour.startswith("31 Oct 02:00")] == ["31 Oct 02:00 CEST", "31 Oct 02:00 CET"]


def wait_for_the_archive(database: "Database[Document]") -> None:
    """It begins three minutes after the start and plays for two: the tests before do without."""
    decembers = [f"{series}|month|2021-12-01" for series in ("NO1|hydro", "NO5|hydro", "NO2|wind")]
    played = {"_id": {"$in": decembers}, "hours": 744}
    wait_until(
        lambda: database["production_sums"].count_documents(played) == len(decembers), "the archive of 2021", 600
    )


def test_while_mongodb_is_away_a_page_says_so_and_goes_on_after(
    browser: Browser, settings: Settings, whole_stack: WholeStack
) -> None:
    supervisor = Supervisor(whole_stack.layout)
    with reader(browser, settings.dashboard_address) as one:
        one.open(f"{settings.dashboard_address}/meters", "table")
        supervisor.stop_programs(["mongodb"])
        try:
            one.page.goto(f"{settings.dashboard_address}/meters?day=2021-02-03")
            one.page.get_by_text("MongoDB does not answer").first.wait_for(timeout=90_000)
            one.page.get_by_role("link", name="Market").click()
            one.page.get_by_text("Australia's electricity market").wait_for()
        finally:
            supervisor.start_program("mongodb")
        one.open(f"{settings.dashboard_address}/meters", "table")


PICTURES = {
    "arrivals": ("", {}),
    "weather": ("weather?place=Oslo", {}),
    "production": ("production?area=NO1&year=2021", {}),
    "meters": ("meters", {}),
    "market": ("market", {"dark": True}),
    "market-phone": ("market", {"phone": True}),
}


@pytest.mark.skipif(not os.environ.get("SKYWATT_PICTURES"), reason="SKYWATT_PICTURES=1 writes the pictures of images/")
@pytest.mark.parametrize("name", PICTURES)
def test_pictures(browser: Browser, settings: Settings, database: "Database[Document]", name: str) -> None:
    wait_for_the_archive(database)
    path, how = PICTURES[name]
    with reader(browser, settings.dashboard_address, **how) as one:
        one.open(f"{settings.dashboard_address}/{path}", "table, canvas")
        one.page.wait_for_timeout(12_000)  # charts and maps have come to rest
        one.page.screenshot(path=ROOT / "images" / f"dashboard-{name}.png")
        assert one.complaints == []
