"""Charts: Altair's, with one look. Times are the reader's own, as the browser knows them, with UTC on hover.

A chart is made without its rows, once for the same arguments, and the rows go beside it: Altair takes 20 to 60 ms of a
refresh to make and to check one.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ParamSpec, cast

import altair as alt
import pandas as pd
import streamlit as st

Arguments = ParamSpec("Arguments")
Chart = Mapping[str, Any]
"""A Vega-Lite specification without its rows."""

HEIGHT = 300
NO_WORDS_A_ROW = {"mark": {"aria": False}}
"""Vega makes a sentence for screen readers of each row, of thousands slowly; `show` has one for the whole chart."""
ROWS = "rows"
GAP = 3
USUAL = 7
"""Of so many distances between neighbours the median is usual."""
UTC_FORMAT = "%Y-%m-%d %H:%M UTC"
LABELS = {
    utc: f"{name}(datum.value, {name}(datum.value, '%H%M') == '0000' ? '%-d %b' : '%H:%M')"
    for utc, name in ((False, "timeFormat"), (True, "utcFormat"))
}
"""Hours as 14:00, and a day where it begins."""


def utc_of(column: str) -> tuple[str, str, str]:
    """For a tooltip: an instant in UTC. Vega has such units of its own, and is slow at expressions over many rows."""
    return f"utcyearmonthdatehoursminutes({column}):T", "UTC", UTC_FORMAT


TIMES = (("timestamp:T", "your time", "%d %b %H:%M"), utc_of("timestamp"))
"""What every tooltip ends with."""


def colours(palette: Mapping[str, str], present: Sequence[str], title: str) -> alt.Color:
    """The colours of the names that are there, in the palette's order, with a legend below."""
    names = [name for name in palette if name in set(present)]
    scale = alt.Scale(domain=names, range=[palette[name] for name in names])
    return alt.Color(f"{title}:N", scale=scale, legend=legend_below(4 if len(names) > 5 else 0))


def legend_below(columns: int = 0) -> alt.Legend:
    """A legend close below the chart; 0 columns: one line."""
    return alt.Legend(orient="bottom", title=None, columns=columns, symbolLimit=40, offset=12, padding=0)


def made_once(make: Callable[Arguments, Any]) -> Callable[Arguments, Chart]:
    """The chart that `make` makes for rows to come, kept for its arguments, which must be hashable."""

    @functools.lru_cache(maxsize=128)
    def made(*arguments: Arguments.args, **named: Arguments.kwargs) -> Chart:
        chart: dict[str, Any] = make(*arguments, **named).to_dict()
        chart["config"] = NO_WORDS_A_ROW  # Altair's sizes are in it; Streamlit has its own
        return chart

    return cast(Callable[Arguments, Chart], made)


def chart_of_rows() -> Any:
    """A chart of the rows that will be shown."""
    return alt.Chart(alt.NamedData(ROWS))


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


def broken(
    rows: pd.DataFrame,
    cadence: timedelta,
    by: Sequence[str] = (),
    times: Sequence[str] = ("timestamp",),
    values: Sequence[str] = ("value",),
) -> pd.DataFrame:
    """The rows in the order of the first of `times`, with one more in each gap, whose `values` are null.

    There Vega breaks the line or the area of the series, which is named by the columns `by`. A gap is longer than
    `GAP` cadences, and than as many times what is usual around it: what was fetched for the past may be hourly.
    """
    rows = rows.sort_values(times[0], ignore_index=True)
    found = [rows]
    for _, series in rows.groupby(list(by)) if by else [("", rows)]:
        apart = series[times[0]].diff().shift(-1)
        wide = apart > GAP * cadence
        if wide.any():  # a rolling median is slow
            usual = apart.dt.total_seconds().rolling(USUAL, center=True, min_periods=1).median()
            wide &= apart.dt.total_seconds() > GAP * usual
            middle: dict[str, Any] = {name: series.loc[wide, name] + apart[wide] / 2 for name in times}
            found.append(series[wide].assign(**middle, **{name: math.nan for name in values}))
    return pd.concat(found).sort_values(times[0], ignore_index=True)


def show(chart: Chart, rows: pd.DataFrame, key: str, told: str, height: int = HEIGHT) -> None:
    """The chart of the rows, as wide as there is room; `told` says what it shows to who cannot see it."""
    st.vega_lite_chart(spec={**chart, "height": height, "datasets": {ROWS: rows}}, width="stretch", key=key, alt=told)
