"""Is everything arriving? One sentence, what fires, the parts, and a line a series."""

import functools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import charts
from dashboard.arrivals import VALUES, Arrivals, ArrivalsReader, PartState, SeriesState, sentence, spell_duration
from dashboard.background import Background
from dashboard.look import cards, empty, one_of, refreshed, when_opened
from dashboard.queries import MOST_READINGS, arrivals_of
from dashboard.store import store
from dashboard.tables import Column, Html, Row, badge, show_table, sparkline
from dashboard.theme import BLUE, GREY, VERMILION
from dashboard.times import reader_zone, time_html
from readings.errors import ConfigError
from readings.stream import FUTURE_TOLERANCE

EVERY_S = 5.0
HISTORY_EVERY_S = 15.0
MOST_SHOWN = 500
SHOWN_FIRST = 50
"""To a reader who has just come; the others follow with the next refresh."""
FEW = 200
"""So many points of a line are drawn each."""
BACK = {"1 day": timedelta(days=1), "7 days": timedelta(days=7), "28 days": timedelta(days=28)}
TO_BEGIN = "`bash run.sh` starts the parts; without keys it replays recorded readings. Readings show here in seconds."


@functools.cache
def watch() -> Background[Arrivals]:
    """What this process knows of the arrivals."""
    return Background("arrivals", ArrivalsReader(store()).read, EVERY_S / 2)


def page() -> None:
    """The page."""
    refreshed("How everything is", EVERY_S, _summary)
    streams = list(store().streams)
    left, middle, right = st.columns([3, 1, 2], vertical_alignment="bottom")
    stream = left.pills("Streams", streams, selection_mode="multi", key="stream", bind="query-params")
    name = middle.text_input("Name", key="name", bind="query-params", placeholder="all")
    only = right.toggle("Only what is late or silent", key="late", bind="query-params")
    wanted = tuple(stream or streams)
    refreshed("The series", EVERY_S, _series, wanted, name or "", only)
    if name:
        refreshed("How a series arrives", HISTORY_EVERY_S, _arrival, wanted, name)


def _summary() -> None:
    arrivals = watch().newest()
    zone = reader_zone()
    st.html(f'<div class="sw-lead" data-testid="sentence">{escape(sentence(arrivals))}</div>')
    if not any(arrivals.sources.values()):
        empty("Nothing feeds Skywatt yet.", TO_BEGIN)
    recorded = [name for name, source in arrivals.sources.items() if source == "replay"]
    note = f"Seen {time_html(arrivals.at, zone, arrivals.at)}, in your time ({escape(zone.key)})."
    if recorded:
        note += f" {', '.join(recorded).capitalize()}: real readings of another time, replayed."
    st.html(f'<p class="sw-note">{note}</p>')
    rate = arrivals.per_minute
    cards(
        *(_card(name, arrivals) for name in arrivals.sources),
        ("Together", "–" if rate is None else f"{rate:,.0f}", "readings/min", "written, of the last 5 minutes"),
        ("Dead letters", f"{arrivals.dead_letters:,}", "messages", _dead_letters(arrivals.dead_letters)),
    )
    left, right = st.columns(2)
    with left:
        st.markdown("##### Firing")
        _alerts(arrivals)
    with right:
        st.markdown("##### Parts")
        _parts(arrivals)


def _dead_letters(number: int) -> str:
    told = badge("kept, docs/spark.md", "warn") if number else badge("all could be read", "good")
    return f"{told.html} since the parts' start"


def _card(name: str, arrivals: Arrivals) -> tuple[str, str, str, str]:
    series = arrivals.of(name)
    well = sum(one.newest is not None and not one.late for one in series)
    if not series:
        return name, "0", "series", badge("none declared", "off").html
    worst = "good" if well == len(series) else "warn" if well else "bad"
    some = "some are late" if any(one.late for one in series) else "some have not come"
    word = {"good": "on time", "warn": some, "bad": "none on time"}[worst]
    return name, f"{well:,}", f"of {len(series):,} series", badge(word, worst).html


def _alerts(arrivals: Arrivals) -> None:
    firing = [one for one in arrivals.alerts if one["state"] != "pending"]
    if not firing:
        waiting = len(arrivals.alerts)
        soon = "" if not waiting else "; 1 alert is about to" if waiting == 1 else f"; {waiting} alerts are about to"
        st.html(f'<p class="sw-note">Nothing fires{soon}.</p>')
        return
    rows: list[Row] = [
        {
            "alert": badge(one["kind"], "bad" if one["severity"] == "critical" else "warn"),
            "series": one["series"],
            "stream": one["stream"],
            "since": one["since"],
            "state": one["state"].replace("_", " "),
            "what": one.get("what") or None,
        }
        for one in sorted(firing, key=lambda one: one["since"])
    ]
    columns = [Column("alert", "Alert"), Column("series", "Series"), Column("stream", "Stream")]
    columns += [Column("since", "Since"), Column("state", "State"), Column("what", "What", wide=True)]
    show_table("alerts", columns, rows, reader_zone(), caption="Alerts that fire")


