"""Meters: what each used this month and today, half hour by half hour, and what it costs by the tariff's periods."""

import functools
import itertools
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import charts
from dashboard.background import Background
from dashboard.look import cards, empty, refreshed
from dashboard.meters import MonthsReader, MonthsSeen
from dashboard.queries import beside_half_hours, half_hours, newest_day, tariff_zone, totals_of
from dashboard.store import store
from dashboard.tables import Column, Html, Row, show_table
from dashboard.theme import BLUE, GREEN, GREY, ORANGE, PINK, SKY, VERMILION
from dashboard.times import reader_zone, told_html
from dashboard.views import arrivals
from readings.declared import declared

EVERY_S = 15.0
MONTHS_EVERY_S = 5.0
PERIOD_COLOURS = (BLUE, ORANGE, VERMILION, GREEN, PINK, SKY)
REST = "not known by half hour"
TO_BEGIN = "`bash run.sh` replays recorded meters; live: `METERS_FILE`."


@functools.cache
def watch() -> Background[MonthsSeen]:
    """What this process knows of the meters' months."""
    return Background("meters", MonthsReader(store()).read, MONTHS_EVERY_S)


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
    months = watch().newest()
    shown = wanted or months.largest(meters)
    _day(str(day or last), tuple(sorted(shown)))
    if len(shown) < len(meters) and not wanted:
        which = "that used the most this month" if months.whole else "known so far to have used the most this month"
        st.caption(f"The {len(shown)} of {len(meters):,} meters {which}; choose others above.")


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
def _zone() -> ZoneInfo:
    return tariff_zone(store())


@st.cache_resource(ttl=60, show_spinner=False, refresh_mode="background")
def _newest() -> str | None:
    zone = _zone()
    day = newest_day(store(), datetime.now(zone).date())
    if day is None:
        seen = [one.newest.at for one in arrivals.watch().newest().of("meter") if one.newest]
        day = newest_day(store(), max(seen).astimezone(zone).date()) if seen else None
    return day


@st.cache_resource(ttl=10, max_entries=40, show_spinner=False, refresh_mode="background")
def _totals(day: str, meters: tuple[str, ...]) -> pd.DataFrame:
    return totals_of(store(), day, meters)


def _day(day: str, meters: tuple[str, ...]) -> None:
    totals = _totals(day, meters)
    newest = totals.groupby("sensor_id", as_index=False).last()
    silent = _silent(day, set(meters) - set(newest["sensor_id"]))
    months: list[dict[Any, Any]] = [*newest.to_dict("records"), *silent]
    if not months:
        empty(f"No totals of {day}.", "Choose another day or other meters.")
        return
    cards(
        ("Energy of the day", f"{newest['day_kwh'].sum():,.1f}", "kWh", f"{len(newest)} meters"),
        ("Cost of the day", f"{newest['day_cost_eur'].sum():,.2f}", "EUR", "by the tariff"),
        ("Energy of the month", f"{sum(one['month_kwh'] for one in months):,.1f}", "kWh", day[:7]),
    )
    if totals.empty:
        st.markdown("##### Month so far, the largest first")
        _sorted(months)
        empty(f"None of these meters has totals of {day}.", "Choose another day or other meters.")
        return
    halves = half_hours(totals)
    left, right = st.columns(2)
    with left:
        st.markdown("##### Month and day so far, the largest first")
        _sorted(months)
    with right:
        st.markdown("##### Cost by tariff period")
        _cost(halves, beside_half_hours(totals).assign(period=REST))
    st.markdown("##### Energy in each half hour")
    _half_hours(halves)


def _silent(day: str, meters: Iterable[str]) -> list[dict[Any, Any]]:
    """The last totals of meters that sent nothing on the day, but earlier in its month."""
    newest = {one.series: one.newest.at for one in arrivals.watch().newest().of("meter") if one.newest}
    before = timedelta(milliseconds=1)  # what is read at midnight ends the day before
    days = {name: str((newest[name] - before).astimezone(_zone()).date()) for name in meters if name in newest}
    frames = [_totals(last, (name,)) for name, last in days.items() if f"{day[:7]}-01" <= last < day]
    return [frame.iloc[-1].to_dict() | {"day_kwh": None, "day_cost_eur": None} for frame in frames if len(frame)]


def _sorted(months: list[dict[Any, Any]]) -> None:
    ordered = sorted(months, key=lambda one: (one["month_kwh"], one["sensor_id"]), reverse=True)
    rows: list[Row] = [
        {
            "meter": one["sensor_id"],
            "month_kwh": one["month_kwh"],
            "day_kwh": one["day_kwh"],
            "day_cost_eur": one["day_cost_eur"],
            "until": one["until"].to_pydatetime(),
        }
        for one in ordered
    ]
    columns = [Column("meter", "Meter"), Column("month_kwh", "Month", "kWh", 3), Column("day_kwh", "Day", "kWh", 3)]
    columns += [Column("day_cost_eur", "Day's cost", "EUR", 2), Column("until", "Until")]
    show_table("totals", columns, rows, reader_zone(), caption="Energy and cost by meter")


def _cost(halves: pd.DataFrame, rest: pd.DataFrame) -> None:
    by_period = halves.groupby(["sensor_id", "period"], as_index=False)[["half_hour_kwh", "half_hour_cost_eur"]].sum()
    by_period = pd.concat([by_period, rest], ignore_index=True)
    periods = list(dict.fromkeys([*halves.sort_values("half_hour")["period"], *rest["period"]]))
    height = 120 + 22 * by_period["sensor_id"].nunique()
    charts.show(_cost_chart(tuple(periods)), by_period, "cost", "Cost of the day by meter and tariff period", height)
    rows: list[Row] = [
        {"period": name, "kwh": of["half_hour_kwh"].sum(), "eur": of["half_hour_cost_eur"].sum()}
        for name, of in sorted(by_period.groupby("period"), key=lambda one: (one[0] == REST, one[0]))
    ]
    columns = [Column("period", "Period"), Column("kwh", "Energy", "kWh", 3), Column("eur", "Cost", "EUR", 2)]
    show_table("periods", columns, rows, reader_zone(), caption="Energy and cost by tariff period")


@charts.made_once
def _cost_chart(periods: tuple[str, ...]) -> Any:
    palette = dict(zip(periods, itertools.cycle(PERIOD_COLOURS), strict=False)) | {REST: GREY}
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
    zone = _zone()
    meters = sorted(halves["sensor_id"].unique())
    columns = [
        Column("from", f"From ({_city(zone)})"),
        Column("period", "Period"),
        *(Column(name, name, "kWh", 3) for name in meters),
    ]
    rows: list[Row] = []
    for instant, of in halves.groupby("half_hour"):
        at = pd.Timestamp(str(instant)).to_pydatetime().astimezone(zone)
        row: Row = {"from": Html(told_html(at, f"{at:%H:%M %Z}"), at), "period": of["period"].iloc[0]}
        rows.append(row | dict(zip(of["sensor_id"], of["half_hour_kwh"], strict=True)))
    show_table("half-hours", columns, rows, reader_zone(), caption="Energy in each half hour, a column a meter")


def _city(zone: ZoneInfo) -> str:
    """``New York`` of ``America/New_York``."""
    return zone.key.rpartition("/")[2].replace("_", " ")
