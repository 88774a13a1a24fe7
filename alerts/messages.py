"""What people read: a title, what matters most, a short table of series, and what was allowed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.links import Link
from alerts.states import Alert
from readings.durations import format_duration

ROWS = 20
"""Series shown at most, if a message has room for them; how many more there are is said."""
NAME_WIDTH = 40
CELL_WIDTH = 110
SECTION_CHARACTERS = 2900
"""Slack takes 3,000 in a section's text."""
FIELD_CHARACTERS = 1900

Blocks = list[dict[str, Any]]

_SIGNS = {"info": "🔵", "warning": "🟠", "critical": "🔴"}
_ORDER = {"info": 0, "warning": 1, "critical": 2}
_WELL = "🟢"
_NEVER = "never seen"
_WORDS = {
    "late": "late",
    "silent": "silent",
    "stalled": "stalled",
    "threshold": "out of bounds",
    "change": "changes wrongly",
    "surprise": "surprising",
    "dead_letters": "unreadable messages",
    "query": "query answered",
}


@dataclass(frozen=True)
class Expected:
    """What a stream's readings were judged by."""

    cadence: timedelta
    allowed_delay: timedelta

    def __str__(self) -> str:
        return f"cadence {length(self.cadence)}, allowed delay {length(self.allowed_delay)}"


@dataclass(frozen=True)
class Message:
    """One message, ready to be sent any way."""

    title: str
    table: Sequence[str]
    footer: str
    facts: Sequence[tuple[str, str]] = ()
    """What matters most, each with its name."""
    link: Link | None = None
    """Where to look at it."""

    @property
    def line(self) -> str:
        """The whole as one line, for a log or a notification."""
        return f"{self.title}: {'; '.join(' '.join(row.split()) for row in self.table[1:])} ({self.footer})"

    def blocks(self, *remarks: str) -> Blocks:
        """The whole in Slack's Block Kit, with remarks below."""
        blocks: Blocks = [_section(f"*{_escaped(self.title)}*")]
        if self.facts:
            fields = [f"*{_escaped(name)}*\n{_escaped(text)}"[:FIELD_CHARACTERS] for name, text in self.facts]
            blocks.append({"type": "section", "fields": [{"type": "mrkdwn", "text": text} for text in fields]})
        if len(self.table) > 1:
            blocks.append(_section(f"```{_in_code(self.table)}```"))
        if self.link:
            blocks.append(_section(f"<{self.link.url}|{_escaped(self.link.text)}>"))
        elements = [{"type": "mrkdwn", "text": _escaped(text)[:FIELD_CHARACTERS]} for text in (self.footer, *remarks)]
        return [*blocks, {"type": "context", "elements": elements}]


def firing(
    alerts: Sequence[Alert], total: int, expected: Expected | None, link: Link | None, still: timedelta | None = None
) -> Message:
    """The message about alerts of one rule and stream, `total` of them, that fire (or fired when it began).

    With `still` it says that they have not ended for that long.
    """
    ordered = worst_first(alerts)
    first = ordered[0]
    what = f"still {_words(first)}, for {length(still)}" if still else _words(first)
    title = f"{_SIGNS[first.severity]} {first.key.stream}: {_named(ordered, total)} {what}"
    return Message(title, _table(ordered, total, over=False), _footer(first, expected), _facts(ordered, expected), link)


def resolved(alerts: Sequence[Alert], total: int, expected: Expected | None, link: Link | None, reason: str) -> Message:
    """The message that alerts of one rule and stream, all told before, are over."""
    ordered = worst_first(alerts)
    first = ordered[0]
    title = f"{_WELL} {first.key.stream}: {_named(ordered, total)} {_words(first)} no more"
    footer = _footer(first, expected) + (f"; {reason}" if reason else "")
    return Message(title, _table(ordered, total, over=True), footer, (), link)


def summary(alerts: Sequence[Alert], total: int, limit: int, *, over: bool) -> Message:
    """The one message for all that begins beyond the limit of messages an hour."""
    ordered = worst_first(alerts)
    severity = max((alert.severity for alert in alerts), key=lambda one: _ORDER[one])
    well = all(alert.state == "resolved" for alert in alerts)
    sign = _WELL if over or well else _SIGNS[severity]
    now = " no more" if over else ", all well now" if well else ""
    title = f"{sign} {total:,} further alert{'s' if total > 1 else ''}{now}"
    groups: dict[tuple[str, str], list[str]] = {}
    for alert in ordered:
        groups.setdefault((alert.key.rule, alert.key.stream), []).append(_name(alert.key.series))
    rows = [
        (rule, stream, str(len(series)), _cut(", ".join(dict.fromkeys(series)), CELL_WIDTH))
        for (rule, stream), series in groups.items()
    ]
    table = _fitting(("rule", "stream", "alerts", "series"), rows, len(rows))
    if total > len(ordered):
        table.append(f"and {total - len(ordered):,} alerts that are not among these")
    footer = f"more than {limit} messages began within an hour (messages_per_hour); python -m alerts list shows all"
    return Message(title, table, footer)


