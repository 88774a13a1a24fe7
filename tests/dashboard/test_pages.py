"""Pages as a reader sees them, without a browser: on a store in memory."""

import csv
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import Mock
from urllib.parse import parse_qs, urlsplit

import pytest
import streamlit as st
from pymongo.errors import ServerSelectionTimeoutError
from streamlit.testing.v1 import AppTest

import dashboard.__main__
from alerts.links import linker
from dashboard import look, queries, tables
from dashboard.arrivals import ArrivalsReader
from dashboard.board import Board
from dashboard.map import view_of
from dashboard.market import MarketReader
from dashboard.meters import MonthsReader
from dashboard.store import Store
from dashboard.views import arrivals, market, meters, production, weather
from readings.errors import ConfigError
from readings.market import Market
from readings.settings import Settings
from readings.stored import production_sum_id
from tests.dashboard.stand_in import reading, stand_in

VIEWS: dict[str, ModuleType] = {
    "arrivals": arrivals,
    "weather": weather,
    "production": production,
    "meters": meters,
    "market": market,
}
APP = Path(dashboard.__main__.__file__).with_name("app.py")
DAY = datetime(2026, 11, 20, tzinfo=UTC)


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


def page(name: str, /, **query: str | list[str]) -> AppTest:
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


def test_a_name_of_many_series_shows_no_ones_readings(here: Store) -> None:
    assert "event times from" not in text(page("arrivals", name="o"))
    assert "event times from" in text(page("arrivals", name="oslo"))


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


def test_meters_that_stopped_long_ago_show_their_newest_day(here: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "NEWEST_LOOKED_BACK_DAYS", 40)
    at = datetime.now(UTC).replace(hour=12) - timedelta(days=100)
    here.database["meter"].put(reading("home-A", at, sensor_id="home-A", energy_kwh=1.0))
    here.database["meter_totals"].put(total("home-A", at))
    told: list[str] = []
    for _ in range(100):  # it is looked for in the background
        st.cache_resource.clear()
        page_told = page("meters")
        told = [str(one.value) for one in page_told.date_input]
        if told:
            break
    assert told == [f"{at:%Y-%m-%d}"]


def test_half_hours_have_the_stores_energy_and_say_their_utc(here: Store, downloads: dict[str, str]) -> None:
    for minutes, meter, kwh, cost, period in (
        *((0, "home-A", 0.25, 0.05, "vazio"), (5, "home-A", 0.5, 0.1, "vazio"), (30, "home-A", 0.75, 0.3, "ponta")),
        (30, "home-B", 1.5, 0.6, "ponta"),
    ):
        here.database["meter_totals"].put(total(meter, DAY + timedelta(minutes=minutes), kwh, cost, period))
    told = text(page("meters"))
    assert '<time datetime="2026-11-20T00:30:00+00:00" title="2026-11-20 00:30:00 UTC">00:30 WET</time>' in told
    assert read_csv(downloads["half-hours"]) == [
        {"from": "2026-11-20T00:00:00+00:00", "period": "vazio", "home-A (kWh)": "0.5", "home-B (kWh)": ""},
        {"from": "2026-11-20T00:30:00+00:00", "period": "ponta", "home-A (kWh)": "0.75", "home-B (kWh)": "1.5"},
    ]
    of_period = {
        row["period"]: (float(row["kwh (kWh)"]), float(row["eur (EUR)"])) for row in read_csv(downloads["periods"])
    }
    assert of_period == {"vazio": (0.5, 0.1), "ponta": (2.25, pytest.approx(0.9))}


def test_a_meter_that_is_silent_since_days_has_its_month_and_no_day(here: Store, downloads: dict[str, str]) -> None:
    before = DAY - timedelta(days=3)
    here.database["meter_totals"].put(total("home-A", DAY, 1.0), total("home-B", before, 7.0))
    here.database["meter"].put(reading("home-B", before, sensor_id="home-B", energy_kwh=1.0))
    page("meters")
    rows = read_csv(downloads["totals"])
    assert [(one["meter"], one["month_kwh (kWh)"], one["day_kwh (kWh)"]) for one in rows] == [
        ("home-B", "70.0", ""),
        ("home-A", "10.0", "2.0"),
    ]


