"""What the market's reader keeps of the store: sums that come later or go again, and readings that come late."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from dashboard import charts, market
from dashboard.board import RegionNow
from dashboard.market import MarketReader, MarketSeen, stacked
from dashboard.store import Store
from dashboard.views.market import CADENCE
from tests.dashboard.stand_in import reading, stand_in

NOW = datetime.now(UTC).replace(second=0, microsecond=0)


@pytest.fixture(autouse=True)
def _at_the_tests_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole run collects its tests long before it comes to them."""
    monkeypatch.setitem(globals(), "NOW", datetime.now(UTC).replace(second=0, microsecond=0))


@pytest.fixture
def here() -> Store:
    return stand_in()


def price(here: Store, minutes_ago: float, value: float) -> str:
    at = NOW - timedelta(minutes=minutes_ago)
    values: dict[str, Any] = {"network_region": "NSW1", "price_per_mwh": value, "demand_mw": 7000.0}
    document = {"_id": f"NSW1|price|{at}", "timestamp": at, **values, "spike": False}
    here.database["market_sums"].put(document)
    return str(document["_id"])


def after_a_walk(reader: MarketReader) -> MarketSeen:
    """What is seen when the whole window was read once more."""
    return [reader.read() for _ in range(market.WINDOW // market.PIECE + 1)][-1]


def test_sums_that_are_stored_after_the_first_look_are_seen(here: Store) -> None:
    reader = MarketReader(here)
    assert reader.read().sums.empty
    price(here, 1, 40.0)
    assert list(reader.read().sums["price_per_mwh"]) == [40.0]
    for number in range(1, 280):  # a backfill
        price(here, 5 * number, 50.0)
    assert len(after_a_walk(reader).sums) == 280


def test_sums_that_are_deleted_are_forgotten(here: Store) -> None:
    gone = price(here, 600, 1.0)
    price(here, 300, 2.0)
    reader = MarketReader(here)
    assert len(after_a_walk(reader).sums) == 2
    del here.database["market_sums"].documents[gone]
    assert list(after_a_walk(reader).sums["price_per_mwh"]) == [2.0]


def test_the_first_rounds_walk_while_there_is_time_and_later_ones_a_piece(
    here: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = MarketReader(here)
    assert reader.read().since <= datetime.now(UTC) - market.WINDOW
    sums = here.database["market_sums"]
    sums.asked.clear()
    reader.read()
    assert len(sums.asked) == 2
    monkeypatch.setattr(market, "ROUND_S", 0.0)
    slow = MarketReader(here).read()
    assert slow.since > slow.at - market.WINDOW


def test_a_facility_that_is_behind_the_newest_is_on_the_board(here: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    facility = here.database["facility"]

    def came(code: str, minutes_ago: float, power_mw: float) -> None:
        at = NOW - timedelta(minutes=minutes_ago)
        facility.put(reading(code, at, facility_code=code, power_mw=power_mw))

    came("BAYSW", 0, 1000.0)
    reader = MarketReader(here)
    reader.read()
    came("ERARING", 10, 2000.0)
    monkeypatch.setattr(market, "BEHIND_EVERY_S", 0.0)
    seen = reader.read().seen
    power = {one.code: one.power_mw for one in seen.facilities if one.at}
    assert power == {"BAYSW": 1000.0, "ERARING": 2000.0}


def test_what_is_read_again_is_no_event_and_what_was_revised_is_one(
    here: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market, "BEHIND_EVERY_S", 0.0)
    stored = here.database["market"]
    for minutes_ago in (10, 5, 0):
        at = NOW - timedelta(minutes=minutes_ago)
        stored.put(reading("VIC1", at, network_region="VIC1", price_per_mwh=20.0, demand_mw=5000.0))
    reader = MarketReader(here)
    assert len(reader.read().seen.events) == len(reader.read().seen.events) == 3
    stored.put(reading("VIC1", NOW, network_region="VIC1", price_per_mwh=21.0, demand_mw=5000.0))
    seen = reader.read().seen
    assert seen.events[0] == seen.regions[0] == RegionNow("VIC1", NOW, 21.0, 5000.0)
    assert len(seen.events) == 4


def test_a_document_that_is_no_reading_is_counted_once_and_the_others_are_read(here: Store) -> None:
    stored = here.database["market"]
    stored.put(reading("VIC1", NOW, network_region="VIC1", price_per_mwh="dear", demand_mw=5000.0))
    stored.put(reading("SA1", NOW, network_region="SA1", price_per_mwh=20.0, demand_mw=1000.0))
    reader = MarketReader(here)
    reader.read()
    seen = reader.read().seen
    assert [one.region for one in seen.regions] == ["SA1"]
    assert seen.bad == 1
    assert "price_per_mwh" in seen.last_bad


@pytest.mark.parametrize("live_minutes_ago", [5, 20])
def test_what_go_live_removes_is_on_the_board_no_more(here: Store, live_minutes_ago: int) -> None:
    stored = here.database["market"]

    def came(minutes_ago: int, dollars: float) -> None:
        at = NOW - timedelta(minutes=minutes_ago)
        stored.put(reading("VIC1", at, network_region="VIC1", price_per_mwh=dollars, demand_mw=5000.0))

    for minutes_ago in (10, 5, 0):
        came(minutes_ago, 999.0)
    reader = MarketReader(here)
    assert len(reader.read().seen.events) == 3
    stored.documents.clear()
    seen = reader.read().seen
    assert (seen.regions, seen.events) == ((), ())
    came(live_minutes_ago, 20.0)
    seen = reader.read().seen
    assert [one.price_per_mwh for one in seen.regions] == [20.0]
    assert len(seen.events) == 1


def test_what_is_taken_is_stacked_below_zero_and_the_first_fuel_lies_at_zero() -> None:
    at, then = (pd.Timestamp(NOW) + pd.Timedelta(minutes=minutes) for minutes in (0, 5))
    told = [
        (at, "coal", 100.0),
        (at, "battery", 10.0),
        (then, "coal", 90.0),
        (then, "battery", -20.0),
        (then, "solar", -1.0),
    ]
    rows = stacked(pd.DataFrame(told, columns=["timestamp", "fuel_group", "value"]), ["battery", "coal"])
    places = {(one["timestamp"], one["fuel_group"]): (one["low"], one["high"]) for _, one in rows.iterrows()}
    assert places == {
        **{(at, "battery"): (0, 10), (at, "coal"): (10, 110)},
        **{(then, "battery"): (0, -20), (then, "coal"): (0, 90), (then, "solar"): (-20, -21)},
    }


def test_a_fuel_that_stays_away_is_broken_while_the_others_go_on() -> None:
    times = pd.date_range(pd.Timestamp(NOW), periods=144, freq="5min")
    away = range(20, 128)
    told = [(at, "coal", 100.0) for number, at in enumerate(times) if number not in away]
    told += [(at, "solar", 5.0) for at in times]
    rows = stacked(pd.DataFrame(told, columns=["timestamp", "fuel_group", "value"]), ["coal", "solar"])
    drawn = charts.broken(rows, CADENCE, ["fuel_group"], values=["value", "low", "high"])
    assert list(drawn[drawn["high"].isna()]["fuel_group"]) == ["coal"]
    assert set(drawn["value"].dropna()) == {100.0, 5.0}
    solar = rows[rows["fuel_group"] == "solar"].reset_index(drop=True)
    assert list(solar["low"]) == [0.0 if number in away else 100.0 for number in range(144)]
