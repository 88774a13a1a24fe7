"""Pages as a reader sees them, without a browser: on a store in memory."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
import streamlit as st
from pymongo.errors import ServerSelectionTimeoutError
from streamlit.testing.v1 import AppTest

from dashboard.arrivals import ArrivalsReader
from dashboard.background import Background
from dashboard.market import MarketReader
from dashboard.store import Store
from dashboard.views import arrivals, market, meters, production, weather
from tests.dashboard.stand_in import stand_in

VIEWS: dict[str, ModuleType] = {
    "arrivals": arrivals,
    "weather": weather,
    "production": production,
    "meters": meters,
    "market": market,
}
DAY = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store that each page reads, by itself and through what is read in the background."""
    here = stand_in()
    for view in VIEWS.values():
        monkeypatch.setattr(view, "store", lambda: here)
    seen = Background("arrivals", ArrivalsReader(here).read, 0.01)
    for view in (arrivals, weather):
        monkeypatch.setattr(view, "watch", lambda: seen)
    prices = Background("market", MarketReader(here).read, 0.01)
    monkeypatch.setattr(market, "watch", lambda: prices)
    market.live.cache_clear()
    st.cache_resource.clear()
    yield here
    st.cache_resource.clear()
    market.live.cache_clear()


def page(name: str, **query: str) -> AppTest:
    """Its first run."""

    def script(name: str) -> None:
        from tests.dashboard.test_pages import VIEWS

        VIEWS[name].page()

    told = AppTest.from_function(script, default_timeout=30, args=(name,))
    told.query_params.update(query)
    told.run()
    assert not told.exception
    return told


def text(told: AppTest) -> str:
    """All HTML of the page."""
    return "\n".join(one.proto.body for one in told.get("html"))


def total(meter: str, at: datetime, kwh: float = 1.0, cost_eur: float = 0.2, period: str = "vazio") -> dict[str, Any]:
    """Of five minutes from an instant; the tariff's day is UTC's in winter."""
    half_hour = at.replace(minute=at.minute // 30 * 30)
    sums = {"month_kwh": 10 * kwh, "day_kwh": 2 * kwh, "day_cost_eur": 2 * cost_eur}
    of_half_hour = {"half_hour": half_hour, "half_hour_kwh": kwh, "half_hour_cost_eur": cost_eur, "period": period}
    times = {"timestamp": at, "until": at + timedelta(minutes=5), "day": f"{at:%Y-%m-%d}", "month": f"{at:%Y-%m}"}
    return {"_id": f"{meter}|{at}", "sensor_id": meter, **times, **sums, **of_half_hour}


@pytest.mark.parametrize("name", VIEWS)
def test_an_empty_store_says_what_to_do(here: Store, name: str) -> None:
    told = page(name)
    assert not told.error
    assert any("run.sh" in one.value for one in told.info)


@pytest.mark.parametrize("name", ["weather", "meters"])
def test_what_cannot_be_read_is_told_by_a_part_that_refreshes_itself(
    here: Store, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def away() -> Store:
        raise ServerSelectionTimeoutError("away")

    monkeypatch.setattr(VIEWS[name], "store", away)
    monkeypatch.setattr(weather, "watch", away)
    told = page(name)  # without app.py's guard, which is drawn once
    assert told.error
    assert all("MongoDB does not answer" in one.value for one in told.error)


def test_the_newest_day_of_meters_goes_on_at_midnight_and_a_chosen_one_stays(here: Store) -> None:
    here.database["meter_totals"].put(total("home-A", DAY))
    told = page("meters")
    (day,) = told.date_input
    assert day.value == DAY.date()
    here.database["meter_totals"].put(total("home-A", DAY + timedelta(days=1)))
    st.cache_resource.clear()
    told.run()
    (day,) = told.date_input
    assert day.value == DAY.date() + timedelta(days=1)
    day.set_value(DAY.date()).run()
    here.database["meter_totals"].put(total("home-A", DAY + timedelta(days=2)))
    st.cache_resource.clear()
    told.run()
    assert told.date_input[0].value == DAY.date()
