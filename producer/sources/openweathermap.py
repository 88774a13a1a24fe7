"""Live weather from OpenWeatherMap, One Call 3.0: the places of the stream, within the calls that a day allows."""

import logging
from datetime import timedelta

from apis.openweathermap import OpenWeatherMap
from apis.session import Session
from producer.cursor import UnkeptCursor
from producer.feed import Feed
from producer.pacing import DailyCalls, Pace, counted, explain, pace
from producer.scheduler import run_every
from producer.sources.live import Live
from producer.sources.openweathermap_record import SOURCE
from producer.sources.openweathermap_rounds import Round, Rounds
from readings.declared import declare
from readings.errors import ConfigError
from readings.settings import Settings
from readings.stream import Stream

VARIABLE = "OPENWEATHERMAP_API_KEY"

log = logging.getLogger(__name__)


def _missing(settings: Settings) -> str | None:
    """The variable that must be set before the source can be live, or None."""
    return None if settings.openweathermap_api_key else VARIABLE


def _declaration(stream: Stream, settings: Settings) -> tuple[list[str], timedelta]:
    """The series that the source feeds, and how often. Raises ConfigError where the calls of a day are too few."""
    paced = _pace(stream, settings)
    return stream.config.series_names(), paced.interval


def _feed_live(feed: Feed, settings: Settings, dry_run: bool) -> None:
    """Feeds the stream until another source is declared for it. Raises ConfigError before anything is asked."""
    rounds = _rounds(feed, settings, dry_run)
    interval = _pace(feed.stream, settings).interval

    def job() -> None:
        if not dry_run:
            feed.still(SOURCE)
        rounds.round()

    run_every(interval, job, rounds.first_round(), feed.clock)


def _feed_once(feed: Feed, settings: Settings, dry_run: bool) -> Round | None:
    """A single round, and what came of it. Raises ConfigError before anything is asked."""
    return _rounds(feed, settings, dry_run).round()


def _rounds(feed: Feed, settings: Settings, dry_run: bool) -> Rounds:
    """The rounds of this feed, declared. A dry run declares nothing and keeps no cursor; its calls are counted."""
    key = settings.openweathermap_api_key
    if key is None:
        raise ConfigError(f"{VARIABLE}: is not set, expected a key of One Call API 3.0 (in .env or the environment)")
    stream, limit = feed.stream, settings.openweathermap_daily_calls
    paced = _pace(stream, settings)
    if not dry_run:
        feed.answered(lambda: declare(feed.database, stream, SOURCE, stream.config.series_names(), paced.interval))
    log.info("%s", explain(paced, limit, stream.config.cadence), extra={"stream": stream.name})
    session = Session(
        settings.openweathermap_base_url,
        keys={"appid": key.get_secret_value()},
        before_call=counted(feed, DailyCalls(feed.database, SOURCE, limit), paced, "OPENWEATHERMAP_DAILY_CALLS"),
        sleep=lambda seconds: feed.clock.wait_until(feed.clock.now() + timedelta(seconds=seconds)),
        now=feed.clock.now,
    )
    return Rounds(
        OpenWeatherMap(session),
        stream.config.places(),
        paced,
        stream,
        feed.publisher,
        UnkeptCursor() if dry_run else feed.cursor(SOURCE),
        feed.clock,
        feed.state,
    )


def _pace(stream: Stream, settings: Settings) -> Pace:
    return pace(len(stream.config.places()), settings.openweathermap_daily_calls, stream.config.cadence)


LIVE = Live(_missing, _declaration, _feed_live, _feed_once)