def test_of_many_meters_those_that_used_the_most_are_shown(here: Store, downloads: dict[str, str]) -> None:
    names = [f"meter-{number:03}" for number in range(100)]
    here.database["sources"].put(
        {"_id": "meter", "source": "file", "series": names, "cadence_s": 300, "since": DAY, "added": []}
    )
    here.database["meter_totals"].put(*(total(name, DAY, number) for number, name in enumerate(names)))
    told = page("meters")
    assert [one["meter"] for one in read_csv(downloads["totals"])] == names[:-31:-1]
    assert [one.value for one in told.caption][-1] == (
        "The 30 of 100 meters that used the most this month; choose others above."
    )
    page("meters", meter="meter-007")
    assert [one["meter"] for one in read_csv(downloads["totals"])] == ["meter-007"]


def test_each_of_many_tariff_periods_has_a_colour(here: Store) -> None:
    for number in range(8):
        at = DAY + timedelta(minutes=30 * number)
        here.database["meter_totals"].put(total("home-A", at, period=f"period {number}"))
    (chart,) = charts(page("meters"))
    scale = chart["encoding"]["color"]["scale"]
    assert len(scale["domain"]) == len(scale["range"]) == 8


def test_a_meters_small_line_is_of_what_was_used(here: Store, downloads: dict[str, str]) -> None:
    now = datetime.now(UTC)
    for minutes, kwh in ((15, 1000.0), (10, 1000.5), (5, 1002.5)):
        at = now - timedelta(minutes=minutes)
        here.database["meter"].put(reading("home-A", at, sensor_id="home-A", energy_kwh=kwh))
    page("arrivals", stream="meter", name="home-A")
    (row,) = read_csv(downloads["series"])
    assert (row["value"], row["recent"]) == ("1002.5", "from 0.5 to 2.0 kWh")


def month_sum(group: str, begins: date) -> dict[str, Any]:
    sums = {"production_group": group, "begins": begins.isoformat(), "quantity_kwh": 1e6, "hours": 744}
    return {"_id": production_sum_id("NO1", group, "month", begins), **sums}


def test_a_year_of_which_one_month_is_counted_is_headed_by_it(here: Store) -> None:
    for month, group in ((1, "hydro"), (1, "wind"), (2, "hydro")):
        here.database["production_sums"].put(month_sum(group, date(2021, month, 1)))
    headings = [one.value for one in page("production", area="NO1").markdown]
    assert "##### January 2021 by group" in headings
    here.database["production_sums"].put(month_sum("wind", date(2021, 2, 1)))
    st.cache_resource.clear()
    assert "##### 2 months of 2021 by group" in [one.value for one in page("production", area="NO1").markdown]


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


def prices(here: Store) -> None:
    at = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)
    for region, price, demand in (("NSW1", 40.0, 6000.0), ("VIC1", 80.0, 2000.0)):
        values = {"network_region": region, "price_per_mwh": price, "demand_mw": demand}
        here.database["market"].put(reading(region, at, **values))
        here.database["market_sums"].put({"_id": f"{region}|price", "timestamp": at, **values, "spike": False})
    fuels = {"BAYSW": ("NSW1", "coal", 1000.0, 75.0), "LOYYANGA": ("VIC1", "coal", 500.0, 45.5)}
    for code, (region, fuel, power, emissions) in fuels.items():
        values = {"power_mw": power, "emissions_t": emissions}
        here.database["facility"].put(reading(code, at, facility_code=code, **values))
        of = {"network_region": region, "fuel_group": fuel, **values}
        here.database["market_sums"].put({"_id": f"{region}|{fuel}", "timestamp": at, **of})


def test_the_markets_sums_are_of_what_is_stored(here: Store, downloads: dict[str, str]) -> None:
    prices(here)
    told = text(page("market"))
    for value, unit in (("1,500", "MW"), ("120.5", "t CO₂e"), ("50.0", "AUD/MWh"), ("8,000", "MW")):
        assert f'<span class="sw-value">{value}</span> <span class="sw-unit">{unit}</span>' in told
    power = {row["region"]: float(row["power (MW)"]) for row in read_csv(downloads["regions"])}
    assert power == {"NSW1": 1000.0, "VIC1": 500.0}


