"""Australia's market as it is now: a map of the facilities, sums, the last day, and what came last."""

import functools
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import charts
from dashboard.background import Background
from dashboard.board import STALE, Board, Event, FacilityNow, RegionNow, Seen, Sums, chosen, newest_of, sums
from dashboard.fuels import COLOURS, REGION_COLOURS, legend_icon
from dashboard.live import LiveMarket
from dashboard.look import cards, empty, head_start, is_dark, one_of, refreshed
from dashboard.map import market_map
from dashboard.market import MarketReader, MarketSeen, by_fuel, by_region, stacked, week_of
from dashboard.store import store
from dashboard.tables import Column, Html, Row, show_table
from dashboard.times import reader_zone, time_html
from readings.errors import ConfigError

STREAMS = ("facility", "market")
EVERY_S = 3.0
CHARTS_EVERY_S = 15.0
EVENTS_SHOWN = 200
MEASURES = {"power_mw": "power", "emissions_t": "emissions"}
ONE_CLIENT = threading.Lock()
SOURCES = {"store": "store", "mqtt": "MQTT"}
SPANS = {"24 hours": 24, "6 hours": 6, "7 days": 168}
REGIONS = list(REGION_COLOURS)
CADENCE = timedelta(minutes=5)
STACKED = ["battery", *(name for name in COLOURS if name != "battery")]
"""From zero on: what is given at one time and taken at another lies there, so that its area crosses no other."""
FUELS = [name for name in COLOURS if name != "unknown"]
TO_BEGIN = "`bash run.sh` replays a recorded day of the market; docs/sources.md says how it goes live."
TO_BE_LIVE = "With `MQTT_URL` in `.env` each message can be seen here as it comes (docs/sources.md)."


@functools.cache
def watch() -> Background[MarketSeen]:
    """What this process knows of the market from the store."""
    return Background("market", MarketReader(store()).read, EVERY_S - 1)


def live() -> LiveMarket | None:
    """This process's client of the MQTT broker; None where MQTT_URL is not set. Raises OSError, ConfigError."""
    with ONE_CLIENT:
        return _live()


@functools.cache
def _live() -> LiveMarket | None:
    here = store()
    if not here.settings.mqtt_url:
        return None
    return LiveMarket(here.settings, Board(here.streams["facility"].config.places()), here.streams)


def _sources() -> dict[str, str]:
    """What can be read from; where MQTT cannot, the page says why and has the store."""
    try:
        return SOURCES if live() else {"store": SOURCES["store"]}
    except (OSError, ConfigError) as error:
        st.warning(f"The market cannot be read from MQTT: {error}")
        return {"store": SOURCES["store"]}


def page() -> None:
    """The page."""
    st.html('<div class="sw-lead">Australia\'s electricity market</div>')
    bound: dict[str, Any] = {"bind": "query-params"}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        regions = st.pills("Regions", REGIONS, selection_mode="multi", key="region", **bound)
        fuels = st.pills("Fuels", FUELS, selection_mode="multi", key="fuel", **bound)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        measure = one_of("Size of the icons", MEASURES, "size")
        sources = _sources()
        source = one_of("Read from", sources, "from", None if "mqtt" in sources else TO_BE_LIVE)
        markers = st.toggle("Facilities", True, key="markers", **bound)
        labels = st.toggle("Labels", True, key="labels", **bound)
    wanted = (tuple(regions), tuple(fuels))
    refreshed("The map", EVERY_S, _now, wanted, measure, source, markers, labels)
    head_start()
    span = one_of("Time", {name: name for name in SPANS}, "span")
    refreshed("The charts", CHARTS_EVERY_S, _history, wanted, measure, SPANS[span])
    refreshed("Recent events", EVERY_S, _events, wanted, source)


def _seen(source: str) -> Seen:
    client = live() if source == "mqtt" else None
    if client is None:
        return watch().newest().seen
    client.start()
    return client.board.seen()


def _now(wanted: tuple[Sequence[str], Sequence[str]], measure: str, source: str, markers: bool, labels: bool) -> None:
    seen = _seen(source)
    facilities, regions, _ = chosen(seen, *wanted)
    _note(seen, source)
    if not seen.events and not seen.regions:
        if source == "mqtt":
            empty("No message has come yet.", "Each shows here as soon as it is published to `MQTT_TOPIC`.")
        else:
            empty("No readings of the market in the last half hour.", TO_BEGIN)
    _cards(sums(facilities, regions), len(facilities), seen, source)
    left, right = st.columns(2)
    with left:
        deck = market_map(
            tuple(facilities),
            tuple(regions),
            measure,
            zone=reader_zone(),
            dark=is_dark(),
            markers=markers,
            labels=labels,
            around=tuple(sorted(wanted[0])),
        )
        st.pydeck_chart(deck, height=600, key="map", alt="Map of the facilities of Australia's electricity market")
    with right:
        _regions(facilities, regions)


