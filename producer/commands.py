"""What the commands of ``python -m producer`` do; each gives its exit code."""

import argparse
import dataclasses
import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from producer.arguments import disorder, holdings
from producer.clock import WallClock
from producer.cursor import UnkeptCursor
from producer.errors import RecordingError
from producer.feed import Feed
from producer.go_live import Replayed, change_over, check_live
from producer.publisher import Printer, Publisher, Publishes
from producer.recordings import header, recording_files
from producer.replay import (
    ReplayNow,
    ReplaySpedUp,
    Target,
    read_recordings,
    replay_to_now,
    send_bad_lines,
    series_names,
)
from producer.sources import LIVE
from producer.states import States, Tally
from readings.connections import connect_elasticsearch, connect_mongodb
from readings.errors import ConfigError
from readings.parts import Part
from readings.settings import Settings
from readings.stream import Stream, load_streams

log = logging.getLogger(__name__)


def run(arguments: argparse.Namespace, settings: Settings, clock: WallClock) -> int:
    """``run``: one stream from its live source. With ``--once`` 1 where nothing could be sent."""
    stream = _stream(settings, arguments.stream)
    source = LIVE[check_live(stream, settings)]
    database = connect_mongodb(settings)
    with ExitStack() as stack:
        part = None if arguments.dry_run else stack.enter_context(Part(database, "producer"))
        states = States(part or Tally())
        publisher = stack.enter_context(_publisher(settings, stream, clock, states, arguments.dry_run))
        feed = Feed(stream, database, publisher, clock, states.of(stream.name))
        if not arguments.once:
            source.feed(feed, settings, arguments.dry_run)
            return 0
        if source.once is None:
            raise ConfigError(f"--once: {stream.name} is read without rounds, expected no --once")
        done = source.once(feed, settings, arguments.dry_run)
        return 0 if done and (done.sent or not done.failed) else 1


def replay(arguments: argparse.Namespace, settings: Settings, clock: WallClock) -> int:
    """``replay``: a recording, moved to now or with its own times."""
    stream, is_own = _recorded_stream(arguments.path, arguments.topic, load_streams(settings))
    recordings = read_recordings(arguments.path, stream)
    wished = holdings(arguments)
    unknown = {holding.series for holding in wished} - set(series_names(recordings))
    if unknown:
        raise ConfigError(
            f"--hold-back: read {', '.join(sorted(unknown))}, expected one of {', '.join(series_names(recordings))}"
        )
    to_now = ReplayNow(recordings, arguments.every, wished, disorder(arguments)) if _plays_now(arguments) else None
    with ExitStack() as stack:
        tally = Tally()
        part = None
        if to_now and is_own and not arguments.dry_run:
            database = connect_mongodb(settings)
            part = stack.enter_context(Part(database, "producer"))
        states = States(part or tally)
        publisher = stack.enter_context(_publisher(settings, stream, clock, states, arguments.dry_run))
        state = states.of(stream.name)
        if part is not None and to_now:
            feed = Feed(stream, database, publisher, clock, state)
            replay_to_now(feed, to_now, arguments.once, arguments.limit)
            return 0
        target = Target(stream, publisher, UnkeptCursor(), clock, state)
        send_bad_lines(target, recordings)
        if to_now:
            batches = to_now.play(target, arguments.once, arguments.limit)
        else:
            sped_up = ReplaySpedUp(
                recordings,
                arguments.speedup or 1.0,
                arguments.every,
                wished,
                arguments.shift_to_now,
                disorder(arguments),
            )
            batches = sped_up.play(target, arguments.limit)
        sent = sum(batches)
    log.info("the replay ended", extra={"stream": stream.name, "sent": sent})
    return 0


def go_live(arguments: argparse.Namespace, settings: Settings, clock: WallClock) -> int:
    """``go-live``: 1 where the answer is no."""
    stream = _stream(settings, arguments.stream)
    source = check_live(stream, settings)
    database, view = connect_mongodb(settings), connect_elasticsearch(settings)
    found = Replayed(settings, stream, database, view).find()
    sys.stdout.write(f"{stream.name} goes live with {source}. To be removed: {found}.\n")
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise ConfigError("go-live: nobody can be asked here; give --yes to go on")
        sys.stdout.write("Go on? [y/N] ")
        sys.stdout.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            sys.stdout.write("Nothing was changed.\n")
            return 1
    removed = change_over(settings, stream, database, view, clock)
    sys.stdout.write(f"Removed: {removed}. {stream.name} is fed by {source} from now on.\n")
    return 0


def _stream(settings: Settings, name: str) -> Stream:
    streams = load_streams(settings)
    if name not in streams:
        raise ConfigError(f"read {name!r}, expected a stream of skywatt.yml: {', '.join(streams)}")
    return streams[name]


def _recorded_stream(path: Path, topic: str | None, streams: dict[str, Stream]) -> tuple[Stream, bool]:
    """The stream that is recorded, with the wished topic, and whether that is its own.

    It is the one whose topic is wished, else the one whose fields the file's columns are.
    """
    for stream in streams.values():
        if topic in (stream.config.topic, stream.topic):
            return stream, True
    columns = {column.split(".")[0] for column in header(recording_files(path)[0])}
    for stream in streams.values():
        if columns <= set(stream.model.model_fields):
            if topic is None:
                return stream, True
            return dataclasses.replace(stream, config=stream.config.model_copy(update={"topic": topic})), False
    raise RecordingError(f"{path}: its columns are no stream's fields: read {', '.join(sorted(columns))[:200]!r}")


def _plays_now(arguments: argparse.Namespace) -> bool:
    return bool(arguments.shift_to_now and arguments.speedup is None)


@contextmanager
def _publisher(
    settings: Settings, stream: Stream, clock: WallClock, states: States, dry_run: bool
) -> Iterator[Publishes]:
    if dry_run:
        yield Printer(sys.stdout)
    else:
        with Publisher(settings, {stream.name: stream}, clock, states.of("kafka")) as publisher:
            yield publisher
