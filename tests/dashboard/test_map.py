"""What deck.gl is told."""

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pydeck as pdk
import pytest

from dashboard.board import FacilityNow, RegionNow
from dashboard.map import AUSTRALIA, PRICED_AT, market_map, pixels, place_map, view_of

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
OSLO = ZoneInfo("Europe/Oslo")


def facility(code: str, power_mw: float | None, latitude: float | None = -33.0) -> FacilityNow:
    return FacilityNow(code, code, "NSW1", "wind", latitude, 150.0, 100.0, NOW, power_mw, 0.0)


def told(*facilities: FacilityNow, markers: bool = True, labels: bool = True) -> dict[str, list[dict[str, Any]]]:
    """By layer, its data."""
    regions = (RegionNow("NSW1", NOW, 61.4, 7000.0),)
    deck = market_map(facilities, regions, "power_mw", zone=OSLO, dark=False, markers=markers, labels=labels)
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
    deck = market_map((facility("one", power_mw),), (), "power_mw", zone=OSLO, dark=True, markers=True, labels=True)
    plain = pdk.Deck.to_json(deck)
    assert json.loads(deck.to_json()) == json.loads(plain)
    assert len(deck.to_json()) < len(plain) / 2
    assert (
        market_map((facility("one", power_mw),), (), "power_mw", zone=OSLO, dark=True, markers=True, labels=True)
        is deck
    )
    assert (
        market_map((facility("one", 21.0),), (), "power_mw", zone=OSLO, dark=True, markers=True, labels=True)
        is not deck
    )


def test_a_phone_shows_the_chosen_place_and_its_neighbours() -> None:
    places = {"Oslo": (59.9, 10.7), "Bergen": (60.4, 5.3), "Kristiansand": (58.2, 8.0), "New York JFK": (40.6, -73.8)}
    row: dict[str, Any] = {"temperature": 3.0, "at": NOW}
    rows = [{"place": name, "latitude": at[0], "longitude": at[1], **row} for name, at in places.items()]

    def shown(chosen: str) -> set[str]:
        view = json.loads(place_map(rows, chosen, zone=OSLO, dark=False).to_json())["initialViewState"]
        x, y = pixels(view["longitude"], view["latitude"], view["zoom"])
        at = {name: pixels(longitude, latitude, view["zoom"]) for name, (latitude, longitude) in places.items()}
        return {
            name for name, (right, up) in at.items() if abs(right - x) < 364 / 2 - 20 and abs(up - y) < 340 / 2 - 30
        }

    assert shown("Oslo") == {"Oslo", "Bergen", "Kristiansand"}
    assert shown("New York JFK") == {"New York JFK"}


def test_the_market_begins_with_all_its_corners_on_a_phone() -> None:
    x, y = pixels(AUSTRALIA.longitude, AUSTRALIA.latitude, AUSTRALIA.zoom)
    for longitude, latitude in ((135.6, -34.9), (145.4, -16.9), (153.5, -28.6), (146.9, -43.3)):
        right, up = pixels(longitude, latitude, AUSTRALIA.zoom)
        assert abs(right - x) < 364 / 2
        assert abs(up - y) < 600 / 2


@pytest.mark.parametrize(
    ("regions", "corners", "least_zoom"),
    [
        (("VIC1",), ((141.0, -34.0), (149.9, -37.5), PRICED_AT["VIC1"][::-1]), 4.5),
        (("TAS1",), ((144.6, -40.6), (147.0, -43.6), (148.3, -40.0), PRICED_AT["TAS1"][::-1]), 4.5),
        (("NSW1", "QLD1"), ((138.0, -26.0), (153.6, -28.6), (142.5, -10.7), (149.9, -37.5)), 3.6),
    ],
)
def test_the_map_begins_at_the_regions_that_are_chosen(
    regions: tuple[str, ...], corners: tuple[tuple[float, float], ...], least_zoom: float
) -> None:
    view = view_of(regions)
    assert least_zoom < view.zoom < 6
    x, y = pixels(view.longitude, view.latitude, view.zoom)
    for corner in corners:
        right, up = pixels(*corner, view.zoom)
        assert abs(right - x) < 364 / 2
        assert abs(up - y) < 600 / 2


def test_without_regions_or_with_all_it_begins_with_the_whole_market() -> None:
    assert view_of(()) is view_of(tuple(sorted(PRICED_AT))) is AUSTRALIA


def test_names_that_would_cover_one_another_are_not_drawn() -> None:
    near = [FacilityNow(f"F{n}", f"Facility {n}", "NSW1", "wind", -33 + n / 100, 150, 9.0, NOW, n, 0.0) for n in (1, 2)]
    far = FacilityNow("FAR", "Far away", "QLD1", "wind", -20.0, 146.0, 9.0, NOW, 0.5, 0.0)
    assert [row["text"] for row in told(*near, far)["names"]] == ["Facility 2", "Far away"]


def test_a_name_is_no_html_on_hover_and_itself_on_the_map() -> None:
    bad = FacilityNow("<i>", "A<b>&", "NSW1", "<u>", -33, 150, 9.0, NOW, 1.0, 0.0)
    layers = told(bad)
    (row,) = layers["facilities"]
    assert (row["name"], row["code"]) == ("A&lt;b&gt;&amp;", "&lt;i&gt;")
    assert "<u>" not in row["told"]
    assert layers["names"][0]["text"] == "A<b>&"
    place = {"place": "<b>", "latitude": 1.0, "longitude": 1.0, "temperature": None, "at": None}
    deck = json.loads(place_map([place], "<b>", zone=OSLO, dark=False).to_json())
    told_of = {layer["id"]: layer["data"] for layer in deck["layers"]}
    assert told_of["dots"][0]["name"] == "&lt;b&gt;"
    assert told_of["names"][0]["text"] == "<b>"


@pytest.mark.parametrize(("temperature", "text"), [(-0.2, "0°"), (0.2, "0°"), (-0.6, "-1°"), (None, "–")])
def test_what_rounds_to_zero_has_no_sign(temperature: float | None, text: str) -> None:
    place = {"place": "Oslo", "latitude": 59.9, "longitude": 10.7, "temperature": temperature}
    place["at"] = None if temperature is None else NOW
    deck = json.loads(place_map([place], "Oslo", zone=OSLO, dark=False).to_json())
    (dot,) = next(layer["data"] for layer in deck["layers"] if layer["id"] == "dots")
    assert dot["text"] == text


def test_a_facilitys_time_is_the_readers_with_utc_beside_it() -> None:
    (row,) = told(facility("one", 10.0))["facilities"]
    assert row["told"].endswith("<br>2026-11-24 04:00 (03:00 UTC)")
