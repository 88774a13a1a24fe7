"""What the tests of the dashboard's pages read of them, as a reader does, and what they wait for."""

import csv
import io
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

from PIL import Image, ImageChops
from playwright.sync_api import Page
from pymongo.database import Database

from readings.connections import Document
from tests.end_to_end.consumer import wait_until


def number(text: str) -> float:
    """A number as the pages write it."""
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


def downloaded(page: Page, key: str) -> list[dict[str, str]]:
    """The rows of the CSV that the link below a table leads to, by column; `key` is the table's in the page.

    Asked without a click: after ten downloads of one page a browser asks its reader whether there may be more.
    """
    link = page.locator(f"a[href$='/skywatt-{key}.csv']")
    answer = page.request.get(str(link.evaluate("link => link.href")))
    assert answer.ok, answer.text()
    return list(csv.DictReader(answer.text().removeprefix("\ufeff").splitlines()))


def card(page: Page, name: str) -> float:
    """The number of the card of that name."""
    return number(
        page.locator(".sw-card", has=page.locator(f".sw-name:text-is('{name}')")).locator(".sw-value").inner_text()
    )


def choose(page: Page, name: str) -> None:
    """Presses the button of that name."""
    page.get_by_role("radio", name=name, exact=True).or_(page.get_by_role("button", name=name, exact=True)).click()


def chosen(page: Page) -> set[tuple[str, str]]:
    """What the address keeps of the reader's choices: names and values."""
    return set(parse_qsl(urlsplit(page.url).query))


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


def newest_of(database: "Database[Document]", name: str, series: str) -> dict[str, Document]:
    """The newest reading of each series that is not stale."""
    since = datetime.now(UTC) - timedelta(hours=1)
    found = list(database[name].find({"timestamp": {"$gte": since}}).sort("timestamp", 1))
    return {one[series]: one for one in found if found[-1]["timestamp"] - one["timestamp"] <= timedelta(minutes=30)}


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


def wait_for_the_archive(database: "Database[Document]") -> None:
    """It begins three minutes after the start and plays for two: the tests before do without."""
    decembers = [f"{series}|month|2021-12-01" for series in ("NO1|hydro", "NO5|hydro", "NO2|wind")]
    played = {"_id": {"$in": decembers}, "hours": 744}
    wait_until(
        lambda: database["production_sums"].count_documents(played) == len(decembers), "the archive of 2021", 600
    )
