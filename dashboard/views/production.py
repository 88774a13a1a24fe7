"""Norway's production: shares of a year by group, the hours of a month in Oslo's time, and what was revised."""

import calendar
from collections.abc import Sequence
from datetime import date
from typing import Any, get_args

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import charts
from dashboard.look import empty, one_of, refreshed, when_opened
from dashboard.queries import HOUR, comparable, declared_groups, hours_of, month_of, month_sums
from dashboard.store import store
from dashboard.tables import Column, Html, Row, show_table
from dashboard.theme import BLUE, GREEN, GREY, ORANGE, VERMILION
from dashboard.times import reader_zone, told_html
from readings.production import PriceArea, ProductionGroup

EVERY_S = 60.0
AREAS = "NO1 east, NO2 south, NO3 middle, NO4 north, NO5 west"
COLOURS = {"hydro": BLUE, "wind": GREEN, "thermal": VERMILION, "solar": ORANGE, "other": GREY}
REVISIONS_SHOWN = 100
TO_BEGIN = (
    "`bash run.sh` replays recorded months; live: `ELHUB_API_BASE`, and "
    "`python -m producer backfill elhub --from 2021-01-01 --to 2021-12-31` fetches a whole year."
)


def page() -> None:
    """The page."""
    st.html('<div class="sw-lead">Norway\'s electricity production</div>')
    area = one_of(f"Price area: {AREAS}", {name: name for name in get_args(PriceArea)}, "area")
    refreshed("Production", EVERY_S, _area, area)


def _area(area: str) -> None:
    sums = _sums(area)
    if sums.empty:
        empty(f"No production of {area} is stored yet.", TO_BEGIN)
        return
    years = {str(year): str(year) for year in sorted(sums["year"].unique())}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        year = int(one_of("Year", years, "year"))
        of_year = sums[sums["year"] == year]
        months = {str(month): calendar.month_name[month] for month in sorted(of_year["month"].unique())}
        month = int(one_of("Month", months, "month"))
        groups = st.pills(
            "Groups", list(COLOURS), selection_mode="multi", default=list(COLOURS), key="group", bind="query-params"
        )
    left, right = st.columns([2, 5])
    with left:
        _year(of_year, year, area)
    with right:
        _month(area, date(year, month, 1), [name for name in COLOURS if name in groups])
    _sources(area, date(year, month, 1))


@st.cache_resource(ttl=60, show_spinner=False, refresh_mode="background")
def _sums(area: str) -> pd.DataFrame:
    return month_sums(store(), area, get_args(ProductionGroup))


@st.cache_resource(ttl=60, max_entries=60, show_spinner=False, refresh_mode="background")
def _hours(area: str, group: str, first: date) -> pd.DataFrame:
    hours = hours_of(store(), area, group, first)
    wall = hours["oslo"].dt.strftime("%d %b %H:%M ") + hours["zone"]
    return hours.assign(mwh=hours["quantity_kwh"] / 1000, wall=wall)


def _year(sums: pd.DataFrame, year: int, area: str) -> None:
    known = sums.groupby("production_group")["hours"].sum()
    groups = declared_groups(store(), area)
    counted = comparable(sums, groups)
    months = sorted(counted["month"].unique())
    st.markdown(f"##### {_span(months)} {year} by group")
    if not months:
        missing = [name for name in groups if name not in known]
        st.caption(
            "The groups have other hours in each month, so shares would mislead: a whole month of each is needed."
            + (f" Of {', '.join(missing)} nothing of {year} is stored." if missing else "")
        )
        return
    totals = counted.groupby("production_group")[["quantity_kwh"]].sum().reset_index()
    totals["gwh"] = totals["quantity_kwh"] / 1e6
    totals["share"] = totals["gwh"] / totals["gwh"].sum()
    present = tuple(totals["production_group"])
    charts.show(_year_chart(present), totals, "year", f"Shares of {year} by production group", 250)
    hours = int(counted.groupby("production_group")["hours"].sum().max())
    whole = 8784 if calendar.isleap(year) else 8760
    if hours < whole:
        named = ", ".join(calendar.month_abbr[month] for month in months)
        st.caption(f"{hours:,} of the year's {whole:,} hours: all groups are stored of {named} alone.")
    rows: list[Row] = [
        {
            "group": one["production_group"],
            "gwh": one["gwh"],
            "share": 100 * one["share"],
            "counted": hours,
            "hours": int(known[one["production_group"]]),
        }
        for one in pd.DataFrame(totals).sort_values("gwh", ascending=False).to_dict("records")
    ]
    columns = [Column("group", "Group"), Column("gwh", "Energy", "GWh", 1), Column("share", "Share", "%", 1)]
    columns += [Column("counted", "Counted", "h"), Column("hours", "Stored", "h")]
    show_table("year", columns, rows, reader_zone(), caption=f"Production of {area} in {year} by group")


