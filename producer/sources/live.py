"""What a live source is, and how one that is asked for spans of time becomes one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from apis.session import Patience, Session
from producer.clock import Clock
from producer.cursor import UnkeptCursor
from producer.feed import Feed
from producer.rounds import Rounds
from producer.scheduler import run_after_each
from producer.span_source import SpanSource
from readings.declared import declare
from readings.settings import Settings
from readings.stream import Stream


class Round(Protocol):
    """What came of a round."""

    @property
    def sent(self) -> int:
        """How many readings went out."""

    @property
    def failed(self) -> object:
        """What could not be read; nothing where all went well."""


Declaration = Callable[[Stream, Settings], tuple[list[str], timedelta]]
SpanSourceOf = Callable[[Stream, Settings, Clock], SpanSource]
FedSpanSource = Callable[[Feed, Settings, bool], SpanSource]
"""The source of a feed. The last argument says whether all its calls can be spared, as a backfill's are."""
BeforeCall = Callable[[bool], None]
"""What a session calls before each call, with whether that can be spared."""


@dataclass(frozen=True)
class Live:
    """How a stream is fed by a live source."""

    missing: Callable[[Settings], str | None]
    """The variable that must be set before it can be live."""
    declaration: Declaration
    """The series that it feeds, and how often."""
    feed: Callable[[Feed, Settings, bool], None]
    """Feeds until the process ends or another source is declared; the last argument says whether it is a dry run."""
    once: Callable[[Feed, Settings, bool], Round | None]
    """What there is by now; None while the service wants to be left alone."""
    spans: Callable[[Feed, Settings], SpanSource] | None = None
    """The source as one that is asked for spans of time, for a backfill; None where it is not."""


def asked_for_spans(missing: Callable[[Settings], str | None], declaration: Declaration, source: SpanSourceOf) -> Live:
    """A live source of a service that is asked for spans of time."""
    return fed_by_spans(missing, declaration, lambda feed, settings, _spare: source(feed.stream, settings, feed.clock))


def fed_by_spans(missing: Callable[[Settings], str | None], declaration: Declaration, source: FedSpanSource) -> Live:
    """The same, of one whose calls are counted."""

    def rounds(feed: Feed, settings: Settings, dry_run: bool) -> Rounds:
        """A dry run declares nothing and keeps no cursor."""
        stream = feed.stream
        spans = source(feed, settings, False)
        series, cadence = declaration(stream, settings)
        if not dry_run:
            feed.answered(lambda: declare(feed.database, stream, spans.name, series, cadence))
        cursor = UnkeptCursor() if dry_run else feed.cursor(spans.name)
        return Rounds(spans, stream, feed.publisher, cursor, feed.clock, feed.state, cadence)

    def feed_live(feed: Feed, settings: Settings, dry_run: bool) -> None:
        begun = rounds(feed, settings, dry_run)

        def job() -> None:
            if not dry_run:
                feed.still(begun.source.name)
            begun.round()

        run_after_each(begun.cadence, job, feed.clock)

    def feed_once(feed: Feed, settings: Settings, dry_run: bool) -> Round | None:
        return rounds(feed, settings, dry_run).round()

    return Live(missing, declaration, feed_live, feed_once, lambda feed, settings: source(feed, settings, True))


def session_of(
    base_url: str,
    clock: Clock,
    calls_per_s: float,
    *,
    headers: dict[str, str] | None = None,
    patience: Patience | None = None,
    before_call: BeforeCall | None = None,
) -> Session:
    """A session whose calls are kept apart and whose waiting ends when the process is asked to."""
    return Session(
        base_url,
        headers=headers,
        patience=patience,
        before_call=_spaced(clock, timedelta(seconds=1 / calls_per_s), before_call),
        sleep=lambda seconds: clock.wait_until(clock.now() + timedelta(seconds=seconds)),
        now=clock.now,
    )


def _spaced(clock: Clock, apart: timedelta, then: BeforeCall | None) -> BeforeCall:
    next_call = clock.now()

    def before_call(spare: bool) -> None:
        nonlocal next_call
        clock.wait_until(next_call)
        if then is not None:
            then(spare)
        next_call = clock.now() + apart

    return before_call
