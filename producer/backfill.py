"""``python -m producer backfill``: the readings of chosen days from a source that is asked for spans of time.

It goes on where it was broken off: how many pieces Kafka has acknowledged is kept until the last one is.
"""

import functools
import logging
from collections.abc import Collection, Iterator
from datetime import date, datetime, time, timedelta

from apis.errors import ApiError, RateLimited, Unreachable
from producer.cursor import UnkeptCursor, forget
from producer.feed import Feed, cursor_name
from producer.progress import watch
from producer.rounds import Round, Rounds, tell_lacking
from producer.span_source import SpanSource
from readings.errors import ConfigError

LAST_MOMENT = time(23, 59, 59)
PAUSE = timedelta(seconds=30)
"""Before a service that does not answer is asked again."""

log = logging.getLogger(__name__)


def backfill(feed: Feed, source: SpanSource, first: date, last: date, *, dry_run: bool = False) -> Round:
    """Sends the readings of days of the source's own calendar, both inclusive; what failed for good ends it.

    Raises ConfigError where another source feeds the stream, or the days are none of the past.
    """
    _check_days(feed, source, first, last)
    if not dry_run:
        _check_source(feed, source)
    name = f"{source.name} {first}..{last}"
    cursor = UnkeptCursor() if dry_run else feed.cursor(name)
    begin = datetime.combine(first, time(), source.zone)
    end = min(datetime.combine(last, LAST_MOMENT, source.zone), feed.clock.now())
    pieces = list(source.pieces(begin, end))
    through = min(cursor.facts.get("pieces", 0), len(pieces))
    done: list[Round] = []

    def send() -> Iterator[int]:
        absent: list[str] = []
        for number, piece in enumerate(pieces[through:], through + 1):
            done.append(_piece(feed, source, *piece))
            if done[-1].failed is not None:
                return
            missed = [series for series in _lacking(feed, done[-1]) if series not in absent]
            if missed:  # one of several calls may have been answered with nothing
                done[-1] = done[-1].and_then(_piece(feed, source, *piece, only=missed))
                if done[-1].failed is not None:
                    return
            absent = _lacking(feed, done[-1])  # what has nothing in this piece may not exist: not asked for again
            if absent:
                tell_lacking(source, feed.stream, absent if done[-1].found else (), *piece)
            cursor.facts["pieces"] = number
            cursor.move({})
            log.info("%d of %d pieces are through", number, len(pieces), extra={"stream": feed.stream.name})
            yield 1

    for _ in watch(send(), len(pieces) - through, f"{feed.stream.name} {first} to {last}"):
        pass
    whole = functools.reduce(Round.and_then, done, Round())
    if whole.failed is None and not dry_run:
        feed.answered(lambda: forget(feed.database, cursor_name(name, feed.stream)))
    return whole


def _check_days(feed: Feed, source: SpanSource, first: date, last: date) -> None:
    today = feed.clock.now().astimezone(source.zone).date()
    oldest = feed.stream.config.oldest
    if not oldest <= first <= last <= today:
        raise ConfigError(
            f"--from, --to: read {first} and {last}, expected days from {oldest} (oldest in skywatt.yml) to {today}, "
            "the first one first"
        )


def _check_source(feed: Feed, source: SpanSource) -> None:
    fed_by = feed.declared()
    if fed_by.since is not None and fed_by.source != source.name:
        raise ConfigError(
            f"{feed.stream.name} is fed by {fed_by.source!r} and {source.name!r} would overwrite it; "
            f"to change over: python -m producer go-live {feed.stream.name}"
        )


def _lacking(feed: Feed, piece: Round) -> list[str]:
    """The declared series that a piece has nothing of."""
    return [series for series in feed.stream.config.series_names() if series not in piece.found]


def _piece(
    feed: Feed, source: SpanSource, since: datetime, until: datetime, only: Collection[str] | None = None
) -> Round:
    """One piece, or `only` of some series, tried until the service answers.

    What is found twice is written once: nothing of it need be kept.
    """
    while True:
        rounds = Rounds(
            source, feed.stream, feed.publisher, UnkeptCursor(), feed.clock, feed.state, feed.stream.config.cadence
        )
        done = rounds.piece(since, until, "backfill", only)
        pause = _pause(done.failed)
        if pause is None:
            return done
        feed.clock.wait_until(feed.clock.now() + pause)


def _pause(error: ApiError | None) -> timedelta | None:
    """How long to wait before asking again; None where that does not help."""
    if isinstance(error, RateLimited):
        return max(PAUSE, timedelta(seconds=error.retry_after_s))
    return PAUSE if isinstance(error, Unreachable) else None
