"""What people read: a title, a short table, and what was allowed. One message for all that changed together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.states import Alert, Event
from readings.durations import format_duration

ROWS = 10
"""Series shown; how many more there are is said."""
NAME_WIDTH = 40

Blocks = list[dict[str, Any]]

_SIGNS = {"info": "🔵", "warning": "🟠", "critical": "🔴"}
_WELL = "🟢"
_NEVER = "never seen"


@dataclass(frozen=True)
class Expected:
    """What a stream's readings were judged by."""

    cadence: timedelta
    allowed_delay: timedelta

    def __str__(self) -> str:
        return f"cadence {_length(self.cadence)}, allowed delay {_length(self.allowed_delay)}"


@dataclass(frozen=True)
class Message:
    """One message, ready to be sent any way."""

    title: str
    table: list[str]
    footer: str

    @property
    def line(self) -> str:
        """The whole as one line, for a log or a notification."""
        return f"{self.title}: {'; '.join(' '.join(row.split()) for row in self.table[1:])} ({self.footer})"

    def blocks(self, *remarks: str) -> Blocks:
        """The whole in Slack's Block Kit, with remarks below."""
        table = "\n".join(self.table).replace("`", "'")
        return [
            {"type": "section", "text": {"type": "mrkdwn", "text": f"*{_escaped(self.title)}*"}},
            {"type": "section", "text": {"type": "mrkdwn", "text": f"```{_escaped(table)}```"}},
            {
                "type": "context",
                "elements": [{"type": "mrkdwn", "text": _escaped(text)} for text in (self.footer, *remarks)],
            },
        ]


def compose(event: Event, alerts: Sequence[Alert], expected: Expected | None, reason: str = "") -> Message:
    """The message about alerts of one rule and stream that fired, or were resolved, in the same round."""
    first = alerts[0]
    worst_first = sorted(alerts, key=_badness, reverse=True)
    sign = _WELL if event == "resolved" else _SIGNS[first.severity]
    what = f"{first.kind} no more" if event == "resolved" else first.kind
    several = f" and {len(alerts) - 1} more" if len(alerts) > 1 else ""
    title = f"{sign} {first.key.stream}: {_name(worst_first[0].key.series)}{several} {what}"
    rows = [_COLUMNS[first.kind, event](alert) for alert in worst_first[:ROWS]]
    table = _aligned([("series", *_HEADS[first.kind, event]), *rows])
    if len(alerts) > ROWS:
        table.append(f"and {len(alerts) - ROWS} more")
    footer = f"rule {first.key.rule}, {first.severity}" + (f"; {expected}" if expected else "")
    return Message(title, table, footer + (f"; {reason}" if reason else ""))


_HEADS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("late", "firing"): ("since", "readings", "worst delay"),
    ("late", "resolved"): ("from", "until", "readings", "worst delay"),
    ("silent", "firing"): ("nothing newer than", "for"),
    ("silent", "resolved"): ("from", "until", "for"),
}


def _late(alert: Alert) -> tuple[str, ...]:
    return _name(alert.key.series), _when(_began(alert)), str(alert.finding.count), _worst(alert)


def _late_no_more(alert: Alert) -> tuple[str, ...]:
    return (
        _name(alert.key.series),
        _when(_began(alert)),
        _when(alert.changed_at),
        str(alert.finding.count),
        _worst(alert),
    )


def _silent(alert: Alert) -> tuple[str, ...]:
    began = alert.finding.began
    if began is None:
        return _name(alert.key.series), _NEVER, ""
    return _name(alert.key.series), _when(began), _length(alert.changed_at - began)


def _silent_no_more(alert: Alert) -> tuple[str, ...]:
    began = _began(alert)
    return _name(alert.key.series), _when(began), _when(alert.changed_at), _length(alert.changed_at - began)


_COLUMNS = {
    ("late", "firing"): _late,
    ("late", "resolved"): _late_no_more,
    ("silent", "firing"): _silent,
    ("silent", "resolved"): _silent_no_more,
}


def _badness(alert: Alert) -> tuple[float, float]:
    return alert.finding.worst_delay_s or 0.0, -_began(alert).timestamp()


def _began(alert: Alert) -> datetime:
    return alert.finding.began or alert.since


def _worst(alert: Alert) -> str:
    return _length(timedelta(seconds=alert.finding.worst_delay_s or 0))


def _when(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _length(duration: timedelta) -> str:
    """Two units at most: ``45s``, ``3min 20s``, ``5h 10min``, ``3d 4h``."""
    seconds = round(duration.total_seconds())
    if seconds < 60:
        return format_duration(timedelta(seconds=seconds))
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size}{unit}" + (f" {rest}{smaller}" if rest else "")
    raise AssertionError("a minute is the smallest unit above")


def _name(series: str) -> str:
    return series if len(series) <= NAME_WIDTH else series[: NAME_WIDTH - 1] + "…"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _escaped(text: str) -> str:
    """As Slack asks for in mrkdwn: three characters, nothing else."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
