"""What pages read in tests: a store in memory."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit import config

from dashboard import look, queries, tables
from dashboard.__main__ import SERVER
from dashboard.arrivals import ArrivalsReader
from dashboard.market import MarketReader
from dashboard.meters import MonthsReader
from dashboard.store import Store
from dashboard.views import arrivals, market, meters, weather
from tests.dashboard.one_page import DAY, VIEWS
from tests.dashboard.stand_in import stand_in

config.set_option("runner.postScriptGC", SERVER["runner.postScriptGC"])


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store that each page reads, by itself and through what is read in the background otherwise."""
    here = stand_in()
    monkeypatch.setattr(look, "HEAD_START_S", 0)
    monkeypatch.setattr(queries, "NEWEST_LOOKED_BACK_DAYS", (datetime.now(UTC) - DAY).days + 40)
    for view in VIEWS.values():
        monkeypatch.setattr(view, "store", lambda: here)
    seen = SimpleNamespace(newest=ArrivalsReader(here).read)
    for view in (arrivals, weather):
        monkeypatch.setattr(view, "watch", lambda: seen)
    months = SimpleNamespace(newest=MonthsReader(here).read)
    monkeypatch.setattr(meters, "watch", lambda: months)
    prices = SimpleNamespace(newest=MarketReader(here).read)
    monkeypatch.setattr(market, "watch", lambda: prices)
    live = market._live
    live.cache_clear()
    st.cache_resource.clear()
    yield here
    st.cache_resource.clear()
    live.cache_clear()


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The CSV of each table that is shown."""
    found: dict[str, str] = {}

    def offer(key: str, write: Callable[[], str]) -> None:
        found[key] = write()

    monkeypatch.setattr(tables, "offer", offer)
    return found
