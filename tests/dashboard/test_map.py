"""What deck.gl is told."""

import json
from datetime import UTC, datetime
from typing import Any

import pydeck as pdk
import pytest

from dashboard.board import FacilityNow, RegionNow
from dashboard.map import market_map

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)


def facility(code: str, power_mw: float | None, latitude: float | None = -33.0) -> FacilityNow:
    return FacilityNow(code, code, "NSW1", "wind", latitude, 150.0, 100.0, NOW, power_mw, 0.0)


def told(*facilities: FacilityNow, markers: bool = True, labels: bool = True) -> dict[str, list[dict[str, Any]]]:
    """By layer, its data."""
    regions = (RegionNow("NSW1", NOW, 61.4, 7000.0),)
    deck = market_map(facilities, regions, "power_mw", dark=False, markers=markers, labels=labels)
    return {layer["id"]: layer["data"] for layer in json.loads(deck.to_json())["layers"]}


def test_the_largest_comes_first_and_what_has_no_place_is_left_out() -> None:
    layers = told(facility("small", 10.0), facility("large", 500.0), facility("nowhere", 900.0, latitude=None))
    assert [row["code"] for row in layers["facilities"]] == ["large", "small"]
    sizes = [row["size"] for row in layers["facilities"]]
    assert sizes == sorted(sizes, reverse=True)
    assert [row["text"] for row in layers["prices"]] == ["NSW1\n61 AUD/MWh"]


def test_markers_and_labels_can_be_left_out() -> None:
    assert set(told(facility("one", 1.0), markers=False)) == {"regions", "prices", "names"}
    assert set(told(facility("one", 1.0), labels=False)) == {"regions", "facilities"}


@pytest.mark.parametrize("power_mw", [20.0, None])
def test_it_is_what_pydeck_says_and_the_same_for_all_who_look_at_the_same(power_mw: float | None) -> None:
    deck = market_map((facility("one", power_mw),), (), "power_mw", dark=True, markers=True, labels=True)
    plain = pdk.Deck.to_json(deck)
    assert json.loads(deck.to_json()) == json.loads(plain)
    assert len(deck.to_json()) < len(plain) / 2
    assert market_map((facility("one", power_mw),), (), "power_mw", dark=True, markers=True, labels=True) is deck
    assert market_map((facility("one", 21.0),), (), "power_mw", dark=True, markers=True, labels=True) is not deck
