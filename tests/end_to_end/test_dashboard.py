"""The dashboard in a real browser, on a whole stack with its recordings."""

import subprocess
import time
from collections.abc import Iterator, Mapping

import pytest
from playwright.sync_api import Browser

from local_stack.spare import settings_of, spare_environment
from readings.config import ROOT
from readings.connections import connect_mongodb
from readings.settings import Settings
from readings.stream import load_streams
from tests.end_to_end.browser import Reader, chromium, reader

pytestmark = pytest.mark.timeout(600)

Environment = Mapping[str, str]
SHOWN = ("weather", "production", "meter", "facility", "market", "predictions", "meter_totals", "market_sums")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Of a stack that `run.sh` brought up."""
    environment = spare_environment(tmp_path_factory.mktemp("dashboard"))
    try:
        told = run(environment, "up")  # on a busy machine it ends before all readings are there
        settings = settings_of(environment)
        wait_for_readings(settings, told)
        yield settings
    finally:
        run(environment, "down", "--data")


def run(environment: Environment, *arguments: str) -> str:
    answer = subprocess.run(
        ["bash", str(ROOT / "run.sh"), *arguments], env=environment, capture_output=True, text=True, check=False
    )
    return answer.stdout + answer.stderr


def wait_for_readings(settings: Settings, told: str) -> None:
    """Until all that the pages show is stored."""
    database = connect_mongodb(settings)
    deadline = time.monotonic() + 300
    while missing := [name for name in SHOWN if database[name].find_one() is None]:
        assert time.monotonic() < deadline, f"{missing}\n{told}"
        time.sleep(0.5)


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


def test_arrivals_begin_with_a_sentence_and_have_a_line_a_series(visitor: Reader, settings: Settings) -> None:
    visitor.open(f"{settings.dashboard_address}/", ".sw-lead")
    assert visitor.page.locator(".sw-lead").inner_text().startswith("All 5 streams arrive")
    visitor.page.get_by_role("cell", name="Bergen", exact=True).wait_for()
    declared = len(load_streams(settings)["weather"].config.series_names())
    assert declared >= 8
    assert visitor.page.locator(".sw-card", has_text="weather").inner_text().split()[1] == "8"