def _parts(arrivals: Arrivals) -> None:
    if not arrivals.parts:
        empty("No part has been heard of.", "`bash run.sh status` says how they are.")
        return
    rows: list[Row] = [
        {"part": one.name, "state": _part_badge(one), "since": one.since, "waiting_for": one.waiting_for or None}
        for one in arrivals.parts
    ]
    columns = [Column("part", "Part"), Column("state", "State"), Column("since", "Since")]
    columns.append(Column("waiting_for", "Waits for", wide=True))
    show_table("parts", columns, rows, reader_zone(), caption="The parts that tell how they are")


def _part_badge(part: PartState) -> Html:
    kinds = {"running": "good", "waiting": "warn", "failed": "bad", "gone": "bad"}
    return badge("not heard of" if part.state == "gone" else part.state, kinds.get(part.state, "off"))


def _series(streams: tuple[str, ...], name: str, only_late: bool) -> None:
    found = _found(streams, name)
    if not found:
        if name:
            empty("No series of these streams has that in its name.", "Choose other streams or another name.")
        else:
            empty("No series are declared.", TO_BEGIN)
        return
    found = [one for one in found if one.late or not only_late]
    if not found:
        st.success("Nothing is late or silent.", icon=":material/check_circle:")
        return
    found.sort(key=lambda one: (not one.silent, not one.late))
    caption = "Each series' newest reading"
    most = MOST_SHOWN if "saw-series" in st.session_state else SHOWN_FIRST
    st.session_state["saw-series"] = True
    show_table("series", _columns(), found, reader_zone(), caption=caption, most=most, as_row=_row)


def _found(streams: tuple[str, ...], name: str) -> list[SeriesState]:
    """The series of the streams with that in their name."""
    series = watch().newest().series
    return [one for one in series if one.stream in streams and name.casefold() in one.series.casefold()]


def _arrival(streams: tuple[str, ...], name: str) -> None:
    """How the readings of the series that the name means arrive, where it is one alone."""
    one = _only(streams, name)
    if one:
        _history(one.stream, one.series, *_span())


def _only(streams: tuple[str, ...], name: str) -> SeriesState | None:
    """The series that the name means, where it is one alone."""
    found = _found(streams, name)
    exact = [one for one in found if one.series.casefold() == name.casefold()]
    return next((of[0] for of in (exact, found) if len(of) == 1), None)


def _span() -> tuple[datetime | None, datetime | None, timedelta]:
    """What the address asks for (``since`` and ``until``, as alerts/links.py writes them), and else how far back."""
    since, until = (_instant(name) for name in ("since", "until"))
    if since and until and since >= until:
        raise ConfigError(
            f"since={since.isoformat()} in the address: expected an instant before until={until.isoformat()}"
        )
    if since:
        st.button("The newest instead", on_click=_forget_span, type="tertiary", icon=":material/update:")
        return since, until, timedelta()
    back = one_of("Back to", {name: name for name in BACK}, "back")
    return None, None, BACK[back]


def _instant(name: str) -> datetime | None:
    text = st.query_params.get(name)
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigError(f"{name}={text!r} in the address: expected an instant such as 2026-11-24T03:00:00Z") from None


def _forget_span() -> None:
    for name in ("since", "until"):
        st.query_params.pop(name, None)


def _history(name: str, series: str, since: datetime | None, until: datetime | None, back: timedelta) -> None:
    """Values and delays of a series by event time, with what is allowed."""
    stream = store().streams[name]
    now = datetime.now(UTC)
    until = min(until or now + FUTURE_TOLERANCE, now + FUTURE_TOLERANCE)
    since = since or now - back
    longest = MOST_READINGS * stream.config.cadence
    cut = until - since > longest
    if cut:
        since = until - longest
    readings = arrivals_of(store(), stream, series, since, until)
    of_more = len(readings) > MOST_READINGS
    if of_more:
        readings = readings.iloc[-MOST_READINGS:]
        since = readings["timestamp"].iloc[0].to_pydatetime()
    zone = reader_zone()
    told = f"{time_html(since, zone, now)} to {time_html(min(until, now), zone, now)}"
    if of_more:
        told += f": the newest {MOST_READINGS:,} readings of what is asked for"
    elif cut:
        told += f": the last {spell_duration(longest.total_seconds())} of what the address asks for"
    st.html(f'<p class="sw-note">{escape(series)}, event times from {told}.</p>')
    if readings.empty:
        empty(f"No reading of {series} in this span.", "Choose another span, or look at what fires above.")
        return
    live = readings["mode"] == "live"
    lateness = readings["late"].map({True: "late", False: "on time"})
    readings = readings.assign(state=lateness.where(live, readings["mode"]))
    unit = VALUES[name][1]
    left, right = st.columns(2)
    with left:
        st.markdown(f"##### Values, {unit}")
        known = readings.dropna(subset=["value"])
        drawn = charts.broken(known, stream.config.cadence)
        charts.show(_value_chart(unit, len(known) <= FEW), drawn, "value", f"Values of {series}")
    with right:
        st.markdown("##### Delay of each reading, and what is allowed")
        if not live.any():
            st.caption("All of them were fetched for the past: only live readings have a delay.")
        else:
            timed = readings[live].assign(delay_min=readings["delay_s"] / 60)
            states = tuple(sorted(timed["state"].unique()))
            charts.show(_delay_chart(states, stream.config.allowed_delay), timed, "delay", f"Delays of {series}")
    when_opened("The readings as a table", "readings", _history_table, readings, unit, zone)


