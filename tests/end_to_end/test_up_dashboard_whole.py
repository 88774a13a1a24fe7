"""What all pages of the dashboard have, in a real browser on a whole stack with its recordings."""

import os
import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser
from pymongo.database import Database

from local_stack.supervisor import Supervisor
from readings.config import ROOT
from readings.connections import Document
from readings.settings import Settings
from tests.end_to_end.browser import Reader, reader
from tests.end_to_end.pages import eventually, wait_for_the_archive
from tests.end_to_end.whole_stack import WholeStack

pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize(
    "path", ["", "weather?forecast=true", "production?area=NO1&year=2021&hours=true", "meters", "market"]
)
def test_each_table_can_be_downloaded_and_each_time_says_its_utc(
    visitor: Reader, database: "Database[Document]", path: str
) -> None:
    wait_for_the_archive(database)
    visitor.open(f"/{path}", "table")

    def whole() -> None:
        tables = visitor.page.locator("[data-testid=stMain] table").count()
        assert tables == visitor.page.locator("a.sw-csv").count() > 0
        times = visitor.page.evaluate("[...document.querySelectorAll('table time')].map(at => [at.dateTime, at.title])")
        for machine, hover in times:
            assert hover == f"{datetime.fromisoformat(machine).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"

    eventually(whole)
    with visitor.page.expect_download() as download:
        visitor.page.locator("a.sw-csv").first.click()
    name = download.value.suggested_filename
    assert re.fullmatch(r"skywatt-[a-z-]+\.csv", name)
    assert download.value.path().read_bytes().startswith(b"\xef\xbb\xbf"), "by which Excel knows UTF-8"


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
        one.open(f"/{path}", "table, canvas")
        assert 0 < one.page.evaluate("window.widest") <= 390
        background = one.page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
        assert background == "rgb(15, 21, 27)"
        assert one.complaints == []


def test_while_mongodb_is_away_a_page_says_so_and_goes_on_after(
    browser: Browser, settings: Settings, whole_stack: WholeStack
) -> None:
    supervisor = Supervisor(whole_stack.layout)
    with reader(browser, settings.dashboard_address) as one:
        one.open("/meters", "table")
        supervisor.stop_programs(["mongodb"])
        try:
            one.page.goto(one.address + "/meters?day=2021-02-03")
            one.page.get_by_text("MongoDB does not answer").first.wait_for(timeout=90_000)
            one.page.get_by_role("link", name="Market").click()
            one.page.get_by_text("Australia's electricity market").wait_for()
        finally:
            supervisor.start_program("mongodb")
        one.open("/meters", "table")


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
        one.open(f"/{path}", "table, canvas")
        one.page.wait_for_timeout(12_000)  # charts and maps have come to rest
        one.page.screenshot(path=ROOT / "images" / f"dashboard-{name}.png")
        assert one.complaints == []
