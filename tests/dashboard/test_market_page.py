"""The market's page as a reader sees it, without a browser: on a store in memory."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from dashboard.board import Board
from dashboard.map import view_of
from dashboard.store import Store
from dashboard.views import market
from readings.market import Market
from tests.dashboard.one_page import charts, page, read_csv, text
from tests.dashboard.stand_in import reading


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


def test_what_is_stamped_with_the_end_of_its_five_minutes_is_drawn_over_the_time_before(here: Store) -> None:
    prices(here)
    full_hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    of = {"network_region": "NSW1", "price_per_mwh": 40.0, "demand_mw": 6000.0}
    here.database["market_sums"].put({"_id": "NSW1|price|full", "timestamp": full_hour, **of, "spike": False})
    told = page("market", span="7 days")
    assert "The last five minutes before each full hour." in [one.value for one in told.caption]
    *_, price, demand = charts(told)
    assert price["layer"][0]["mark"]["interpolate"] == demand["mark"]["interpolate"] == "step-before"


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


def test_without_mqtt_the_market_says_what_reads_it_live(here: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def told() -> str:
        (asked,) = [one for one in page("market").get("button_group") if one.proto.label == "Read from"]
        return str(asked.proto.help)

    assert "`MQTT_URL`" in told()
    monkeypatch.setattr(market, "live", lambda: SimpleNamespace(start=Mock(), state="connected", board=Board([])))
    assert told() == ""


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
