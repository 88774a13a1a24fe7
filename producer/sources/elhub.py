"""Live production from Elhub: the hours of each price area and group, again and again as they are revised."""

from collections.abc import Callable
from datetime import timedelta

from apis.elhub import CALLS_PER_S, PATIENCE, Elhub
from apis.session import Session
from producer.clock import Clock
from producer.cursor import UnkeptCursor
from producer.feed import Feed
from producer.scheduler import run_every
from producer.sources.elhub_record import SOURCE
from producer.sources.elhub_rounds import Round, Rounds
from readings.declared import declare
from readings.errors import ConfigError
from readings.settings import Settings
from readings.stream import Stream

VARIABLE = "ELHUB_API_BASE"


def missing(settings: Settings) -> str | None:
    """The variable that must be set before the source can be live, or None."""
    return None if settings.elhub_api_base else VARIABLE


def declaration(stream: Stream, _settings: Settings) -> tuple[list[str], timedelta]:
    """The series that the source feeds, and how often."""
    return stream.config.series_names(), stream.config.cadence


def feed_live(feed: Feed, settings: Settings, dry_run: bool = False) -> None:
    """Feeds the stream until another source is declared for it. Raises ConfigError before anything is asked."""
    rounds = _rounds(feed, settings, dry_run)

    def job() -> None:
        if not dry_run:
            feed.still(SOURCE)
        rounds.round()

    run_every(feed.stream.config.cadence, job, feed.clock.now(), feed.clock)


def feed_once(feed: Feed, settings: Settings, dry_run: bool = False) -> Round | None:
    """A single round, and what came of it. Raises ConfigError before anything is asked."""
    return _rounds(feed, settings, dry_run).round()


def _rounds(feed: Feed, settings: Settings, dry_run: bool) -> Rounds:
    """The rounds of this feed, declared. A dry run declares nothing and keeps no cursor."""
    if settings.elhub_api_base is None:
        raise ConfigError(f"{VARIABLE}: is not set, expected the address of Elhub's Energy Data API")
    stream, token = feed.stream, settings.elhub_api_token
    if not dry_run:
        feed.answered(lambda: declare(feed.database, stream, SOURCE, *declaration(stream, settings)))
    session = Session(
        settings.elhub_api_base,
        headers={"Authorization": f"Bearer {token.get_secret_value()}"} if token else {},
        patience=PATIENCE,
        before_call=_spaced(feed.clock),
        sleep=lambda seconds: feed.clock.wait_until(feed.clock.now() + timedelta(seconds=seconds)),
        now=feed.clock.now,
    )
    cursor = UnkeptCursor() if dry_run else feed.cursor(SOURCE)
    return Rounds(Elhub(session), stream, feed.publisher, cursor, feed.clock, feed.state)


def _spaced(clock: Clock) -> Callable[[bool], None]:
    """Keeps the calls apart, so that there are never more a second than the API takes."""
    next_call = clock.now()

    def before_call(_spare: bool) -> None:
        nonlocal next_call
        clock.wait_until(next_call)
        next_call = clock.now() + timedelta(seconds=1 / CALLS_PER_S)

    return before_call
