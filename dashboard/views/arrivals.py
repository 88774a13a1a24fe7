"""Is everything arriving? One sentence, what fires, the parts, and a line a series."""

import functools
from collections.abc import Sequence
from html import escape

import streamlit as st

from dashboard.arrivals import VALUES, Arrivals, ArrivalsReader, PartState, SeriesState, sentence, spell_duration
from dashboard.background import Background
from dashboard.look import cards, empty, is_dark, refreshed
from dashboard.store import store
from dashboard.tables import Column, Html, Row, badge, show_table, sparkline
from dashboard.theme import BLUE, SKY
from dashboard.times import reader_zone, time_html

EVERY_S = 5.0
MOST_SHOWN = 500
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
    refreshed("The series", EVERY_S, _series, tuple(stream or streams), name or "", only)


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
    )
    left, right = st.columns(2)
    with left:
        st.markdown("##### Firing")
        _alerts(arrivals)
    with right:
        st.markdown("##### Parts")
        _parts(arrivals)


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
    arrivals = watch().newest()
    found = [one for one in arrivals.series if one.stream in streams and name.casefold() in one.series.casefold()]
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
    row = functools.partial(_row, colour=SKY if is_dark() else BLUE)
    caption = "Each series' newest reading"
    show_table("series", _columns(), found, reader_zone(), caption=caption, most=MOST_SHOWN, as_row=row)


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


def _row(one: SeriesState, colour: str) -> Row:
    value = one.newest.value if one.newest else None
    return {
        "series": one.series,
        "stream": one.stream,
        "state": _state(one),
        "newest": one.newest.at if one.newest else None,
        "delay_s": round(one.newest.delay_s) if one.newest else None,
        "value": value,
        "unit": None if value is None else VALUES[one.stream][1],
        "recent": sparkline(one.values, colour),
    }


def _state(one: SeriesState) -> Html:
    if one.newest is None:
        return badge("looking for it" if one.sought else "never seen", "bad" if one.late else "off")
    if one.silent:
        return badge(f"silent, {spell_duration(one.late_s)}", "bad")
    if one.newest.late:
        return badge(f"late by {spell_duration(one.late_s)}", "warn")
    return badge("on time", "good")
