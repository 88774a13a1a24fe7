"""How quick the dashboard is and what it takes, with a week of the market in the store and five readers.

``python -m benchmarks.dashboard --json`` starts a MongoDB-wire server, an MQTT broker and the dashboard, on free ports,
fills the store with seven days of five-minute readings of 515 facilities and five regions (the recorded day again and
again, 185 of the facilities under further names) and opens the dashboard in a headless Chromium:

``first_view_s``     from going to the market's page until its numbers and its map's canvas are in it, by the browser's
                     clock: the slowest of five new readers, each with an empty cache, the first of them the first
                     after the dashboard's start
``first_views_s``    of each of the five
``bare_views_s``     likewise, before each, of a Streamlit page of a number and a map of one point alone
``pages_s``          likewise of the other pages, until their numbers and tables are there: the slowest of three new
                     readers each; what they show is `benchmarks.dashboard_pages`'
``charts_s``         and until their charts are
``refresh_ms``       the server's time for a part that refreshes itself: 95 of 100 are as quick. Five look; their
                     browsers draw on the same cores meanwhile
``refresh_cpu_ms``   likewise, its processor time: what it takes where the browsers are elsewhere
``rss_mb``           the most that the dashboard took with five readers, in proportional set size
``messages_per_s``   of 500 published over MQTT a second for 20 s, while the five looked: how many it took each second
``messages_behind``  and how many of them the page did not count five seconds after the last: it is drawn each three

Each reader has a browser. Those that have their view stand still while the next one opens, and stand back (``nice`` 19)
afterwards: readers draw their maps on machines of their own, and here without a graphics card.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import orjson
import psutil
import requests
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from benchmarks.dashboard_pages import fill_pages
from benchmarks.dashboard_store import FACILITIES, config_with, fill, places_of_the_market
from benchmarks.progress import say
from local_stack import mongodb, mosquitto, processes
from local_stack.layout import layout
from local_stack.passwords import ensure_passwords
from local_stack.ports import free_ports
from local_stack.spare import settings_of, spare_environment
from readings.config import ROOT
from readings.connections import connect_mongodb, mqtt_client
from readings.settings import LOCAL, Settings
from readings.stream import load_streams
from spark_consumer.application import make_indexes

DAYS = 7
READERS = 5
RATE, BURST_S = 500, 20
SETTLED_S, LOOKED_AT_S = 10, 30.0
SEEN_S = 5
"""After so long a page was drawn anew."""
LAST = 19
"""`nice`: whoever else wants a core gets it."""
CHROMIUM = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--enable-unsafe-swiftshader",  # WebGL without a graphics card, for the map
)
"""Its arguments."""
CARD, TABLE, CHART, MAP = ".sw-card", "table", "svg.marks", "[data-testid=stDeckGlJsonChart] canvas"
MARKET = ("market", (CARD, MAP))
PAGES = {
    "arrivals": ("", (CARD, TABLE), ()),
    "weather": ("weather", (CARD, TABLE), (CHART,)),
    "production": ("production?area=NO1&year=2021", (TABLE,), (CHART,)),
    "meters": ("meters", (CARD, TABLE), (CHART,)),
}
"""The others, what is looked for first and what then; the map of the weather comes after its chart."""
TIMES_SEEN = 3
NOTE_WHEN_THERE = """
window.thereMs = []
new MutationObserver(() => {
  const is_there = all => all.every(one => document.querySelector(one))
  while (thereMs.length < STAGES.length && is_there(STAGES[thereMs.length])) thereMs.push(performance.now())
}).observe(document, {subtree: true, childList: true})
"""
"""Noted in the page, for it answers nobody while it draws: two seconds and more without a graphics card."""


def main() -> None:
    """Measures and prints; the last line is one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print only the JSON line on standard output")
    parser.add_argument("--days", type=float, default=DAYS, help="days of readings in the store (7)")
    days = parser.parse_args().days
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended
    with tempfile.TemporaryDirectory(prefix="skywatt-dashboard-") as folder:
        print(json.dumps(_measure(Path(folder), days)))


