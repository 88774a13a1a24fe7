"""The map of facilities: deck.gl by pydeck, on outlines of our own, so that no map server is asked."""

import functools
import json
import math
from collections.abc import Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pydeck as pdk
from pydeck.types import String

from dashboard.board import FacilityNow, RegionNow
from dashboard.fuels import COLOURS, icon_atlas, icon_mapping

OUTLINES = Path(__file__).with_name("outlines")
AUSTRALIA = pdk.ViewState(latitude=-31.2, longitude=144.6, zoom=3.6, min_zoom=2, max_zoom=12)
"""Where every reader begins who has chosen no regions, on a phone, too."""
FRAME_PX = (340.0, 560.0)
"""So much of the map a phone shows."""
PLACE_ZOOM = 3.2
NO_MAP = 'data:application/json,{"version":8,"sources":{},"layers":[]}'
"""A style of nothing: without a style Streamlit would ask a map server of its own choice."""
SMALLEST_PX, LARGEST_PX = 9.0, 36.0
LABELLED = 12
"""So many facilities are named, the largest whose names do not cover one another where a reader begins."""
NAME_PX, LETTER_PX = 14.0, 6.5
"""How high a name is, and how wide a letter."""
PRICED_AT = {
    "NSW1": (-30.6, 144.3),
    "QLD1": (-23.9, 142.4),
    "SA1": (-29.3, 136.8),
    "TAS1": (-42.2, 151.2),
    "VIC1": (-40.0, 141.0),
}
"""Where a region's price is written: beside most of its facilities."""
INK = {True: [214, 222, 230], False: [40, 52, 64]}
LAND = {True: [33, 44, 55, 255], False: [226, 232, 238, 255]}
MARKET = {True: [43, 58, 72, 255], False: [208, 220, 231, 255]}
LINE = {True: [96, 113, 130, 255], False: [255, 255, 255, 255]}


class Drawn(pdk.Deck):  # type: ignore[misc]  # pydeck has no types
    """A map whose JSON is made once, without pydeck's indentation: the readers are sent it every few seconds."""

    @functools.cached_property
    def _json(self) -> str:
        return orjson.dumps(orjson.loads(super().to_json())).decode()

    def to_json(self) -> str:
        """What deck.gl is told."""
        return self._json


@functools.cache
def outlines(name: str) -> Any:
    """A GeoJSON of the folder."""
    return json.loads((OUTLINES / f"{name}.geojson").read_text(encoding="utf-8"))


@functools.lru_cache(maxsize=16)
def market_map(
    facilities: tuple[FacilityNow, ...],
    regions: tuple[RegionNow, ...],
    measure: str,
    *,
    zone: ZoneInfo,
    dark: bool,
    markers: bool,
    labels: bool,
    around: tuple[str, ...] = (),
) -> Drawn:
    """The facilities, each with its fuel's icon, as large as `measure` (``power_mw`` or ``emissions_t``) is.

    The same for all who look at the same; new readings come every few minutes. It begins at the regions `around`.
    """
    view = view_of(around)
    placed = [one for one in facilities if one.latitude is not None]
    placed.sort(key=lambda one: -abs(getattr(one, measure) or 0))
    rows = [_row(one, measure, zone) for one in placed]
    layers = [_land(dark)]
    if markers:
        layers.append(_icons(rows))
    if labels:
        layers += [_prices(regions, dark), _names(_apart(placed, view.zoom), dark)]
    return Drawn(
        layers=layers,
        initial_view_state=view,
        map_style=NO_MAP,
        tooltip={"html": "<b>{name}</b> {code}<br>{told}", "style": {"fontSize": "12px", "borderRadius": "6px"}},
    )