def _note(seen: Seen, source: str) -> None:
    now = datetime.now(UTC)
    newest = newest_of(seen)
    told = "No reading yet" if newest is None else f"Newest reading {time_html(newest, reader_zone(), now)}"
    if source == "mqtt" and (client := live()):
        told += f"; MQTT: {client.state}"
    st.html(f'<p class="sw-note">{told}. What is {STALE.seconds // 60} minutes older than the newest is left out.</p>')
    if newest and now - newest > STALE:
        st.warning("This is how it was then: nothing newer has come. The page **Arrivals** says what is silent.")


def _cards(total: Sums, number: int, seen: Seen, source: str) -> None:
    price = "–" if total.price_per_mwh is None else f"{total.price_per_mwh:,.1f}"
    told = [
        ("Power", f"{total.power_mw:,.0f}", "MW", f"{total.facilities:,} of {number:,} facilities"),
        ("Emissions", f"{total.emissions_t:,.1f}", "t CO₂e", "in five minutes"),
        ("Price", price, "AUD/MWh", "mean by demand"),
        ("Demand", f"{total.demand_mw:,.0f}", "MW", "of the regions"),
    ]
    if source == "mqtt" or seen.bad:
        bad = f"{seen.bad:,} bad" + (f": {seen.last_bad[:80]}" if seen.bad else "")
        told.append(("Messages" if source == "mqtt" else "Readings", f"{seen.taken:,}", "taken", escape(bad)))
    cards(*told)


def _regions(facilities: Sequence[FacilityNow], regions: Sequence[RegionNow]) -> None:
    rows: list[Row] = []
    priced = {one.region: one for one in regions}
    for region in sorted(priced.keys() | {one.region for one in facilities if one.region and one.at}):
        known = priced.get(region)
        total = sums([facility for facility in facilities if facility.region == region], [])
        rows.append(
            {
                "region": region,
                "price": known.price_per_mwh if known else None,
                "demand": known.demand_mw if known else None,
                "power": total.power_mw,
                "emissions": total.emissions_t,
            }
        )
    columns = [Column("region", "Region"), Column("price", "Price", "AUD/MWh", 1), Column("demand", "Demand", "MW")]
    columns += [Column("power", "Power", "MW"), Column("emissions", "Emissions", "t/5 min", 1)]
    show_table("regions", columns, rows, reader_zone(), caption="Price, demand, power and emissions by region")
    rows = []
    for fuel in COLOURS:
        mine = [one for one in facilities if one.fuel == fuel]
        if mine:
            total = sums(mine, [])
            rows.append(
                {
                    "fuel": _with_icon(fuel),
                    "facilities": total.facilities,
                    "power": total.power_mw,
                    "emissions": total.emissions_t,
                }
            )
    columns = [Column("fuel", "Fuel"), Column("facilities", "Facilities"), Column("power", "Power", "MW")]
    columns.append(Column("emissions", "Emissions", "t/5 min", 1))
    show_table("fuels", columns, rows, reader_zone(), caption="Power and emissions by fuel")


def _history(wanted: tuple[Sequence[str], Sequence[str]], measure: str, hours: int) -> None:
    regions, fuels = wanted
    market = watch().newest()
    frame = _week() if hours > 24 else market.sums
    frame = frame[frame["timestamp"] >= pd.Timestamp(market.at) - pd.Timedelta(hours=hours)]
    if frame.empty:
        empty("No sums of the market yet.", "They follow the readings within seconds.")
        return
    left, middle, right = st.columns(3)
    with left:
        st.markdown(f"##### {MEASURES[measure].capitalize()} by fuel")
        rows = stacked(by_fuel(frame, regions, fuels, measure), STACKED)
        rows = charts.broken(rows, CADENCE, ["fuel_group"], values=["value", "low", "high"])
        _drawn(_fuel_chart(_names(rows["fuel_group"]), measure), rows, "fuels", "By fuel over time")
    with middle:
        st.markdown("##### Price by region")
        rows = charts.broken(by_region(frame, regions, "price_per_mwh"), CADENCE, ["network_region"])
        _drawn(_price_chart(_names(rows["network_region"])), rows, "prices", "Prices by region over time")
    with right:
        st.markdown("##### Demand by region")
        rows = charts.broken(by_region(frame, regions, "demand_mw"), CADENCE, ["network_region"])
        _drawn(_demand_chart(_names(rows["network_region"])), rows, "demands", "Demand by region over time")
    if hours > 24:
        st.caption("The last five minutes before each full hour.")
    elif market.since > market.at - pd.Timedelta(hours=hours - 0.5):
        st.caption("The time before is being read.")


