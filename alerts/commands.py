"""What the commands beside ``run`` do."""

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alerts.alert_store import load_alerts
from alerts.errors import NotSent, Unclear
from alerts.links import linker
from alerts.messages import Message, aligned, length, when
from alerts.outbox import Outbox
from alerts.routes import Letter, choose_route
from alerts.rules import READING_KINDS, rests, rule_streams
from alerts.rules_file import load_rules
from alerts.run import PART
from alerts.silences import Silence, add_silence, end_silence, labels_of, load_silences, new_id, parse_matchers
from alerts.states import Alert
from readings import parts
from readings.connections import Document, connect_mongodb
from readings.settings import Settings
from readings.stream import load_streams

TIMEOUT_S = 5.0
_ORDER = ("firing", "no_data", "recovering", "pending")

Say = Callable[[str], object]


def check(settings: Settings, file: Path, say: Say) -> int:
    """Says which rules a file holds. Raises ConfigError saying what is wrong."""
    streams = load_streams(settings)
    rules = load_rules(file, streams)
    for rule in rules.rules:
        watched = ", ".join(stream.name for stream in rule_streams(rule, streams)) or "the pipeline"
        if rests(rule, streams):
            watched = f"nothing: skywatt.yml has no stream {rule.stream}"
        say(f"{rule.name}: {rule.kind}, {rule.severity}, on {watched}")
    say(f"{file}: {len(rules.rules)} rules, all well")
    return 0


def list_alerts(settings: Settings, say: Say) -> int:
    """Shows how the engine is, the alerts that are not inactive, the silences, and how many messages wait.

    Raises PyMongoError.
    """
    database = connect_mongodb(settings, TIMEOUT_S)
    say(say_of_engine(database[parts.COLLECTION].find_one({"_id": PART}), datetime.now(UTC)))
    alerts = sorted(load_alerts(database).values(), key=lambda alert: (_ORDER.index(alert.state), alert.since))
    if alerts:
        head = ("state", "severity", "rule", "stream", "series", "since", "not told because of")
        _say_table(say, [head, *map(_row, alerts)])
    silences = load_silences(database, datetime.now(UTC))
    if silences:
        _say_table(say, [("silence", "until", "of", "why"), *map(_silence_row, silences)])
    waiting = Outbox(database).waiting()
    say(f"{len(alerts)} alerts; {waiting} messages not sent yet; they go to {choose_route(settings).described}")
    return 0


def say_of_engine(told: Document | None, now: datetime) -> str:
    """How the engine is by its heartbeat."""
    if told is None or not parts.is_alive(told, now):
        since = f"not heard of since {told['at']:%Y-%m-%d %H:%M:%S} UTC" if told else "never heard of"
        return f"the engine was {since}; nothing is watched: bash run.sh up"
    return "the engine runs" if told["state"] == "running" else f"the engine waits for {told['waiting_for']}"


def show(settings: Settings, text: str, say: Say) -> int:
    """Shows all that is known of the alerts whose rule, stream or series holds `text`; gives 1 where there is none."""
    streams = load_streams(settings)
    database = connect_mongodb(settings, TIMEOUT_S)
    link = linker(settings)
    found = [alert for key, alert in load_alerts(database).items() if text.casefold() in str(key).casefold()]
    outbox = Outbox(database)
    for alert in sorted(found, key=lambda one: one.since):
        key, finding = alert.key, alert.finding
        say(f"{key.stream}: {key.series}, rule {key.rule} ({alert.kind}, {alert.severity})")
        rows = [(f"  {state}", f"since {when(at)}") for state, at in alert.history]
        rows.append(("  began", when(alert.began)))
        if finding.what:
            rows.append(("  found", finding.what))
        if finding.worst_delay_s is not None:
            rows.append(
                ("  late", f"{finding.count:,} readings, up to {length(timedelta(seconds=finding.worst_delay_s))}")
            )
        rows.append(("  told", _told(alert, outbox)))
        if key.stream in streams and alert.kind in READING_KINDS:
            rows.append(
                ("  look", link(streams[key.stream], key.series, alert.began, None, finding.worst_delay_s or 0).url)
            )
        _say_table(say, rows)
    if not found:
        say(f"no alert of {text!r} is pending, firing or recovering; what is over is in Elasticsearch, alerts-*")
    return 0 if found else 1


def silence(settings: Settings, matchers: str, span: timedelta, why: str, say: Say) -> int:
    """Silences what fits, from now on, and says which alerts that are. Raises ConfigError, PyMongoError."""
    streams = load_streams(settings)
    now = datetime.now(UTC)
    made = Silence(new_id(), parse_matchers(matchers, streams), now, now + span, why)
    database = connect_mongodb(settings, TIMEOUT_S)
    add_silence(database, made)
    held = [str(key) for key, alert in load_alerts(database).items() if made.silences(labels_of(alert, streams))]
    say(
        f"silence {made.id}: {made.described} until {when(made.until)}; to end it: python -m alerts unsilence {made.id}"
    )
    say(f"it holds for {len(held)} alerts now" + "".join(f"\n  {key}" for key in sorted(held)[:20]))
    return 0


def unsilence(settings: Settings, identifier: str, say: Say) -> int:
    """Ends a silence; gives 1 where there is none of that id. Raises PyMongoError."""
    ended = end_silence(connect_mongodb(settings, TIMEOUT_S), identifier)
    say(f"silence {identifier} is over" if ended else f"there is no silence {identifier}: python -m alerts list")
    return 0 if ended else 1


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
    return alert.state, alert.severity, key.rule, key.stream, key.series, when(alert.began), alert.muted_by or ""


def _silence_row(one: Silence) -> tuple[str, ...]:
    return one.id, when(one.until), one.described, one.why


def _told(alert: Alert, outbox: Outbox) -> str:
    if alert.muted_by:
        return f"not now: {alert.muted_by}"
    message = outbox.get(alert.message) if alert.message else None
    if message is None:
        return "not yet"
    return f"{when(message['sent_at'])}, {message['route']}" if message["state"] == "sent" else "waits to be sent"


def _say_table(say: Say, rows: Sequence[tuple[str, ...]]) -> None:
    for line in aligned(rows):
        say(line)
