"""Tables of the pages: plain HTML, so that they can be read by any reader, and the same rows as CSV."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard.downloads import offer
from dashboard.times import time_html


@dataclass(frozen=True)
class Column:
    """A column: its name in the rows, what heads it, its unit, and how many digits a number has."""

    name: str
    title: str
    unit: str = ""
    digits: int = 0
    wide: bool = False
    """Whether it is text that needs room."""


@dataclass(frozen=True)
class Html:
    """A cell that is HTML already, and what stands for it in the CSV."""

    html: str
    text: object = ""


Row = dict[str, Any]


def show_table(
    key: str,
    columns: Sequence[Column],
    rows: Sequence[Any],
    zone: ZoneInfo,
    *,
    caption: str,
    most: int = 1000,
    as_row: Callable[[Any], Row] = dict,
) -> None:
    """At most so many of the rows, with a link that downloads all. `caption` says for the blind what they are.

    `as_row` makes a row of each, of those that are shown, and of the others when they are downloaded.
    """
    st.html(table_html(columns, map(as_row, rows[:most]), zone, caption))
    if len(rows) > most:
        st.caption(f"The first {most:,} of {len(rows):,}; all are in the CSV.")
    offer(key, lambda: csv_text(columns, map(as_row, rows)))


def table_html(columns: Sequence[Column], rows: Iterable[Row], zone: ZoneInfo, caption: str) -> str:
    """The table as HTML: numbers to the right, instants in the zone."""
    now = datetime.now(UTC)
    rows = list(rows)
    numbers = {one.name for one in columns if any(_is_number(row.get(one.name)) for row in rows)}
    head = "".join(_heading(one, one.name in numbers) for one in columns)
    body = "".join(
        f"<tr>{''.join(_cell(one, row.get(one.name), one.name in numbers, zone, now) for one in columns)}</tr>"
        for row in rows
    )
    return (
        f'<div class="sw-table"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def csv_text(columns: Sequence[Column], rows: Iterable[Row]) -> str:
    """The same rows as CSV: full numbers, instants as ISO-8601 in UTC. Text that a spreadsheet would run is quoted.

    It begins with a byte order mark, by which Excel knows UTF-8.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([_plain(f"{one.name} ({one.unit})" if one.unit else one.name) for one in columns])
    for row in rows:
        writer.writerow([_plain(row.get(one.name)) for one in columns])
    return "\ufeff" + out.getvalue()


def sparkline(values: Sequence[float], unit: str) -> Html:
    """The values as a small hill, the newest at the right: a shape of CSS, since hundreds of pictures take a second."""
    if len(values) < 2:
        return Html('<span class="sw-dim">–</span>')
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    line = (
        f"{100 * place / (len(values) - 1):.0f}% {88 - 80 * (value - low) / span:.0f}%"
        for place, value in enumerate(values)
    )
    told = f"from {low:,.1f} to {high:,.1f} {unit}"
    shape = f"clip-path:polygon(0% 100%,{','.join(line)},100% 100%)"
    return Html(f'<span class="sw-spark" role="img" style="{shape}" aria-label="{told}" title="{told}"></span>', told)


def badge(text: str, kind: str) -> Html:
    """A word with a sign before it: `kind` is good, warn, bad or off. The sign tells it, not the colour alone."""
    return Html(f'<span class="sw-badge sw-{kind}">{escape(text)}</span>', text)


def _heading(column: Column, of_numbers: bool) -> str:
    unit = f" <small>{escape(column.unit)}</small>" if column.unit else ""
    kind = ' class="sw-number"' if of_numbers else ""
    return f'<th scope="col"{kind}>{escape(column.title)}{unit}</th>'


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(column: Column, value: object, of_numbers: bool, zone: ZoneInfo, now: datetime) -> str:
    match value:
        case _ if _is_missing(value):
            return f'<td class="sw-dim{" sw-number" if of_numbers else ""}">–</td>'
        case Html():
            return f"<td>{value.html}</td>"
        case datetime():
            return f"<td>{time_html(value, zone, now)}</td>"
        case bool():
            return f"<td>{'yes' if value else 'no'}</td>"
        case int() | float():
            return f'<td class="sw-number">{value:,.{column.digits}f}</td>'
        case _:
            return f"<td{' class=sw-wide' if column.wide else ''}>{escape(str(value))}</td>"


def _is_missing(value: object) -> bool:
    return value is None or value != value  # NaN, and pandas' NaT


def _plain(value: object) -> object:
    if isinstance(value, Html):
        value = value.text
    if _is_missing(value):
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return re.sub(r"^(?=[=+@\t\r\n-])", "'", value) if isinstance(value, str) else value