def test_the_market_has_charts_of_power_price_and_demand_and_says_where_a_filter_leaves_none(here: Store) -> None:
    prices(here)
    assert len(charts(page("market"))) == 3
    told = page("market", fuel="battery")
    assert len(charts(told)) == 2
    assert any("Nothing has come for what you chose" in one.value for one in told.info)
    assert not charts(page("market", region="WEM"))


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


def test_a_market_without_a_message_says_what_shows_one(here: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    client = SimpleNamespace(start=Mock(), state="connected", board=Board([]))
    monkeypatch.setattr(market, "live", lambda: client)
    told = page("market", **{"from": "MQTT"})
    assert any("`MQTT_TOPIC`" in one.value for one in told.info)
    assert "MQTT: connected" in text(told)
    client.start.assert_called()


def test_a_market_that_stopped_hours_ago_is_not_shown_as_if_it_were_now(
    here: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = SimpleNamespace(start=Mock(), state="connected", board=Board([]))
    monkeypatch.setattr(market, "live", lambda: client)
    now = datetime.now(UTC)
    client.board.take([Market(source="mqtt", network_region="NSW1", timestamp=now, price_per_mwh=50.0)])
    assert not page("market", **{"from": "MQTT"}).warning
    client.board = Board([])
    old = now - timedelta(hours=3)
    client.board.take([Market(source="mqtt", network_region="NSW1", timestamp=old, price_per_mwh=50.0)])
    assert any("nothing newer has come" in one.value for one in page("market", **{"from": "MQTT"}).warning)


def test_two_readers_at_once_make_one_mqtt_client(here: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def slowly(*_: object) -> object:
        time.sleep(0.05)
        made.append(object())
        return made[-1]

    monkeypatch.setattr(market, "LiveMarket", slowly)
    here.settings.mqtt_url = "mqtt://127.0.0.1"
    with ThreadPoolExecutor(2) as readers:
        one, other = readers.map(lambda _: market.live(), range(2))
    assert one is other
    assert len(made) == 1


def test_where_mqtt_cannot_be_read_the_store_is(here: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    prices(here)
    monkeypatch.setattr(market, "_live", Mock(side_effect=FileNotFoundError(2, "No such file", "/etc/ca.pem")))
    told = page("market", **{"from": "MQTT"})
    assert any("/etc/ca.pem" in one.value for one in told.warning)
    assert '<span class="sw-value">1,500</span>' in text(told)


def test_the_markets_map_begins_at_the_regions_of_the_address(here: Store) -> None:
    prices(here)
    for regions in ((), ("VIC1",), ("NSW1", "VIC1")):
        told = page("market", region=list(regions)) if regions else page("market")
        (deck,) = [json.loads(one.proto.json) for one in told.get("deck_gl_json_chart")]
        view = view_of(regions)
        assert (deck["initialViewState"]["longitude"], deck["initialViewState"]["zoom"]) == (view.longitude, view.zoom)


def test_a_region_without_a_price_has_its_power_in_the_table(here: Store, downloads: dict[str, str]) -> None:
    prices(here)
    for one in list(here.database["market"].documents):
        del here.database["market"].documents[one]
    page("market")
    power = {row["region"]: float(row["power (MW)"]) for row in read_csv(downloads["regions"])}
    assert power == {"NSW1": 1000.0, "VIC1": 500.0}


def test_a_setting_that_is_wrong_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["dashboard"])
    monkeypatch.setattr(dashboard.__main__, "load_settings", Mock())
    monkeypatch.setattr(arrivals, "watch", Mock(side_effect=ConfigError("skywatt.yml: streams.wether: unknown stream")))
    assert dashboard.__main__.main() == 2
    assert capsys.readouterr().err == "skywatt.yml: streams.wether: unknown stream\n"


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The CSV of each table that is shown."""
    found: dict[str, str] = {}

    def offer(key: str, write: Callable[[], str]) -> None:
        found[key] = write()

    monkeypatch.setattr(tables, "offer", offer)
    return found


def read_csv(told: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(told.removeprefix("\ufeff"))))


def charts(told: AppTest) -> list[Any]:
    """What each chart is told."""
    return [json.loads(one.proto.spec) for one in told.get("vega_lite_chart")]


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
