"""``python -m producer serve``: every stream of ``skywatt.yml``, live where its source's variables are set, else replayed.

One thread a stream; they share a publisher. What a stream is fed by is declared in MongoDB, and looked up again each
time it may have changed, so that `producer.go_live` can change it over while this runs.
"""

import logging
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta

from pymongo.database import Database

from producer.clock import Clock, WallClock
from producer.cursor import KeptCursor
from producer.errors import RecordingError, Stopped, Superseded
from producer.publisher import Publisher, Publishes
from producer.replay import SOURCE, ReplayNow, Target, bad_line_messages, read_recordings, series_names, watch
from producer.states import State, States
from producer.waiting import MONGODB_IS_AWAY, T, until_mongodb_answers
from readings.config import ROOT
from readings.connections import Document, connect_mongodb
from readings.declared import Declared, declare, declared
from readings.errors import ConfigError
from readings.parts import Part
from readings.settings import Settings, load_settings
from readings.stream import Stream, load_streams

EVERY = timedelta(seconds=60)
"""How often each series of a recording is read while it plays."""
LOOK_AGAIN = timedelta(seconds=10)
"""After what cannot go on by itself: a missing variable, a wrong recording."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Feed:
    """What feeding one stream needs."""

    stream: Stream
    database: "Database[Document]"
    publisher: Publishes
    clock: Clock
    state: State

    def declared(self) -> Declared:
        """What the stream is fed by now."""
        return until_mongodb_answers(lambda: declared(self.database, self.stream), self.clock, self.state)

    def still(self, source: str) -> None:
        """Raises Superseded where another source feeds the stream now; while MongoDB is away, that is not known."""
        try:
            found = declared(self.database, self.stream)
        except MONGODB_IS_AWAY:
            return
        if found.since is None or found.source != source:
            raise Superseded(f"{self.stream.name} is not fed by {source!r} any more")


def serve(settings: Settings, clock: WallClock) -> None:
    """Feeds every stream until the clock is stopped."""
    streams = load_streams(settings)
    database = connect_mongodb(settings)
    with Part(database, "producer") as part:
        states = States(part)
        with (
            Publisher(settings, streams, clock, states.of("kafka")) as publisher,
            ThreadPoolExecutor(len(streams), "feed") as pool,
        ):
            futures = [
                pool.submit(keep_feeding, Feed(stream, database, publisher, clock, states.of(stream.name)))
                for stream in streams.values()
            ]
            wait(futures, return_when=FIRST_EXCEPTION)
            clock.stop()  # a feed that broke ends the others: the supervisor starts all of them anew
        for future in futures:
            future.result()
    log.info("ended", extra={"counts": "kept in parts"})


def keep_feeding(feed: Feed, every: timedelta = EVERY) -> None:
    """Feeds a stream by what it is declared for, looked up again whenever that ends. Returns when asked to end."""
    while True:
        try:
            _feed(feed, load_settings(), every)
        except Stopped:
            return
        except Superseded as change:
            log.info("%s", change, extra={"stream": feed.stream.name})
        except (ConfigError, RecordingError) as error:
            feed.state.failed(str(error))
            if _stopped_within(feed.clock, LOOK_AGAIN):
                return


def _feed(feed: Feed, settings: Settings, every: timedelta) -> None:
    replay(feed, every)


def replay(feed: Feed, every: timedelta) -> None:
    """Replays the stream's recording, moved to now, until another source is declared for it."""
    stream = feed.stream
    if stream.config.recording is None:
        raise ConfigError(f"skywatt.yml: streams.{stream.name}.recording: is missing, expected a file or folder")
    recordings = read_recordings(ROOT / stream.config.recording, stream)
    names = series_names(recordings)
    _when_mongodb_answers(feed, lambda: declare(feed.database, stream, SOURCE, names, every))
    cursor = _when_mongodb_answers(feed, lambda: KeptCursor(feed.database, cursor_name(stream), feed.state))
    if not cursor.until:
        bad = bad_line_messages(stream, recordings, feed.clock.now())
        feed.publisher.publish(bad)
        feed.state.count(dead_letters=len(bad))
    target = Target(stream, stream.topic, feed.publisher, cursor, feed.clock, feed.state)
    play = ReplayNow(recordings, every)
    log.info("replaying %s", stream.config.recording, extra={"stream": stream.name, "series": len(names)})
    for _ in watch(play.play(target), play.missed(target), f"{stream.name} backfill"):
        feed.still(SOURCE)


def cursor_name(stream: Stream) -> str:
    """The name of the cursor of a stream's replay."""
    return f"{SOURCE}/{stream.name}"


def _when_mongodb_answers(feed: Feed, call: "Callable[[], T]") -> "T":
    return until_mongodb_answers(call, feed.clock, feed.state)


def _stopped_within(clock: Clock, time: timedelta) -> bool:
    try:
        clock.wait_until(clock.now() + time)
    except Stopped:
        return True
    return False
