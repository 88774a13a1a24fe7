"""What the commands of ``python -m producer`` do; each gives its exit code."""

import argparse
import dataclasses
import itertools
import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

from apis.errors import ApiError
from producer.arguments import disorder, holdings
from producer.backfill import backfill as backfill_days
from producer.clock import WallClock
from producer.consolidated import write_consolidated
from producer.cursor import UnkeptCursor
from producer.errors import RecordingError
from producer.feed import Feed
from producer.go_live import Replayed, change_over, check_live, check_variables
from producer.limited import Limited
from producer.messages import reading_message
from producer.publish_mqtt import Outbox, Send, again_and_again, publish
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
from producer.sources import LIVE, openelectricity
from producer.sources.meters import play
from producer.sources.openelectricity import extracted
from producer.states import States, Tally
from producer.together import together
from producer.unread import check_consumer
from readings import anew
from readings.connections import connect_elasticsearch, connect_mongodb
from readings.errors import ConfigError
from readings.parts import Part
from readings.settings import Settings
from readings.stream import Stream, load_streams

log = logging.getLogger(__name__)


def run(arguments: argparse.Namespace, settings: Settings, clock: WallClock) -> int:
    """``run``: streams from a live source. With ``--once`` 1 where nothing could be sent."""
    chosen = _chosen(settings, arguments.name)
    if arguments.filename:
        if [source for _, source in chosen] != ["meters"]:
            raise ConfigError(f"--filename: read with {arguments.name!r}, expected it with meters alone")
        return _play_meters(arguments, settings, clock, chosen[0][0])
    if arguments.topic is not None or arguments.speedup is not None:
        raise ConfigError("--topic, --speedup: read without --filename, expected them with a file of meters alone")
    for stream, source in chosen:
        check_variables(stream, source, settings)
    database = connect_mongodb(settings)
    with ExitStack() as stack:
        part = None if arguments.dry_run else stack.enter_context(Part(database, "producer"))
        states = States(part or Tally())
        streams = [stream for stream, _ in chosen]
        publisher = stack.enter_context(_publisher(settings, streams, clock, states, arguments))
        feeds = [
            (LIVE[source], Feed(stream, database, publisher, clock, states.of(stream.name)))
            for stream, source in chosen
        ]
        if not arguments.once:
            together([partial(live.feed, feed, settings, arguments.dry_run) for live, feed in feeds], clock)
            return 0
        rounds = [live.once(feed, settings, arguments.dry_run) for live, feed in feeds]
        return 0 if all(done and (done.sent or not done.failed) for done in rounds) else 1


def backfill(arguments: argparse.Namespace, settings: Settings, clock: WallClock) -> int:
    """``backfill``: the readings of chosen days. 1 where the source refused some of them."""
    chosen = _chosen(settings, arguments.source)
    database = connect_mongodb(settings)
    with ExitStack() as stack:
        part = None if arguments.dry_run else stack.enter_context(Part(database, "backfill"))
        states = States(part or Tally())
        publisher = stack.enter_context(_publisher(settings, [one for one, _ in chosen], clock, states, arguments))
        for stream, source in chosen:
            check_variables(stream, source, settings)
            spans = LIVE[source].spans
            if spans is None:
                raise ConfigError(f"read {source!r}, expected a source that is asked for spans of time")
            feed = Feed(stream, database, publisher, clock, states.of(stream.name))
            asked = spans(feed, settings)
            done = backfill_days(feed, asked, arguments.first, arguments.last, dry_run=arguments.dry_run)
            told = f"{stream.name}: {done.sent} readings sent, {done.dead_letters} became dead letters"
            sys.stderr.write(f"{told}{f'; ended by: {done.failed}' if done.failed else ''}\n")
            if done.failed:
                return 1
    return 0


def extract(arguments: argparse.Namespace, settings: Settings, clock: WallClock) -> int:
    """``extract``: the compact cache of the last days. 1 where the service does not answer, or with nothing."""
    streams = load_streams(settings)
    chosen = [stream for stream in streams.values() if arguments.source in stream.config.sources]
    for stream in chosen:
        check_variables(stream, arguments.source, settings)
    if not arguments.out.absolute().parent.is_dir():
        raise ConfigError(f"--out: {arguments.out}: there is no folder {arguments.out.absolute().parent}")
    until = clock.now()
    lasts = timedelta(days=arguments.days)
    asked = ((stream, openelectricity.source(stream, settings, clock)) for stream in chosen)
    found = ((stream, one) for stream, spans in asked for one in extracted(spans, until, lasts))
    wished = itertools.islice(found, arguments.limit)
    try:
        if arguments.dry_run:
            printer = Printer(sys.stdout)
            for stream, reading in wished:
                printer.publish([reading_message(reading, stream.topic)])
            return 0
        written = write_consolidated(arguments.out, (reading for _, reading in wished))
    except ApiError as error:
        sys.stderr.write(f"{arguments.source} could not be read: {error}\n")
        return 1
    if not written.readings:
        sys.stderr.write(f"{arguments.source} has no readings of the last {arguments.days} days; nothing was written\n")
        return 1
    told = f"{written.readings} readings in {written.rows} rows and {written.columns} columns"
    sys.stderr.write(f"{arguments.out}: {told}\n")
    return 0


