"""``python -m producer serve``: each stream of ``skywatt.yml``, live where its source's variables are set, else played.

One thread a stream; they share a publisher. What feeds a stream is declared in MongoDB and looked up again each time
it may have changed, so that `producer.go_live` can change it over while this runs.
"""

import logging
from dataclasses import replace
from datetime import timedelta
from functools import partial

from producer.archive import play_archive
from producer.clock import WallClock
from producer.errors import RecordingError, Stopped, Superseded
from producer.feed import Feed
from producer.publisher import Publisher
from producer.replay import SOURCE, replay_stream
from producer.sources import LIVE, check_sources, chosen_source, missing_variables
from producer.states import State, States
from producer.together import together
from readings.connections import connect_mongodb
from readings.errors import ConfigError
from readings.parts import Part
from readings.settings import Settings, load_settings
from readings.stream import load_streams

EVERY = timedelta(seconds=60)
"""How often each series of a recording is read while it plays."""
LOOK_AGAIN = timedelta(seconds=10)
"""After what cannot go on by itself: a missing variable, a wrong recording."""

log = logging.getLogger(__name__)


def serve(settings: Settings, clock: WallClock) -> None:
    """Feeds every stream until the clock is stopped. Raises ConfigError where ``skywatt.yml`` is wrong."""
    streams = load_streams(settings)
    for stream in streams.values():
        check_sources(stream)
    database = connect_mongodb(settings)
    with Part(database, "producer") as part:
        states = States(part)
        with Publisher(settings, streams, clock, states.of("kafka")) as publisher:
            feeds = [Feed(stream, database, publisher, clock, states.of(stream.name)) for stream in streams.values()]
            archives = [replace(feed, state=states.of(f"{feed.stream.name} archive")) for feed in feeds]
            # a feed that broke ends the others: the supervisor starts all of them anew
            jobs = [
                *(partial(keep_feeding, feed, states) for feed in feeds),
                *(partial(play_archive, feed) for feed in archives),
            ]
            together(jobs, clock)


def keep_feeding(feed: Feed, states: States) -> None:
    """Feeds a stream by what it is declared for, looked up again whenever that ends. Returns when asked to end."""
    advice = states.of(f"{feed.stream.name} source")
    while True:
        try:
            try:
                _feed(feed, load_settings(), advice)
            except Superseded as change:
                log.info("%s", change, extra={"stream": feed.stream.name})
            except (ConfigError, RecordingError) as error:
                feed.state.failed(str(error))
                feed.clock.wait_until(feed.clock.now() + LOOK_AGAIN)
        except Stopped:
            return


def _feed(feed: Feed, settings: Settings, advice: State) -> None:
    """Feeds a stream until its source changes. A stream that was replayed or was live stays so until `go-live`."""
    stream = feed.stream
    source = chosen_source(stream, settings)
    now_fed_by = feed.declared()
    go_live = f"python -m producer go-live {stream.name}"
    if now_fed_by.since is not None and now_fed_by.source not in (SOURCE, source or now_fed_by.source):
        feed.state.waiting(f"{go_live} ({stream.name} is fed by {now_fed_by.source!r})")
        feed.clock.wait_until(feed.clock.now() + LOOK_AGAIN)
    elif now_fed_by.since is not None and now_fed_by.source == SOURCE:
        if source is not None:
            advice.waiting(f"{go_live} (readings go on: its key is set, until then the recording plays)")
        replay_stream(feed, EVERY)
    elif source is not None:
        advice.running()
        feed.state.running()
        LIVE[source].feed(feed, settings, False)
    elif now_fed_by.since is not None or stream.config.recording is None:
        missing = missing_variables(stream, settings)
        feed.state.waiting(f"{missing} ({stream.name} is fed by {now_fed_by.source!r})")
        feed.clock.wait_until(feed.clock.now() + LOOK_AGAIN)
    else:
        replay_stream(feed, EVERY)