@charts.made_once
def _value_chart(unit: str, points: bool) -> Any:
    y = alt.Y("value:Q", title=unit, scale=alt.Scale(zero=False))
    about = charts.tooltip(("value:Q", unit, ",.2f"), *charts.TIMES)
    return charts.chart_of_rows().mark_line(color=BLUE, point=points).encode(x=charts.time_axis(), y=y, tooltip=about)


@charts.made_once
def _delay_chart(states: tuple[str, ...], allowed: timedelta) -> Any:
    """Minutes; a series that is on time lies flat below the line of what is allowed."""
    about = charts.tooltip(("delay_min:Q", "delay, min", ",.1f"), ("state:N", "", ""), *charts.TIMES)
    y = alt.Y("delay_min:Q", title="minutes")
    colour = charts.colours({"on time": BLUE, "late": VERMILION}, states, "state")
    signs = {name: sign for name, sign in (("on time", "circle"), ("late", "triangle-up")) if name in states}
    shape = alt.Shape("state:N", scale=alt.Scale(domain=list(signs), range=list(signs.values())), legend=None)
    points = (
        charts.chart_of_rows()
        .mark_point(filled=True, size=30)
        .encode(x=charts.time_axis(), y=y, color=colour, shape=shape, tooltip=about)
    )
    limit = alt.InlineData(values=[{"allowed": allowed.total_seconds() / 60}])
    line = alt.Chart(limit).mark_rule(color=GREY, strokeDash=[5, 4])
    told = charts.tooltip(("allowed:Q", "allowed, min", ",.0f"))
    return alt.layer(points, line.encode(y="allowed:Q", tooltip=told))


def _history_table(readings: pd.DataFrame, unit: str, zone: ZoneInfo) -> None:
    rows: list[Row] = [
        {
            "timestamp": one["timestamp"].to_pydatetime(),
            "value": one["value"],
            "arrived_at": one["arrived_at"].to_pydatetime(),
            "delay_s": round(one["delay_s"]),
            "state": one["state"],
        }
        for one in readings.iloc[::-1].to_dict("records")
    ]
    columns = [Column("timestamp", "Event time"), Column("value", "Value", unit, 2), Column("arrived_at", "Arrived")]
    columns += [Column("delay_s", "Delay", "s"), Column("state", "State")]
    show_table("readings", columns, rows, zone, caption="The readings of the series", most=MOST_SHOWN)


def _columns() -> Sequence[Column]:
    return (
        Column("series", "Series"),
        Column("stream", "Stream"),
        Column("state", "State"),
        Column("newest", "Last event"),
        Column("delay_s", "Delay", "s"),
        Column("value", "Value", digits=1),
        Column("unit", "Unit"),
        Column("recent", "Last readings"),
    )


def _row(one: SeriesState) -> Row:
    value = one.newest.value if one.newest else None
    return {
        "series": one.series,
        "stream": one.stream,
        "state": _state(one),
        "newest": one.newest.at if one.newest else None,
        "delay_s": round(one.newest.delay_s) if one.newest else None,
        "value": value,
        "unit": None if value is None else VALUES[one.stream][1],
        "recent": sparkline(_drawn(one), VALUES[one.stream][1]),
    }


def _drawn(one: SeriesState) -> Sequence[float]:
    """Its last readings; of a meter, which counts up since it was put in, what was used between them."""
    return [after - before for before, after in pairwise(one.values)] if one.stream == "meter" else one.values


def _state(one: SeriesState) -> Html:
    if one.newest is None:
        return badge("looking for it" if one.sought else "never seen", "bad" if one.late else "off")
    if one.silent:
        return badge(f"silent, {spell_duration(one.late_s)}", "bad")
    if one.newest.late:
        return badge(f"late by {spell_duration(one.late_s)}", "warn")
    return badge("on time", "good")