def publish_mqtt(arguments: argparse.Namespace, settings: Settings, clock: WallClock) -> int:
    """``publish-mqtt``: a compact cache's events to the broker."""
    with ExitStack() as stack:
        send: Send
        if arguments.dry_run:
            send = _print
        else:
            if settings.mqtt_url is None:
                raise ConfigError("MQTT_URL: is not set, expected mqtt://host:1883, mqtts://host:8883 or local")
            send = stack.enter_context(Outbox(settings, clock, States(Tally()).of("mqtt"))).send
        cycle = partial(publish, arguments.path, send, clock, arguments.delay, shift_to_now=arguments.shift_to_now)
        sent = cycle() if arguments.once else again_and_again(cycle, clock, arguments.cooldown)
        for _ in itertools.islice(sent, arguments.limit):
            pass
    return 0


def _print(payload: bytes) -> None:
    sys.stdout.write(f"{payload.decode()}\n")
    sys.stdout.flush()


def _play_meters(arguments: argparse.Namespace, settings: Settings, clock: WallClock, stream: Stream) -> int:
    stream = _with_topic(stream, arguments.topic)
    states = States(Tally())
    with _publisher(settings, [stream], clock, states, arguments) as publisher:
        sent = play(arguments.filename, arguments.speedup or 1.0, stream, publisher, clock, states.of(stream.name))
    log.info("the file ended", extra={"stream": stream.name, "sent": sent})
    return 0


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
        publisher = stack.enter_context(_publisher(settings, [stream], clock, states, arguments))
        state = states.of(stream.name)
        if part is not None and to_now:
            feed = Feed(stream, database, publisher, clock, state)
            replay_to_now(feed, to_now, arguments.once)
            return 0
        target = Target(stream, publisher, UnkeptCursor(), clock, state)
        send_bad_lines(target, recordings)
        if to_now:
            batches = to_now.play(target, arguments.once)
        else:
            sped_up = ReplaySpedUp(
                recordings,
                arguments.speedup or 1.0,
                arguments.every,
                wished,
                arguments.shift_to_now,
                disorder(arguments),
            )
            batches = sped_up.play(target)
        sent = sum(batches)
    log.info("the replay ended", extra={"stream": stream.name, "sent": sent})
    return 0


def go_live(arguments: argparse.Namespace, settings: Settings, clock: WallClock) -> int:
    """``go-live``: 1 where the answer is no. Raises NotRead."""
    stream = _stream(settings, arguments.stream)
    source = check_live(stream, settings)
    database, view = connect_mongodb(settings), connect_elasticsearch(settings)
    found = Replayed(settings, stream, database, view).find()
    sys.stdout.write(f"{stream.name} goes live with {source}. To be removed: {found}.\n")
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise ConfigError("go-live: nobody can be asked here; give --yes to go on")
        check_consumer(database, clock.now())
        sys.stdout.write("Go on? [y/N] ")
        sys.stdout.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            sys.stdout.write("Nothing was changed.\n")
            return 1
    removed = change_over(settings, stream, database, view, clock)
    sys.stdout.write(f"Removed: {removed}. {stream.name} is fed by {source} from now on.\n")
    if anew.asked(database, stream.name).due:
        sys.stdout.write("The consumer removes the totals that were made of it, and begins them anew.\n")
    return 0


def _stream(settings: Settings, name: str) -> Stream:
    streams = load_streams(settings)
    if name not in streams:
        raise ConfigError(f"read {name!r}, expected a stream of skywatt.yml: {', '.join(streams)}")
    return streams[name]


def _chosen(settings: Settings, name: str) -> list[tuple[Stream, str]]:
    """The streams that a source feeds, or the stream of that name, each with the source."""
    streams = load_streams(settings)
    if name in LIVE:
        found = [(stream, name) for stream in streams.values() if name in stream.config.sources]
        if not found:
            raise ConfigError(f"{name}: is in no stream's sources in skywatt.yml")
        return found
    if name not in streams:
        raise ConfigError(f"read {name!r}, expected a source ({', '.join(LIVE)}) or a stream ({', '.join(streams)})")
    return [(streams[name], check_live(streams[name], settings))]


def _with_topic(stream: Stream, topic: str | None) -> Stream:
    if topic in (None, stream.config.topic, stream.topic):
        return stream
    return dataclasses.replace(stream, config=stream.config.model_copy(update={"topic": topic}))


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
            return _with_topic(stream, topic), topic is None
    raise RecordingError(f"{path}: its columns are no stream's fields: read {', '.join(sorted(columns))[:200]!r}")


def _plays_now(arguments: argparse.Namespace) -> bool:
    return bool(arguments.shift_to_now and arguments.speedup is None)


@contextmanager
def _publisher(
    settings: Settings, streams: list[Stream], clock: WallClock, states: States, arguments: argparse.Namespace
) -> Iterator[Publishes]:
    """Kafka, or standard output of a dry run; as far as ``--limit`` goes."""
    with ExitStack() as stack:
        publisher: Publishes
        if arguments.dry_run:
            publisher = Printer(sys.stdout)
        else:
            named = {stream.name: stream for stream in streams}
            publisher = stack.enter_context(Publisher(settings, named, clock, states.of("kafka")))
        yield Limited(publisher, arguments.limit) if arguments.limit else publisher