def worst_first(alerts: Iterable[Alert]) -> list[Alert]:
    """The worst delay or excess first; of equal ones that which began first."""

    def badness(alert: Alert) -> tuple[float, float, str]:
        finding = alert.finding
        return -(finding.worst_delay_s or finding.beyond or 0.0), alert.began.timestamp(), alert.key.series

    return sorted(alerts, key=badness)


def _table(ordered: Sequence[Alert], total: int, *, over: bool) -> list[str]:
    shown = ordered[:ROWS]
    heads = _HEADS.get(ordered[0].kind, ("since", "found"))
    if over:
        heads = ("from", "until", *heads[1:])
    cells = [(_name(alert.key.series), *_cells(alert, over=over)) for alert in shown]
    now = [_now(alert) for alert in shown]
    if any(now) and not over:
        heads = (*heads, "now")
        cells = [(*row, text) for row, text in zip(cells, now, strict=True)]
    return _fitting(("series", *heads), cells, total)


_HEADS: Mapping[str, tuple[str, ...]] = {
    "late": ("since", "readings", "worst delay"),
    "silent": ("nothing newer than",),
}


def _cells(alert: Alert, *, over: bool) -> tuple[str, ...]:
    began = _NEVER if alert.kind == "silent" and alert.finding.began is None else when(alert.began)
    instants = (began, when(alert.resolved_at or alert.changed_at)) if over else (began,)
    match alert.kind:
        case "late":
            return (*instants, f"{alert.finding.count:,}", _worst(alert))
        case "silent":
            return instants
        case _:
            return (*instants, _cut(alert.finding.what, CELL_WIDTH))


def _now(alert: Alert) -> str:
    match alert.state:
        case "resolved":
            return f"well since {when(alert.resolved_at or alert.changed_at)}"
        case "no_data":
            return f"no data since {when(alert.changed_at)}"
        case _:
            return ""


def _facts(ordered: Sequence[Alert], expected: Expected | None) -> tuple[tuple[str, str], ...]:
    """What, since when, how late, the worst series, what is allowed."""
    first = ordered[0]
    since = min(alert.began for alert in ordered)
    never = first.kind == "silent" and first.finding.began is None
    facts = [("Since", _NEVER if never and len(ordered) == 1 else when(since))]
    if first.kind == "late":
        facts.append(("How late", f"up to {_worst(first)}"))
    elif first.finding.what and not never:
        facts.append(("What", _cut(first.finding.what, CELL_WIDTH)))
    if len(ordered) > 1:
        facts.append(("The worst", _name(first.key.series)))
    if expected:
        facts.append(("Allowed delay", length(expected.allowed_delay)))
    return tuple(facts)


def _footer(alert: Alert, expected: Expected | None) -> str:
    return f"rule {alert.key.rule}, {alert.severity}" + (f"; {expected}" if expected else "")


def _named(ordered: Sequence[Alert], total: int) -> str:
    return _name(ordered[0].key.series) + (f" and {total - 1:,} more" if total > 1 else "")


def _words(alert: Alert) -> str:
    return _WORDS[alert.kind]


def _worst(alert: Alert) -> str:
    return length(timedelta(seconds=alert.finding.worst_delay_s or 0))


def when(instant: datetime) -> str:
    """An instant as messages have it."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def length(duration: timedelta) -> str:
    """Two units at most: ``45s``, ``3min 20s``, ``5h 10min``, ``3d 4h``."""
    seconds = round(duration.total_seconds())
    if seconds < 60:
        return format_duration(timedelta(seconds=seconds))
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size}{unit}" + (f" {rest}{smaller}" if rest else "")
    raise AssertionError("a minute is the smallest unit above")


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows of the same number of cells, in columns."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _name(series: str) -> str:
    return _cut(series, NAME_WIDTH)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _fitting(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], total: int) -> list[str]:
    """The first rows, as many as a section has room for, and how many of the `total` are not among them."""
    for shown in range(min(len(rows), ROWS), 0, -1):
        table = aligned([heads, *rows[:shown]])
        if total > shown:
            table.append(f"and {total - shown:,} more")
        if len(_in_code(table)) <= SECTION_CHARACTERS:
            return table
    raise AssertionError("a row of names and cells that are cut fits")


def _in_code(table: Sequence[str]) -> str:
    """As Slack has it between marks of code."""
    return "\n".join(_escaped(row.replace("`", "'")) for row in table)


def _escaped(text: str) -> str:
    """As Slack asks for in mrkdwn: three characters, nothing else."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
