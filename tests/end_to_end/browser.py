"""A headless Chromium of the system's packages, for tests and for the pictures of the README."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from benchmarks.dashboard import CHROMIUM

MEND = "no Chromium: Debian, Ubuntu: apt-get install chromium"


@dataclass
class Reader:
    """One reader's window."""

    page: Page
    address: str
    """The dashboard's."""
    complaints: list[str] = field(default_factory=list)
    """Errors of the console, and requests to other hosts."""

    def open(self, path: str, selector: str) -> None:
        """Goes to a page, and returns when an element is seen. Raises playwright's TimeoutError."""
        self.page.goto(self.address + path)
        self.page.locator(selector).first.wait_for()

    def open_again(self, selector: str) -> None:
        """Leaves, and comes back by the address that the page has now, as by a link."""
        path = self.page.url.removeprefix(self.address)
        self.page.goto("about:blank")
        self.open(path, selector)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, with a profile that is gone at the end."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, MEND
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def reader(browser: Browser, address: str, *, dark: bool = False, phone: bool = False) -> Iterator[Reader]:
    """A reader in Oslo with a window, whose console is listened to."""
    context = browser.new_context(
        viewport={"width": 390, "height": 844} if phone else {"width": 1440, "height": 900},
        color_scheme="dark" if dark else "light",
        timezone_id="Europe/Oslo",
        locale="en-GB",
        accept_downloads=True,
    )
    context.set_default_timeout(30_000)
    page = context.new_page()
    one = Reader(page, address)
    page.on("console", lambda said: _said(one, said))
    page.on("pageerror", lambda error: one.complaints.append(str(error)))
    page.on("request", lambda asked: _elsewhere(one, asked.url, address))
    try:
        yield one
    finally:
        context.close()


def _said(one: Reader, said: ConsoleMessage) -> None:
    if said.type == "error":
        one.complaints.append(said.text)


def _elsewhere(one: Reader, url: str, address: str) -> None:
    host = address.removeprefix("http://")
    if not url.startswith((f"http://{host}", f"ws://{host}", "data:", "blob:")):
        one.complaints.append(f"asked elsewhere: {url}")
