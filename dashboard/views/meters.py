"""Meters: what each used this month and today, half hour by half hour, and what it costs by the tariff's periods."""

import itertools
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import charts
from dashboard.look import cards, empty, refreshed
from dashboard.queries import half_hours, newest_day, totals_of
from dashboard.store import store
from dashboard.tables import Column, Html, Row, show_table
from dashboard.theme import BLUE, GREEN, ORANGE, PINK, SKY, VERMILION
from dashboard.times import reader_zone, told_html
from dashboard.views.arrivals import watch
from readings.declared import declared

EVERY_S = 15.0
TARIFF_ZONE = ZoneInfo("Europe/Lisbon")
MOST_METERS = 30
PERIOD_COLOURS = (BLUE, ORANGE, VERMILION, GREEN, PINK, SKY)
TO_BEGIN = "`bash run.sh` replays recorded meters; live: `METERS_FILE`."


def page() -> None:
    """The page."""
    st.html('<div class="sw-lead">Meters</div>')
    refreshed("Meters", EVERY_S, _chosen)


def _chosen() -> None:
    meters = _declared()
    newest = _newest()
    if newest is None or not meters:
        empty("No totals of meters are stored yet.", TO_BEGIN)
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        last = date.fromisoformat(newest)
        _follow(last)
        day = st.date_input(
            "Day",
            value=last,
            min_value=last - timedelta(days=800),
            max_value=last,
            key="day",
            bind="query-params",
            width=180,
        )
        wanted = st.multiselect("Meters", meters, key="meter", bind="query-params", placeholder="all", width=520)
    _day(str(day or last), tuple(wanted or meters[:MOST_METERS]))
    if not wanted and len(meters) > MOST_METERS:
        st.caption(f"The first {MOST_METERS} of {len(meters):,} meters; choose others above.")


def _follow(last: date) -> None:
    """Has the newest day chosen where the one that was the newest before still is."""
    if st.session_state.get("day") == st.session_state.get("newest-day") != last:
        st.session_state.pop("day", None)
    st.session_state["newest-day"] = last


@st.cache_resource(ttl=60, show_spinner=False, refresh_mode="background")
def _declared() -> list[str]:
    here = store()
    return sorted(declared(here.database, here.streams["meter"]).series)


@st.cache_resource(ttl=60, show_spinner=False, refresh_mode="background")
def _newest() -> str | None:
    day = newest_day(store(), datetime.now(TARIFF_ZONE).date())
    if day is None:
        seen = [one.newest.at for one in watch().newest().of("meter") if one.newest]
        day = newest_day(store(), max(seen).astimezone(TARIFF_ZONE).date()) if seen else None
    return day


@st.cache_resource(ttl=10, max_entries=40, show_spinner=False, refresh_mode="background")
def _totals(day: str, meters: tuple[str, ...]) -> pd.DataFrame:
    return totals_of(store(), day, meters)


def _day(day: str, meters: tuple[str, ...]) -> None:
    totals = _totals(day, meters)
    if totals.empty:
        empty(f"No totals of {day}.", "Choose another day or other meters.")
        return
    newest = totals.groupby("sensor_id", as_index=False).last()
    halves = half_hours(totals)
    cards(
        ("Energy of the day", f"{newest['day_kwh'].sum():,.1f}", "kWh", f"{len(newest)} meters"),
        ("Cost of the day", f"{newest['day_cost_eur'].sum():,.2f}", "EUR", "by the tariff"),
        ("Energy of the month", f"{newest['month_kwh'].sum():,.1f}", "kWh", str(newest["month"].iloc[-1])),
    )
    left, right = st.columns(2)
    with left:
        st.markdown("##### Month and day so far, the largest first")
        _sorted(newest)
    with right:
        st.markdown("##### Cost by tariff period")
        _cost(halves)
    st.markdown("##### Energy in each half hour")
    _half_hours(halves)


def _sorted(newest: pd.DataFrame) -> None:
    ordered = newest.sort_values(["month_kwh", "sensor_id"], ascending=False)
    rows: list[Row] = [
        {
            "meter": one["sensor_id"],
            "month_kwh": one["month_kwh"],
            "day_kwh": one["day_kwh"],
            "day_cost_eur": one["day_cost_eur"],
            "until": one["until"].to_pydatetime(),
        }
        for one in ordered.to_dict("records")
    ]
    columns = [Column("meter", "Meter"), Column("month_kwh", "Month", "kWh", 3), Column("day_kwh", "Day", "kWh", 3)]
    columns += [Column("day_cost_eur", "Day's cost", "EUR", 2), Column("until", "Until")]
    show_table("totals", columns, rows, reader_zone(), caption="Energy and cost by meter")


def _cost(halves: pd.DataFrame) -> None:
    by_period = halves.groupby(["sensor_id", "period"], as_index=False)[["half_hour_kwh", "half_hour_cost_eur"]].sum()
    periods = list(dict.fromkeys(halves.sort_values("half_hour")["period"]))
    height = 120 + 22 * by_period["sensor_id"].nunique()
    charts.show(_cost_chart(tuple(periods)), by_period, "cost", "Cost of the day by meter and tariff period", height)
    rows: list[Row] = [
        {"period": name, "kwh": of["half_hour_kwh"].sum(), "eur": of["half_hour_cost_eur"].sum()}
        for name, of in by_period.groupby("period")
    ]
    columns = [Column("period", "Period"), Column("kwh", "Energy", "kWh", 3), Column("eur", "Cost", "EUR", 2)]
    show_table("periods", columns, rows, reader_zone(), caption="Energy and cost by tariff period")


@charts.made_once
def _cost_chart(periods: tuple[str, ...]) -> Any:
    palette = dict(zip(periods, itertools.cycle(PERIOD_COLOURS), strict=False))
    return (
        charts.chart_of_rows()
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            y=alt.Y("sensor_id:N", title=None, sort="-x", axis=alt.Axis(labelOverlap=False, labelFlush=False)),
            x=alt.X("half_hour_cost_eur:Q", title="EUR on the day", axis=alt.Axis(labelFlush=False)),
            color=charts.colours(palette, periods, "period"),
            tooltip=charts.tooltip(
                ("sensor_id:N", "meter", ""),
                ("period:N", "period", ""),
                ("half_hour_cost_eur:Q", "EUR", ",.3f"),
                ("half_hour_kwh:Q", "kWh", ",.3f"),
            ),
        )
    )


def _half_hours(halves: pd.DataFrame) -> None:
    meters = sorted(halves["sensor_id"].unique())
    columns = [
        Column("from", "From (Lisbon)"),
        Column("period", "Period"),
        *(Column(name, name, "kWh", 3) for name in meters),
    ]
    rows: list[Row] = []
    for instant, of in halves.groupby("half_hour"):
        at = pd.Timestamp(str(instant)).to_pydatetime().astimezone(TARIFF_ZONE)
        row: Row = {"from": Html(told_html(at, f"{at:%H:%M %Z}"), at), "period": of["period"].iloc[0]}
        rows.append(row | dict(zip(of["sensor_id"], of["half_hour_kwh"], strict=True)))
    show_table("half-hours", columns, rows, reader_zone(), caption="Energy in each half hour, a column a meter")