@functools.cache
def view_of(regions: tuple[str, ...]) -> pdk.ViewState:
    """All of the regions and of their prices, as large as a phone can show them; without regions all of the market.

    It is another for other regions alone: with it the reader's own view is lost.
    """
    shapes = [one for one in outlines("nem_regions")["features"] if one["properties"]["region"] in regions]
    if not shapes or PRICED_AT.keys() <= set(regions):
        return AUSTRALIA
    polygons = [polygon for shape in shapes for polygon in shape["geometry"]["coordinates"]]
    corners = [(longitude, latitude) for polygon in polygons for ring in polygon for longitude, latitude in ring]
    corners += [(longitude, latitude) for name, (latitude, longitude) in PRICED_AT.items() if name in regions]
    spans = [(min(along), max(along)) for along in zip(*(pixels(*corner, 0) for corner in corners), strict=True)]
    zoom = min(math.log2(px / (last - first)) for px, (first, last) in zip(FRAME_PX, spans, strict=True))
    longitude, up = ((first + last) / 2 * 360 / 512 for first, last in spans)
    latitude = math.degrees(2 * math.atan(math.exp(math.radians(up)))) - 90
    return pdk.ViewState(
        latitude=round(latitude, 2),
        longitude=round(longitude, 2),
        zoom=round(zoom, 2),
        min_zoom=AUSTRALIA.min_zoom,
        max_zoom=AUSTRALIA.max_zoom,
    )


def size_px(value: float | None, measure: str) -> float:
    """The icon's side: its area grows with the value."""
    full = {"power_mw": 2000.0, "emissions_t": 150.0}[measure]
    return SMALLEST_PX + (LARGEST_PX - SMALLEST_PX) * math.sqrt(min(abs(value or 0.0) / full, 1.0))


def _row(one: FacilityNow, measure: str, zone: ZoneInfo) -> dict[str, Any]:
    value = getattr(one, measure)
    power = "no reading" if one.power_mw is None else f"{one.power_mw:,.1f} MW"
    emissions = "" if one.emissions_t is None else f" · {one.emissions_t:,.2f} t CO₂e in 5 min"
    of = "" if one.capacity_mw is None else f" of {one.capacity_mw:,.0f} MW"
    at = "" if one.at is None else f"<br>{_times(one.at, zone)}"
    return {
        "name": escape(one.name),
        "code": escape(one.code),
        "place": [one.longitude, one.latitude],
        "fuel": one.fuel if one.fuel in COLOURS else "unknown",
        "size": round(size_px(value, measure), 1),
        "told": f"{escape(one.fuel)}, {escape(one.region or 'no region')}<br>{power}{of}{emissions}{at}",
    }


def _times(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M} ({instant:%H:%M} UTC)"


def _land(dark: bool) -> pdk.Layer:
    return pdk.Layer(
        "GeoJsonLayer",
        outlines("nem_regions"),
        id="regions",
        get_fill_color=f"properties.region && properties.region != 'WEM' ? {MARKET[dark]} : {LAND[dark]}",
        get_line_color=LINE[dark],
        line_width_min_pixels=1,
        stroked=True,
        filled=True,
    )


def _icons(rows: Sequence[dict[str, Any]]) -> pdk.Layer:
    return pdk.Layer(
        "IconLayer",
        rows,
        id="facilities",
        icon_atlas=String(icon_atlas()),
        icon_mapping=icon_mapping(),
        get_icon="fuel",
        get_position="place",
        get_size="size",
        size_units=String("pixels"),
        pickable=True,
        opacity=0.92,
    )


def _names(rows: Sequence[dict[str, Any]], dark: bool) -> pdk.Layer:
    return pdk.Layer(
        "TextLayer",
        rows,
        id="names",
        get_text="text",
        get_position="place",
        get_size=11,
        get_color=INK[dark],
        get_pixel_offset=[0, 17],
        **_lettering(dark),
    )


def _apart(facilities: Sequence[FacilityNow], zoom: float) -> list[dict[str, Any]]:
    named: list[tuple[float, float, float]] = []
    found: list[dict[str, Any]] = []
    for one in facilities:
        if len(found) == LABELLED or one.longitude is None or one.latitude is None:
            continue
        x, y = pixels(one.longitude, one.latitude, zoom)
        half = LETTER_PX * len(one.name) / 2
        if all(abs(y - up) > NAME_PX or abs(x - across) > half + wide for across, up, wide in named):
            named.append((x, y, half))
            found.append({"text": one.name, "place": [one.longitude, one.latitude]})
    return found


def pixels(longitude: float, latitude: float, zoom: float) -> tuple[float, float]:
    """Where a place is on a Web Mercator map of 512 px at zoom 0, in px to the right and up."""
    up = math.degrees(math.log(math.tan(math.pi / 4 + math.radians(latitude) / 2)))
    return longitude * 512 * 2**zoom / 360, up * 512 * 2**zoom / 360


