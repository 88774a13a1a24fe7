"""Charts: Altair's, with one look. Times are the reader's own, as the browser knows them, with UTC on hover."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

HEIGHT = 300
UTC_FORMAT = "%Y-%m-%d %H:%M UTC"
LABELS = {
    utc: f"{name}(datum.value, {name}(datum.value, '%H%M') == '0000' ? '%-d %b' : '%H:%M')"
    for utc, name in ((False, "timeFormat"), (True, "utcFormat"))
}
"""Hours as 14:00, and a day where it begins."""
TIMES = (("timestamp:T", "your time", "%d %b %H:%M"), ("utc:N", "UTC", ""))
"""What every tooltip ends with."""


def colours(palette: Mapping[str, str], present: Sequence[str], title: str) -> alt.Color:
    """The colours of the names that are there, in the palette's order, with a legend below."""
    names = [name for name in palette if name in set(present)]
    scale = alt.Scale(domain=names, range=[palette[name] for name in names])
    return alt.Color(f"{title}:N", scale=scale, legend=legend_below(4 if len(names) > 5 else 0))


def legend_below(columns: int = 0) -> alt.Legend:
    """A legend close below the chart; 0 columns: one line."""
    return alt.Legend(orient="bottom", title=None, columns=columns, symbolLimit=40, offset=12, padding=0)


def with_utc(frame: pd.DataFrame, column: str = "timestamp") -> pd.DataFrame:
    """The frame with a column ``utc``: the instants as text."""
    return frame.assign(utc=frame[column].dt.strftime(UTC_FORMAT))


def time_axis(column: str = "timestamp", *, utc: bool = False) -> alt.X:
    """Time from left to right; `utc` where the values are wall times that the reader's zone must not move."""
    scale = alt.Scale(type="utc") if utc else alt.Scale(type="time")
    return alt.X(
        f"{column}:T",
        title=None,
        scale=scale,
        axis=alt.Axis(labelOverlap=True, tickCount=7, grid=False, labelExpr=LABELS[utc]),
    )


def tooltip(*fields: tuple[str, str, str]) -> list[alt.Tooltip]:
    """What is told on hover: each a field with its type, a title, and a format (none: empty)."""
    return [
        alt.Tooltip(field, title=title, **({"format": form} if form else {}))  # type: ignore[arg-type]
        for field, title, form in fields
    ]


def show(chart: Any, key: str, told: str, height: int = HEIGHT) -> None:
    """The chart, as wide as there is room; `told` says what it shows to who cannot see it."""
    st.altair_chart(chart.properties(height=height), width="stretch", key=key, alt=told)
