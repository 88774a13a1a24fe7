"""A page as a reader sees it, without a browser."""

import csv
import io
import json
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pandas as pd
import pyarrow as pa
from streamlit.testing.v1 import AppTest

from dashboard.views import arrivals, market, meters, production, weather

VIEWS: dict[str, ModuleType] = {
    "arrivals": arrivals,
    "weather": weather,
    "production": production,
    "meters": meters,
    "market": market,
}
DAY = datetime(2026, 11, 20, tzinfo=UTC)


def page(name: str, /, **query: str | list[str]) -> AppTest:
    """Its first run."""

    def script(name: str) -> None:
        from tests.dashboard.one_page import VIEWS

        VIEWS[name].page()

    told = AppTest.from_function(script, default_timeout=30, args=(name,))
    told.query_params.update(query)
    told.run()
    assert not told.exception
    return told


def text(told: AppTest) -> str:
    """All HTML of the page."""
    return "\n".join(one.proto.body for one in told.get("html"))


def read_csv(told: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(told.removeprefix("\ufeff"))))


def charts(told: AppTest) -> list[Any]:
    """What each chart is told."""
    return [json.loads(one.proto.spec) for one in told.get("vega_lite_chart")]


def drawn(told: AppTest) -> list[pd.DataFrame]:
    """The rows of each chart."""
    shown = [one.proto.datasets for one in told.get("vega_lite_chart")]
    return [pa.ipc.open_stream(rows.data.data).read_pandas() for (rows,) in shown]