def _lettering(dark: bool) -> dict[str, Any]:
    """Letters with a rim, so that they can be read on icons."""
    return {
        "character_set": String("auto"),
        "font_family": String("Source Sans, sans-serif"),
        "font_settings": {"sdf": True, "fontSize": 48, "buffer": 8},
        "outline_width": 5,
        "outline_color": LAND[dark],
    }


def _prices(regions: Sequence[RegionNow], dark: bool) -> pdk.Layer:
    rows = [
        {"place": list(reversed(PRICED_AT[one.region])), "text": f"{one.region}\n{one.price_per_mwh:z,.0f} AUD/MWh"}
        for one in regions
        if one.region in PRICED_AT and one.price_per_mwh is not None
    ]
    return pdk.Layer(
        "TextLayer",
        rows,
        id="prices",
        get_text="text",
        get_position="place",
        get_size=15,
        get_color=INK[dark],
        font_weight=700,
        **_lettering(dark),
    )


def place_map(rows: Sequence[dict[str, Any]], chosen: str, *, zone: ZoneInfo, dark: bool) -> Drawn:
    """The places (``place, temperature, at, latitude, longitude``), each with its temperature in °C.

    It is centred on the chosen one, so that a phone shows it, too.
    """
    points = [
        {
            "place": [row["longitude"], row["latitude"]],
            "name": escape(row["place"]),
            "text": "–" if row["temperature"] is None else f"{row['temperature']:z.0f}°",
            "colour": temperature_colour(row["temperature"]),
            "told": "no reading" if row["at"] is None else f"{row['temperature']:.1f} °C<br>{_times(row['at'], zone)}",
        }
        for row in rows
    ]
    land = pdk.Layer(
        "GeoJsonLayer",
        outlines("countries"),
        id="land",
        get_fill_color=MARKET[dark],
        get_line_color=LINE[dark],
        line_width_min_pixels=1,
    )
    dots = pdk.Layer(
        "ScatterplotLayer",
        points,
        id="dots",
        get_position="place",
        get_fill_color="colour",
        get_line_color=[255, 255, 255],
        stroked=True,
        line_width_min_pixels=2,
        get_radius=15,
        radius_units=String("pixels"),
        pickable=True,
    )
    texts = pdk.Layer(
        "TextLayer",
        points,
        id="temperatures",
        get_text="text",
        get_position="place",
        get_size=12,
        get_color=[20, 28, 36],
        font_weight=700,
        character_set=String("auto"),
        font_family=String("Source Sans, sans-serif"),
    )
    names = pdk.Layer(
        "TextLayer",
        [{"text": row["place"], "place": [row["longitude"], row["latitude"]]} for row in rows],
        id="names",
        get_text="text",
        get_position="place",
        get_size=12,
        get_color=INK[dark],
        get_pixel_offset=[0, 24],
        **_lettering(dark),
    )
    return Drawn(
        layers=[land, dots, texts, names],
        initial_view_state=_around(chosen, rows),
        map_style=NO_MAP,
        tooltip={"html": "<b>{name}</b><br>{told}", "style": {"fontSize": "12px", "borderRadius": "6px"}},
    )


def temperature_colour(value: float | None) -> list[int]:
    """From blue (-15 °C and below) over white (8 °C) to orange (30 °C and above): told apart by the colour-blind."""
    if value is None:
        return [200, 205, 210]
    cold, mild, warm = (86, 180, 233), (244, 244, 240), (230, 130, 0)
    share, ends = ((8 - value) / 23, cold) if value < 8 else ((value - 8) / 22, warm)
    share = min(share, 1.0)
    return [round(a + share * (b - a)) for a, b in zip(mild, ends, strict=True)]


def _around(chosen: str, rows: Sequence[dict[str, Any]]) -> pdk.ViewState:
    for row in rows:
        if row["place"] == chosen:
            return pdk.ViewState(
                latitude=row["latitude"], longitude=row["longitude"], zoom=PLACE_ZOOM, min_zoom=0.8, max_zoom=12
            )
    return pdk.ViewState(latitude=50, longitude=0, zoom=1)
