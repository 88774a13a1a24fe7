"""The board of the market: what is newest, what counts to the sums, and what a filter leaves."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.board import UNKNOWN_KEPT, Board, chosen, sums
from readings.config import Place
from readings.facility import Facility
from readings.market import Market

NOW = datetime(2026, 11, 27, 1, 5, tzinfo=UTC)
PLACES = [
    Place(
        name="COAL1",
        title="Coal One",
        latitude=-32,
        longitude=150,
        area="NSW1",
        fuel_groups=("coal",),
        capacity_mw=2000,
    ),
    Place(name="WIND1", title="Wind One", latitude=-37, longitude=143, area="VIC1", fuel_groups=("wind",)),
]


def facility(code: str, power: float, minutes_ago: int = 0) -> Facility:
    at = NOW - timedelta(minutes=minutes_ago)
    return Facility(source="test", facility_code=code, timestamp=at, power_mw=power, emissions_t=power / 100)


def market(region: str, price: float, demand: float) -> Market:
    return Market.model_validate(
        {"source": "test", "network_region": region, "timestamp": NOW, "price_per_mwh": price, "demand_mw": demand}
    )


@pytest.fixture
def board() -> Board:
    board = Board(PLACES)
    board.take([facility("COAL1", 1000), facility("WIND1", 200), facility("NEW", 5)])
    board.take([market("NSW1", 100, 3000), market("VIC1", 20, 1000)])
    return board


def test_an_older_reading_does_not_replace_a_newer_one(board: Board) -> None:
    board.take([facility("COAL1", 900, minutes_ago=10)])
    assert {one.code: one.power_mw for one in board.seen().facilities}["COAL1"] == 1000
    assert board.seen().events[0].at == NOW - timedelta(minutes=10)


def test_sums_are_of_what_was_chosen_and_the_price_is_weighed_by_demand(board: Board) -> None:
    seen = board.seen()
    total = sums(seen.facilities, seen.regions)
    assert (total.power_mw, total.emissions_t, total.demand_mw, total.facilities) == (1205, 12.05, 4000, 3)
    assert total.price_per_mwh == pytest.approx((100 * 3000 + 20 * 1000) / 4000)
    facilities, regions, events = chosen(seen, ["VIC1"], [])
    assert sums(facilities, regions).power_mw == 200
    assert {one.region for one in events} == {"VIC1"}
    assert sums(*chosen(seen, [], ["coal"])[:2]).power_mw == 1000


def test_what_is_much_older_than_the_newest_counts_no_more(board: Board) -> None:
    late = Facility(source="t", facility_code="WIND1", timestamp=NOW + timedelta(minutes=45), power_mw=210.0)
    board.take([late])
    facilities, regions, _ = chosen(board.seen(), [], [])
    assert sums(facilities, regions).power_mw == 210
    assert {one.code: one.at for one in facilities}["COAL1"] is None


def test_a_region_that_is_much_older_than_the_newest_counts_no_more(board: Board) -> None:
    later = {"timestamp": NOW + timedelta(minutes=45), "price_per_mwh": 30.0, "demand_mw": 1100.0}
    board.take([Market.model_validate({"source": "t", "network_region": "VIC1", **later})])
    total = sums(*chosen(board.seen(), [], [])[:2])
    assert (total.demand_mw, total.price_per_mwh, total.power_mw) == (1100, 30, 0)


def test_of_codes_that_nobody_knows_the_last_are_kept(board: Board) -> None:
    board.take(facility(f"JUNK{number}", 1) for number in range(UNKNOWN_KEPT + 50))
    codes = [one.code for one in board.seen().facilities]
    assert len(codes) == len(PLACES) + UNKNOWN_KEPT
    assert {"COAL1", "WIND1", f"JUNK{UNKNOWN_KEPT + 49}"} <= set(codes)
    assert "JUNK0" not in codes