def _measure(folder: Path, days: float) -> dict[str, Any]:
    places = places_of_the_market()
    environment = spare_environment(
        folder, MQTT_URL=LOCAL, SKYWATT_CONFIG=str(config_with(folder, places)), SKYWATT_LOG_LEVEL="DEBUG"
    )
    with patch.dict(os.environ, environment, clear=True):
        ensure_passwords()
    settings = settings_of(environment)
    here = layout(settings)
    here.make()
    with ExitStack() as running:
        for prepare, ping in ((mongodb.prepare, mongodb.ping), (mosquitto.prepare, mosquitto.ping)):
            program = prepare(settings, here)
            running.enter_context(_process(program.command, here.log(program.name), program.environment))
            _eventually(lambda ping=ping: _answers(lambda: ping(settings, 2)))  # type: ignore[misc]  # a default has no type
        database = connect_mongodb(settings)
        streams = load_streams(settings)
        make_indexes(database, streams)
        stored = fill_pages(database, streams) + fill(database, places, days)
        say(f"{stored:,} readings and sums are stored")
        log = here.log("dashboard")
        dashboard = running.enter_context(_process((sys.executable, "-m", "dashboard"), log, environment))
        _wait_for_streamlit(settings.dashboard_address)
        bare = running.enter_context(_bare(here.log("bare"), environment))
        found = _look(settings, bare, dashboard.pid, log)
        return {"facilities": FACILITIES, "days": days, "stored": stored} | found


