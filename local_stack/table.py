"""The tables of ``up`` and ``status``, and what a person is told beside them."""

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from local_stack.layout import Layout
from local_stack.status import LOW_DISK, PartStatus, Status
from readings.settings import Settings

_COLOURS = {"running": "green", "waiting": "yellow", "failed": "red"}
REPLAY = "replay"
"""The source of readings that are recordings."""


def show(console: Console, status: Status, settings: Settings, layout: Layout, alerts_log: str = "") -> None:
    """Prints the parts, the streams, and what should be known of them; `alerts_log` says where the alerts' log is."""
    console.print(_parts(status.parts))
    console.print(_streams(status))
    for line in remarks(status, settings, layout, alerts_log):
        console.print(line, markup=False, soft_wrap=True)


def show_parts(console: Console, parts: Sequence[PartStatus], *, as_json: bool) -> None:
    """Prints the parts alone, where a wrong setting lets no more be known."""
    if as_json:
        print(json.dumps(Status(list(parts), [], None, 1.0).as_json()))
    elif parts:
        console.print(_parts(parts))


def remarks(status: Status, settings: Settings, layout: Layout, alerts_log: str = "") -> list[str]:
    """What should be known beside the numbers: recordings, forecasts, where alerts go, a full disk."""
    lines = []
    replayed = [stream.name for stream in status.streams if stream.source == REPLAY]
    if replayed:
        lines.append(f"Recordings: the readings of {', '.join(replayed)} are real ones of another time, replayed.")
    waited_for = [f"{one.name} ({one.source})" for one in status.streams if one.source != REPLAY and one.mongodb == 0]
    if waited_for:
        lines.append(f"Live: no readings yet of {', '.join(waited_for)}.")
    if status.predictions is not None:
        lines.append(f"Forecasts: {status.predictions:,} predictions in MongoDB.")
    lines.append(f"Alerts: {alerts_go_to(settings, alerts_log or str(layout.log('alerts')))}")
    if status.disk_free < LOW_DISK:
        lines.append(disk_warning(status.disk_free, layout))
    return lines


def alerts_go_to(settings: Settings, log: str) -> str:
    """Where alert messages go, `log` where neither a bot nor a webhook is set; asked as `alerts.routes` does."""
    if settings.slack_bot_token and settings.slack_channel:
        return f"to Slack, channel {settings.slack_channel}."
    if settings.slack_webhook_url:
        return "to Slack, by SLACK_WEBHOOK_URL."
    return f"to the log only ({log}); for Slack set SLACK_BOT_TOKEN and SLACK_CHANNEL, or SLACK_WEBHOOK_URL, in .env."


def disk_warning(free: float, layout: Layout) -> str:
    """What is said when the disk is nearly full."""
    return f"Warning: only {free:.0%} of the disk that holds {layout.root} is free."


def _parts(parts: Sequence[PartStatus]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("part", "address"):
        table.add_column(name, no_wrap=True)
    table.add_column("pid", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("memory", justify="right", no_wrap=True)
    table.add_column("waits for")
    for part in parts:
        table.add_row(
            part.name,
            part.address,
            "" if part.pid is None else str(part.pid),
            f"[{_COLOURS[part.state]}]{part.state}[/]",
            "" if part.rss_mb is None else f"{part.rss_mb:,.0f} MB",
            part.waiting_for,
        )
    total = sum(part.rss_mb or 0 for part in parts)
    table.add_row("together", "", "", "", f"{total:,.0f} MB", "", style="dim")
    return table


def _streams(status: Status) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title=None)
    for name in ("stream", "source"):
        table.add_column(name, no_wrap=True)
    for name in ("MongoDB", "Elasticsearch", "late", "silent", "dead letters"):
        table.add_column(name, justify="right", no_wrap=True)
    for stream in status.streams:
        numbers = (stream.mongodb, stream.elasticsearch, stream.late, stream.silent, stream.dead_letters)
        shown = ["?" if number is None else f"{number:,}" for number in numbers]
        table.add_row(stream.name, stream.source or "?", *shown)
    return table