def _names(column: "pd.Series[Any]") -> tuple[str, ...]:
    return tuple(sorted(column.unique()))


def _drawn(chart: charts.Chart, rows: pd.DataFrame, key: str, told: str) -> None:
    if rows.empty:
        empty("Nothing has come for what you chose.", "Choose more regions or fuels.")
    else:
        charts.show(chart, rows, key, told)


@st.cache_resource(ttl=300, show_spinner=False, refresh_mode="background")
def _week() -> pd.DataFrame:
    return week_of(store(), datetime.now(UTC))


@charts.made_once
def _fuel_chart(fuels: tuple[str, ...], measure: str) -> Any:
    unit = {"power_mw": "MW", "emissions_t": "t in 5 min"}[measure]
    return (
        charts.chart_of_rows()
        .mark_area(opacity=0.88)
        .encode(
            x=charts.time_axis(),
            y=alt.Y("low:Q", title=unit),
            y2="high:Q",
            color=charts.colours(COLOURS, fuels, "fuel_group"),
            tooltip=charts.tooltip(("fuel_group:N", "fuel", ""), ("value:Q", unit, ",.1f"), *charts.TIMES),
        )
    )


@charts.made_once
def _price_chart(regions: tuple[str, ...]) -> Any:
    lines = _region_chart(regions, "AUD/MWh", ",.2f")
    spikes = lines.transform_filter("datum.spike").mark_point(filled=True, opacity=1, size=45, shape="triangle-up")
    return alt.layer(lines, spikes)


@charts.made_once
def _demand_chart(regions: tuple[str, ...]) -> Any:
    return _region_chart(regions, "MW", ",.0f")


def _region_chart(regions: tuple[str, ...], unit: str, form: str) -> Any:
    told = charts.tooltip(("network_region:N", "region", ""), ("value:Q", unit, form), *charts.TIMES)
    colour = charts.colours(REGION_COLOURS, regions, "network_region")
    y = alt.Y("value:Q", title=unit)
    base = charts.chart_of_rows().encode(x=charts.time_axis(), y=y, color=colour, tooltip=told)
    return base.mark_line(strokeWidth=1.6, interpolate="step-before")  # a time is the end of its five minutes


def _events(wanted: tuple[Sequence[str], Sequence[str]], source: str) -> None:
    st.markdown("##### Recent events")
    _, _, events = chosen(_seen(source), *wanted)
    if not events:
        empty(
            "Nothing has come for what you chose.", "Choose more regions or fuels, or wait for the next five minutes."
        )
        return
    columns = [Column("at", "Event time"), Column("what", "Facility or region"), Column("region", "Region")]
    columns += [
        Column("fuel", "Fuel"),
        Column("power", "Power", "MW", 1),
        Column("emissions", "Emissions", "t/5 min", 2),
    ]
    columns += [Column("price", "Price", "AUD/MWh", 2), Column("demand", "Demand", "MW")]
    zone = reader_zone()
    show_table("events", columns, events, zone, caption="Recent events", most=EVENTS_SHOWN, as_row=_event)


def _event(one: Event) -> Row:
    if isinstance(one, RegionNow):
        return {
            "at": one.at,
            "what": one.region,
            "region": one.region,
            "price": one.price_per_mwh,
            "demand": one.demand_mw,
        }
    row: Row = {"at": one.at, "what": one.name, "region": one.region, "fuel": _fuel(one.fuel)}
    return row | {"power": one.power_mw, "emissions": one.emissions_t}


def _with_icon(fuel: str) -> Html:
    """A fuel with its icon on the map."""
    return Html(f'<img src="{legend_icon(fuel)}" width="20" height="20" alt=""> {escape(fuel)}', fuel)


def _fuel(fuel: str) -> Html:
    colour = COLOURS.get(fuel, COLOURS["unknown"])
    return Html(f'<span class="sw-fuel" style="background:{colour}"></span>{escape(fuel)}', fuel)