def _span(months: Sequence[int]) -> str:
    """Which part of a year these months are, to stand before its number."""
    if len(months) == 1:
        return calendar.month_name[months[0]]
    return f"{len(months)} months of" if 0 < len(months) < 12 else ""


@charts.made_once
def _year_chart(groups: tuple[str, ...]) -> Any:
    return (
        charts.chart_of_rows()
        .mark_arc(innerRadius=62, padAngle=0.012, cornerRadius=3)
        .encode(
            theta=alt.Theta("gwh:Q", stack=True),
            color=charts.colours(COLOURS, groups, "production_group"),
            order=alt.Order("gwh:Q", sort="descending"),
            tooltip=charts.tooltip(
                ("production_group:N", "group", ""), ("gwh:Q", "GWh", ",.1f"), ("share:Q", "share", ".1%")
            ),
        )
    )


@charts.made_once
def _month_chart(groups: tuple[str, ...]) -> Any:
    return (
        charts.chart_of_rows()
        .mark_line(strokeWidth=1.4)
        .encode(
            x=charts.time_axis("oslo", utc=True),
            y=alt.Y("mwh:Q", title="MWh in the hour"),
            color=charts.colours(COLOURS, groups, "production_group"),
            order=alt.Order("start_time:T"),
            tooltip=charts.tooltip(
                ("production_group:N", "group", ""),
                ("mwh:Q", "MWh", ",.2f"),
                ("wall:N", "Oslo", ""),
                charts.utc_of("start_time"),
            ),
        )
        .interactive(bind_y=False)
    )


def _month(area: str, first: date, groups: list[str]) -> None:
    st.markdown(f"##### Hours of {calendar.month_name[first.month]} {first.year}, Oslo time")
    frames = [_hours(area, group, first) for group in groups]
    hours = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    if hours.empty:
        empty("Nothing to draw.", "Choose a group, or another month.")
        return
    rows = hours[["start_time", "oslo", "wall", "production_group", "mwh"]]
    rows = charts.broken(rows, HOUR, ["production_group"], ("start_time", "oslo"), ["mwh"])
    charts.show(_month_chart(tuple(groups)), rows, "month", "Production of each hour by group", 380)
    begins, ends = month_of(first)
    whole = round((ends - begins).total_seconds() / 3600)
    changed = "" if whole % 24 == 0 else f" The clock changes in it: {whole} hours."
    counted = hours.groupby("production_group").size()
    stored = f"{counted.max():,}" if counted.min() == counted.max() else f"{counted.min():,} to {counted.max():,}"
    st.caption(f"{stored} of {whole} hours stored.{changed} Drag and scroll to look closer.")
    _table(hours)


def _table(hours: pd.DataFrame) -> None:
    revised = hours[hours["revision"] > 0].sort_values("revised_at", ascending=False)
    st.markdown(f"##### Revised hours: {len(revised):,}")
    if revised.empty:
        st.caption("Elhub revises for about two weeks; of these hours no later value has come.")
    else:
        columns = [Column("wall", "Hour (Oslo)"), Column("group", "Group"), Column("before", "Before", "kWh", 1)]
        columns += [Column("now", "Now", "kWh", 1), Column("times", "Times"), Column("revised_at", "Revised at")]
        rows: list[Row] = [_revision(one) for one in revised.to_dict("records")]
        show_table("revisions", columns, rows, reader_zone(), caption="Hours that were revised", most=REVISIONS_SHOWN)
    when_opened("All hours as a table", "hours", _hours_table, hours)


def _hours_table(hours: pd.DataFrame) -> None:
    columns = [Column("wall", "Hour (Oslo)"), Column("start_time", "Begins"), Column("group", "Group")]
    columns.append(Column("kwh", "Energy", "kWh", 1))
    rows: list[Row] = [
        {
            "wall": Html(told_html(one["start_time"].to_pydatetime(), one["wall"]), one["wall"]),
            "start_time": one["start_time"].to_pydatetime(),
            "group": one["production_group"],
            "kwh": one["quantity_kwh"],
        }
        for one in hours.sort_values(["start_time", "production_group"]).to_dict("records")
    ]
    show_table("hours", columns, rows, reader_zone(), caption="Production of each hour")


def _revision(one: dict[Any, Any]) -> Row:
    return {
        "wall": Html(told_html(one["start_time"].to_pydatetime(), one["wall"]), one["start_time"].to_pydatetime()),
        "group": one["production_group"],
        "before": one["previous_kwh"],
        "now": one["quantity_kwh"],
        "times": int(one["revision"]),
        "revised_at": one["revised_at"].to_pydatetime(),
    }


def _sources(area: str, first: date) -> None:
    sources = sorted({name for group in COLOURS for name in _hours(area, group, first)["source"].dropna().unique()})
    replayed = [name for name in sources if name.startswith("replay")]
    told = "Source: Elhub AS, Energy Data API (CC BY 4.0, as third parties report it)."
    if replayed:
        told += (
            " These hours are recordings: `recordings/README.md` says where the copies come from and what is missing."
        )
    st.caption(told)
