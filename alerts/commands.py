"""What the commands beside ``run`` do."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from alerts.alert_store import load_alerts
from alerts.errors import NotSent, Unclear
from alerts.messages import Message
from alerts.outbox import Outbox
from alerts.routes import Letter, choose_route
from alerts.rules import rule_streams
from alerts.rules_file import load_rules
from alerts.states import Alert
from readings.connections import connect_mongodb
from readings.settings import Settings
from readings.stream import load_streams

TIMEOUT_S = 5.0
_ORDER = ("firing", "recovering", "pending")

Say = Callable[[str], object]


def check(settings: Settings, file: Path, say: Say) -> int:
    """Says which rules a file holds. Raises ConfigError saying what is wrong."""
    streams = load_streams(settings)
    rules = load_rules(file, streams)
    for rule in rules.rules:
        watched = ", ".join(stream.name for stream in rule_streams(rule, streams)) or "the pipeline"
        say(f"{rule.name}: {rule.kind}, {rule.severity}, on {watched}")
    say(f"{file}: {len(rules.rules)} rules, all well")
    return 0


def list_alerts(settings: Settings, say: Say) -> int:
    """Shows the alerts that are not inactive, and how many messages wait. Raises PyMongoError."""
    database = connect_mongodb(settings, TIMEOUT_S)
    alerts = sorted(load_alerts(database).values(), key=lambda alert: (_ORDER.index(alert.state), alert.since))
    head = ("state", "severity", "rule", "stream", "series", "since")
    rows = [head, *map(_row, alerts)] if alerts else []
    widths = [max(len(row[column]) for row in rows) for column in range(6)] if rows else []
    for row in rows:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    waiting = Outbox(database).waiting()
    say(f"{len(alerts)} alerts; {waiting} messages not sent yet; they go to {choose_route(settings).described}")
    return 0


def test_slack(settings: Settings, say: Say) -> int:
    """Sends one message; gives 1 where it did not go out."""
    route = choose_route(settings)
    message = Message(
        "🔵 Skywatt: a test message",
        ["from", "python -m alerts test-slack"],
        f"sent {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC; alerts arrive here",
    )
    try:
        route.send(Letter(f"test-{secrets.token_hex(8)}", message, None, None))
    except (NotSent, Unclear) as error:
        say(f"not sent to {route.described}: {error}")
        return 1
    say(f"sent to {route.described}")
    return 0


def _row(alert: Alert) -> tuple[str, ...]:
    key = alert.key
    since = f"{alert.finding.began or alert.since:%Y-%m-%d %H:%M:%S} UTC"
    return alert.state, alert.severity, key.rule, key.stream, key.series, since
