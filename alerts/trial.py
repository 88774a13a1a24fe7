"""Rules tried before they are trusted: over what is stored, on the clock of then; or live, with nothing sent."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from elasticsearch import ApiError, TransportError
from rich.progress import track

from alerts.book import TrialBook
from alerts.engine import Engine, RoundReport, whole_milliseconds
from alerts.links import linker
from alerts.messages import when
from alerts.notices import Event, Post
from alerts.pipeline import Pipeline
from alerts.routes import choose_route
from alerts.rules import StalledRule
from alerts.rules_file import load_rules
from alerts.run import STORE_TIMEOUT_S, connect_view, watch, watches
from readings.connections import connect_mongodb
from readings.errors import ConfigError
from readings.settings import Settings
from readings.stream import load_streams

REPLAY_TIMEOUT_S = 60.0
_WORDS: Mapping[Event, str] = {"firing": "began", "repeat": "was repeated", "resolved": "was over"}

Say = Callable[[str], object]


@dataclass
class Told:
    """Prints what would have been sent, and counts it."""

    say: Say
    counts: Counter[Event] = field(default_factory=Counter)

    def __call__(self, post: Post, now: datetime) -> None:
        """Prints one message."""
        self.counts[post.event] += 1
        waits = post.not_before > now
        sent = f"{when(post.not_before)} (held back since {when(now)})" if waits else when(now)
        self.say(f"{sent}  {post.message.title}")
        for row in (*post.message.table, post.message.footer):
            self.say(f"    {row}")


@dataclass(frozen=True)
class Span:
    """What is replayed: rounds from a first to a last instant, so far apart."""

    since: datetime
    until: datetime
    every: timedelta

    @property
    def rounds(self) -> int:
        """How many rounds that is."""
        return int((self.until - self.since) / self.every) + 1


def replay(settings: Settings, file: Path, span: Span, say: Say) -> int:
    """Prints what would have been sent. Raises ConfigError, PyMongoError; gives 1 where Elasticsearch is not well.

    A reading counts from its arrival, so that a round sees what one of then saw. What the rules say of the pipeline
    itself is not kept anywhere and left out; silences are not asked for.
    """
    streams = load_streams(settings)
    rules = load_rules(file, streams)
    left_out = [rule.name for rule in rules.rules if isinstance(rule, StalledRule)]
    kept = rules.model_copy(update={"rules": [rule for rule in rules.rules if rule.name not in left_out]})
    if left_out:
        say(f"left out, for how the pipeline was is not kept: {', '.join(left_out)}")
    if not kept.rules:
        raise ConfigError(f"{file}: holds no rule that can be replayed")
    told = Told(say)
    database = connect_mongodb(settings, STORE_TIMEOUT_S)
    book = TrialBook(database, told, silences_hold=False)
    view = connect_view(settings).options(request_timeout=REPLAY_TIMEOUT_S)
    can_edit = choose_route(settings).can_edit
    engine = Engine(book, view, settings.prefix, streams, kept, linker(settings), can_edit=can_edit)
    steps = range(span.rounds)
    watched = sys.stderr.isatty()
    for number in track(steps, "replay", transient=True) if watched else steps:
        report = engine.round(whole_milliseconds(span.since + number * span.every))
        if problem := _problem(report):
            say(f"not replayed any further: {problem}")
            return 1
    begun, over = told.counts["firing"], told.counts["resolved"]
    say(
        f"{when(span.since)} to {when(span.until)}, {span.rounds:,} rounds: {begun} messages that something began, "
        f"{told.counts['repeat']} repeats, {over} that it was over"
    )
    return 0


def dry_run(settings: Settings, file: Path, every: timedelta, stop: threading.Event, say: Say) -> int:
    """Evaluates live until `stop` is set and prints what would be sent. Beginning with no alerts; keeps nothing.

    Raises ConfigError, PyMongoError.
    """
    streams = load_streams(settings)
    rules = load_rules(file, streams)
    database = connect_mongodb(settings, STORE_TIMEOUT_S)
    book = TrialBook(database, Told(say), silences_hold=True)
    watching = watch(settings, database, streams, rules) if watches(rules) else nullcontext()
    say(f"{len(rules.rules)} rules from {file}; nothing is sent, nothing is kept")
    with watching as pipeline:
        engine = Engine(
            book,
            connect_view(settings),
            settings.prefix,
            streams,
            rules,
            linker(settings),
            can_edit=choose_route(settings).can_edit,
            pipeline=(lambda: pipeline.pipeline) if pipeline else Pipeline,
        )
        said = None
        while not stop.is_set():
            began = time.monotonic()
            problem = _problem(engine.round(whole_milliseconds(datetime.now(UTC))))
            if problem and problem != said:
                say(problem)
            said = problem
            stop.wait(max(0.0, began + every.total_seconds() - time.monotonic()))
    return 0


def _problem(report: RoundReport) -> str | None:
    if isinstance(report.view_away, ApiError | TransportError):
        return f"Elasticsearch: {type(report.view_away).__name__}"
    return "; ".join(f"rule {rule}: {why}" for rule, why in report.blind.items()) or None