@contextmanager
def _bare(log: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """The address of the page that has next to nothing, served as the dashboard is."""
    (port,) = free_ports(1)
    options = ["--server.headless=true", "--server.fileWatcherType=none", "--browser.gatherUsageStats=false"]
    options += [f"--server.port={port}", "--server.address=127.0.0.1"]
    page = Path(__file__).with_name("bare_page.py")
    with _process((sys.executable, "-m", "streamlit", "run", str(page), *options), log, environment):
        address = f"http://127.0.0.1:{port}"
        _wait_for_streamlit(address)
        yield address


def _look(settings: Settings, bare: str, pid: int, log: Path) -> dict[str, Any]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise SystemExit("no Chromium: Debian, Ubuntu: apt-get install chromium")
    with sync_playwright() as playwright:
        bare_views_s: list[float] = []
        first_views_s: list[float] = []
        pages = []
        for _ in range(READERS):
            with _alone(playwright, program) as browser:
                bare_views_s += _view(browser, bare, MARKET[1])[0]
                browser.close()
            with _alone(playwright, program) as browser:
                seconds, page = _view(browser, f"{settings.dashboard_address}/{MARKET[0]}", MARKET[1])
                first_views_s += seconds
            pages.append(page)
            for process in _browsers():
                process.nice(LAST)
        say(f"first views: {first_views_s} s; of a page with next to nothing: {bare_views_s} s")
        pages[0].wait_for_timeout(1000 * SETTLED_S)
        begun = log.stat().st_size
        rss_mb = 0.0
        until = time.monotonic() + LOOKED_AT_S
        while time.monotonic() < until:
            pages[0].wait_for_timeout(1000)
            rss_mb = max(rss_mb, processes.memory_mb(pid))
        refreshes = _refreshes(log, begun)
        pages[0].goto(f"{settings.dashboard_address}/market?from=MQTT")
        pages[0].get_by_text("MQTT: connected").wait_for()
        taken_per_s, behind = _burst(settings, pages[0])
        rss_mb = max(rss_mb, processes.memory_mb(pid))
        views_s: dict[str, list[list[float]]] = {}
        for name in [*PAGES] * TIMES_SEEN:
            path, *stages = PAGES[name]
            with _alone(playwright, program) as browser:
                seconds, _ = _view(browser, f"{settings.dashboard_address}/{path}", *filter(None, stages))
                browser.close()
            views_s.setdefault(name, []).append(seconds)
    return {
        "first_view_s": max(first_views_s),
        "first_views_s": first_views_s,
        "bare_views_s": bare_views_s,
        "pages_s": {name: max(one[0] for one in views) for name, views in views_s.items()},
        "charts_s": {name: max(one[1] for one in views) for name, views in views_s.items() if len(views[0]) > 1},
        "refresh_ms": round(float(np.percentile([one["refresh_ms"] for one in refreshes], 95))),
        "refresh_cpu_ms": round(float(np.percentile([one["refresh_cpu_ms"] for one in refreshes], 95))),
        "refreshes": len(refreshes),
        "rss_mb": round(rss_mb),
        "messages_per_s": round(taken_per_s),
        "messages_behind": behind,
    }


@contextmanager
def _alone(playwright: Playwright, program: str) -> Iterator[Browser]:
    """A new browser; those that are open stand still meanwhile."""
    with _others_still():
        yield playwright.chromium.launch(executable_path=program, args=list(CHROMIUM))


def _view(browser: Browser, address: str, *stages: Sequence[str]) -> tuple[list[float], Page]:
    """Seconds until all of a stage is there, of each stage."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(120_000)
    page.add_init_script(NOTE_WHEN_THERE.replace("STAGES", json.dumps(stages)))
    page.goto(address)
    there_ms = page.wait_for_function(f"thereMs.length == {len(stages)} && thereMs").json_value()
    page.locator(stages[-1][-1]).first.wait_for()
    return [round(float(one) / 1000, 2) for one in there_ms], page


@contextmanager
def _others_still() -> Iterator[None]:
    """The browsers that are open now stand still."""
    others = list(_browsers())
    for process in others:
        process.suspend()
    try:
        yield
    finally:
        for process in others:
            process.resume()


def _browsers() -> Iterator[psutil.Process]:
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.name().startswith("chrom"):
                yield process


def _refreshes(log: Path, begun: int) -> list[dict[str, Any]]:
    """What the dashboard said of its refreshes since."""
    with log.open("rb") as file:
        file.seek(begun)
        lines = [line for line in file if line.startswith(b"{")]
    return [one for one in map(orjson.loads, lines) if "refresh_ms" in one]


def _burst(settings: Settings, page: Page) -> tuple[float, int]:
    """Publishes `RATE` a second; how many were taken each second, and how many the page had not counted in the end."""
    client = mqtt_client(settings)
    host, port, _ = settings.mqtt_address
    client.connect(host, port)
    client.loop_start()
    sent, before, began = 0, _taken(page), time.monotonic()
    while sent < RATE * BURST_S:
        at = datetime.now(UTC).isoformat()
        for number in range(RATE // 20):
            event = {"facility_code": f"M{(sent + number) % FACILITIES}", "timestamp": at, "power": float(sent)}
            client.publish(settings.mqtt_topic, orjson.dumps(event), qos=0)
        sent += RATE // 20
        time.sleep(max(0.0, began + sent / RATE - time.monotonic()))  # until the next is to be sent
    took = time.monotonic() - began
    page.wait_for_timeout(1000 * SEEN_S)
    taken = _taken(page) - before
    client.disconnect()
    client.loop_stop()
    return taken / took, sent - taken


def _taken(page: Page) -> int:
    text = page.locator(".sw-card", has_text="Messages").locator(".sw-value").inner_text()
    return int(text.replace(",", ""))


def _wait_for_streamlit(address: str) -> None:
    health = f"{address}/_stcore/health"
    _eventually(lambda: _answers(lambda: requests.get(health, timeout=2).raise_for_status()))


def _answers(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except Exception:  # noqa: BLE001 - it is still starting, whatever its client calls that
        return False
    return True


def _eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not answer within {seconds:.0f} s")
        time.sleep(0.1)  # between two looks


@contextmanager
def _process(command: Sequence[str], log: Path, environment: Any) -> "Iterator[subprocess.Popen[bytes]]":
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=dict(environment) or None, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()
