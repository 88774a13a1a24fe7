"""Pages as a reader sees them, without a browser: on a store in memory. Those of meters and market have their own."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args
from unittest.mock import Mock
from urllib.parse import parse_qs, urlsplit

import pytest
import streamlit as st
from pymongo.errors import ServerSelectionTimeoutError
from streamlit.testing.v1 import AppTest

import dashboard.__main__
from alerts.links import linker
from dashboard import queries
from dashboard.arrivals import ArrivalsReader
from dashboard.store import Store
from dashboard.views import arrivals, weather
from readings.errors import ConfigError
from readings.production import ProductionGroup
from readings.settings import Settings
from readings.stored import production_sum_id
from tests.dashboard.one_page import DAY, VIEWS, charts, drawn, page, read_csv, text
from tests.dashboard.stand_in import reading

APP = Path(dashboard.__main__.__file__).with_name("app.py")


@pytest.mark.parametrize("name", VIEWS)
def test_an_empty_store_says_what_to_do(here: Store, name: str) -> None:
    told = page(name)
    assert not told.error
    assert any("run.sh" in one.value for one in told.info)


def test_an_alerts_link_shows_its_series_in_the_span_of_its_trouble(here: Store) -> None:
    began, ended = DAY + timedelta(hours=12), DAY + timedelta(hours=14)
    for hours, late in ((5, False), (7, False), (13, True), (15, False)):
        at = DAY + timedelta(hours=hours)
        delay_s = 3661.0 if late else 2.0
        values = {"region": "Bergen", "temperature_c": float(hours)}
        here.database["weather"].put(reading("Bergen", at, late=late, delay_s=delay_s, **values))
    link = linker(Settings(_env_file=None))(here.streams["weather"], "Bergen", began, ended)
    query = {name: value for name, (value,) in parse_qs(urlsplit(link.url).query).items()}

    assert "The readings of the series" not in text(page("arrivals", **query)), "it is made when it is opened"
    told = page("arrivals", readings="true", **query)

    assert not told.error
    (table,) = [one for one in text(told).split("<table") if "The readings of the series" in one]
    rows = [re.sub("<[^>]+>", "|", row) for row in table.split("</tr>")]
    assert [("|13.0" in row, "|3,661" in row, "|late" in row) for row in rows[1:3]] == [(True,) * 3, (False,) * 3]
    assert [f"|{hours}.0" in "".join(rows) for hours in (7, 5, 15)] == [True, False, False]
    assert len(charts(told)) == 2
    told.query_params.pop("since")
    told.query_params.pop("until")
    told.run()
    assert any("No reading of Bergen in this span" in one.value for one in told.info)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"since": "yesterday"}, "since='yesterday'"),
        ({"since": "2026-11-20", "until": "2026-11-19"}, "expected an instant before"),
    ],
)
def test_a_span_that_is_none_is_told_and_the_rest_of_the_page_stays(
    here: Store, query: dict[str, str], said: str
) -> None:
    told = page("arrivals", stream="weather", name="Bergen", **query)
    assert [said in one.value for one in told.error] == [True]
    assert "newest reading" in text(told)


def test_a_link_to_a_long_span_asks_for_its_last_part_alone(here: Store) -> None:
    now = datetime.now(UTC)
    told = page("arrivals", stream="weather", name="Bergen", since="2024-01-01T00:00:00Z", until="2036-01-01T00:00:00Z")
    assert not told.error
    assert "the last 104 days of what the address asks for" in text(told)
    asked = here.database["weather"].asked[-1]["timestamp"]
    assert now - timedelta(days=105) < asked["$gte"] < now < asked["$lte"] < now + timedelta(hours=1)


def test_of_readings_that_come_faster_than_their_cadence_the_newest_are_shown_and_it_says_since_when(
    here: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "MOST_READINGS", 50)
    monkeypatch.setattr(queries, "MOST_READINGS", 50)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    for minutes in range(60):
        at = now - timedelta(minutes=minutes)
        here.database["weather"].put(reading("Bergen", at, region="Bergen", temperature_c=1.0))
    since = {"whole": now - timedelta(minutes=49.5), "cut": now - timedelta(hours=3)}
    told = page("arrivals", stream="weather", name="Bergen", since=since["whole"].isoformat())
    assert "of what is asked for" not in text(told)
    assert len(drawn(told)[0]) == 50

    told = page("arrivals", stream="weather", name="Bergen", since=since["cut"].isoformat())
    first = now - timedelta(minutes=49)
    assert f'event times from <time datetime="{first.isoformat()}"' in text(told)
    assert "the newest 50 readings of what is asked for" in text(told)
    assert len(drawn(told)[0]) == 50
    assert len(queries.arrivals_of(here, here.streams["weather"], "Bergen", since["cut"], now)) == 51


def test_a_name_of_many_series_shows_no_ones_readings(here: Store) -> None:
    assert "event times from" not in text(page("arrivals", name="o"))
    assert "event times from" in text(page("arrivals", name="oslo"))


@pytest.mark.parametrize("name", ["weather", "meters", "arrivals"])
def test_what_cannot_be_read_is_told_by_a_part_that_refreshes_itself(
    here: Store, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def away() -> Store:
        raise ServerSelectionTimeoutError("away")

    if name != "arrivals":  # it asks what is read in the background
        monkeypatch.setattr(VIEWS[name], "store", away)
    for view in (arrivals, weather):
        monkeypatch.setattr(view, "watch", away)
    refreshed = Mock(wraps=VIEWS[name].refreshed)
    monkeypatch.setattr(VIEWS[name], "refreshed", refreshed)
    told = page(name, name="Oslo")  # without app.py's guard, which is drawn once
    parts = [call.args[0] for call in refreshed.call_args_list]
    assert [one.value.split(".")[0] for one in told.error] == [
        f"MongoDB does not answer, so **{part}** cannot be shown" for part in parts
    ]


def month_sum(group: str, begins: date) -> dict[str, Any]:
    sums = {"production_group": group, "begins": begins.isoformat(), "quantity_kwh": 1e6, "hours": 744}
    return {"_id": production_sum_id("NO1", group, "month", begins), **sums}


def test_a_year_of_which_one_month_is_counted_is_headed_by_it(here: Store) -> None:
    groups = get_args(ProductionGroup)
    stored = here.database["production_sums"]
    stored.put(*(month_sum(group, date(2021, 1, 1)) for group in groups), month_sum("hydro", date(2021, 2, 1)))
    headings = [one.value for one in page("production", area="NO1").markdown]
    assert "##### January 2021 by group" in headings
    stored.put(*(month_sum(group, date(2021, 2, 1)) for group in groups))
    st.cache_resource.clear()
    assert "##### 2 months of 2021 by group" in [one.value for one in page("production", area="NO1").markdown]


def test_a_year_of_which_one_group_alone_is_stored_has_no_shares(
    here: Store, monkeypatch: pytest.MonkeyPatch, downloads: dict[str, str]
) -> None:
    here.database["production_sums"].put(month_sum("wind", date(2021, 1, 1)))
    told = page("production", area="NO1")
    assert "year" not in downloads
    assert any(
        "shares would mislead" in one.value
        and "Of hydro, other, solar, thermal nothing of 2021 is stored." in one.value
        for one in told.caption
    )
    stream = here.streams["production"]
    alone = stream.config.model_copy(update={"series": ["NO1/wind"]})
    monkeypatch.setitem(here.streams, "production", replace(stream, config=alone))
    page("production", area="NO1")
    assert read_csv(downloads["year"])[0]["share (%)"] == "100.0", "no other is declared"


def test_the_weather_is_the_newest_readings(here: Store) -> None:
    now = datetime.now(UTC)
    for hours, temperature in ((2, 1.0), (1, 2.5)):
        at = now - timedelta(hours=hours)
        values = {"region": "Oslo", "temperature_c": temperature, "condition": "Rain", "rain_mm": 0.4, "icon": "10d"}
        here.database["weather"].put(reading("Oslo", at, **values, sunrise=at, sunset=now))
    told = text(page("weather", place="Oslo"))
    assert "🌦️ 2.5" in told
    assert "Rain" in told
    assert "0.4" in told


def test_a_stream_without_series_is_not_on_time_and_one_alert_is_one(here: Store) -> None:
    now = datetime.now(UTC)
    for name, series in (("meter", []), ("weather", ["Oslo", "Bergen"])):
        declaration = {"source": "test", "series": series, "cadence_s": 900.0, "since": now}
        here.database["sources"].put({"_id": name, **declaration})
    here.database["weather"].put(reading("Oslo", now, region="Oslo", temperature_c=1.0))
    here.database["alerts"].put({"_id": "one", "state": "pending", "kind": "late"})
    told = text(page("arrivals"))
    assert "none declared" in told
    assert "some have not come" in told
    assert "Nothing fires; 1 alert is about to." in told


@pytest.mark.parametrize(
    ("name", "query", "values"),
    [
        ("arrivals", {"name": "Oslo"}, ["value"]),
        ("weather", {"place": "Oslo"}, ["temperature_c"]),
        ("production", {"area": "NO1", "group": "hydro"}, ["mwh"]),
        ("market", {}, ["value", "low", "high"]),
        ("market", {}, ["value", "network_region"]),
    ],
)
def test_an_outage_is_drawn_as_one(here: Store, name: str, query: dict[str, str], values: list[str]) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    here.database["production_sums"].put(month_sum("hydro", date(2021, 1, 1)))
    for hours in (1, 2, 3, 4, 12, 13, 14, 15):
        at = now - timedelta(hours=hours)
        here.database["weather"].put(reading("Oslo", at, region="Oslo", temperature_c=1.0))
        start = datetime(2021, 1, 2, tzinfo=UTC) + timedelta(hours=hours)
        names = {"price_area": "NO1", "production_group": "hydro", "start_time": start, "revision": 0}
        here.database["production"].put(reading("NO1/hydro", start, **names, quantity_kwh=1.0))
        price = {"network_region": "NSW1", "timestamp": at, "price_per_mwh": 1.0, "demand_mw": 1.0, "spike": False}
        coal = {"network_region": "NSW1", "timestamp": at, "fuel_group": "coal", "power_mw": 1.0}
        here.database["market_sums"].put({"_id": f"price|{at}", **price}, {"_id": f"coal|{at}", **coal})
    lines = [rows for rows in drawn(page(name, **query)) if "delay_min" not in rows]  # delays are points
    shown = [rows for rows in lines if set(values) <= set(rows.columns) and len(rows) > 1]
    assert shown
    for rows in shown:
        broken = rows[values[0]].isna()
        assert list(broken) == [False] * 4 + [True] + [False] * 4


def test_a_setting_that_is_wrong_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["dashboard"])
    monkeypatch.setattr(dashboard.__main__, "load_settings", Mock())
    monkeypatch.setattr(arrivals, "watch", Mock(side_effect=ConfigError("skywatt.yml: streams.wether: unknown stream")))
    assert dashboard.__main__.main() == 2
    assert capsys.readouterr().err == "skywatt.yml: streams.wether: unknown stream\n"


@pytest.mark.parametrize(
    ("streams", "titles"),
    [
        (["weather", "production", "meter", "facility", "market"], [*(name.title() for name in VIEWS)]),
        (["weather", "market"], ["Arrivals", "Weather"]),
        (["meter"], ["Arrivals", "Meters"]),
    ],
)
def test_pages_are_those_whose_streams_there_are(
    here: Store, monkeypatch: pytest.MonkeyPatch, streams: list[str], titles: list[str]
) -> None:
    monkeypatch.setattr("dashboard.store.store", lambda: here)
    navigation = Mock(wraps=st.navigation)
    monkeypatch.setattr(st, "navigation", navigation)
    for name in here.streams.keys() - streams:
        del here.streams[name]
    seen = SimpleNamespace(newest=ArrivalsReader(here).read)
    monkeypatch.setattr(arrivals, "watch", lambda: seen)
    told = AppTest.from_file(APP, default_timeout=30).run()
    assert not told.exception
    assert not told.error
    assert [one.title for one in navigation.call_args.args[0]] == titles
    assert "Nothing has arrived yet." in text(told)


def test_weather_of_each_quarter_that_stays_away_for_hours_is_broken_and_its_forecast_is_not(here: Store) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    for number in (*range(1, 12), *range(20, 32)):
        at = now - number * timedelta(minutes=15)
        here.database["weather"].put(reading("Oslo", at, region="Oslo", temperature_c=1.0))
    for hours in range(1, 13):
        at = now + timedelta(hours=hours)
        told = {"region": "Oslo", "timestamp": at, "temperature_c": 2.0, "lower_c": 1.0, "upper_c": 3.0}
        here.database["predictions"].put({"_id": f"Oslo|{at}", **told, "issued_at": now, "horizon_h": hours})
    rows = next(rows for rows in drawn(page("weather", place="Oslo")) if "lower_c" in rows)
    assert list(rows[rows["temperature_c"].isna()]["what"]) == ["measured"]
    assert len(rows) == 11 + 12 + 1 + 12
