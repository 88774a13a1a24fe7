"""The replay: a recording goes to Kafka as if it happened now, or at any speed with its own times.

Moved to now, what falls before now goes out at once with mode ``backfill``; what comes after goes out when its time
comes, and is ``live``. That holds after every start: what was missed while the producer was away is fetched on
purpose for the past, so it is a backfill too. It is filled like the rest, except that of what is more than a day old
only the recorded readings go out.
"""

import heapq
import itertools
import logging
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from producer.clock import Clock
from producer.cursor import Cursor
from producer.disorder import ORDER, Disorder
from producer.dues import Due, HoldBack, filled, hold_back, in_order, when_due
from producer.errors import RecordingError
from producer.feed import Feed
from producer.laid import DAY, Laid, Played, lap_of, shift_to
from producer.messages import Message, bad_line_message
from producer.progress import watch
from producer.publisher import Publishes
from producer.recorded import RECORDED
from producer.recordings import Recording, read_recording, recording_files
from producer.states import State
from readings.config import ROOT
from readings.declared import declare
from readings.stream import Stream

SOURCE = "replay"
INTERPOLATED = "replay-interpolated"
FILLED_FOR = DAY
"""What was missed longer ago is made up for by the recorded readings alone."""
CHUNK = 10_000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Holding:
    """A wish to hold a series back: from so long after the replay begins, for so long."""

    series: str
    lasts: timedelta
    after: timedelta = timedelta()

    def from_now(self, now: datetime) -> HoldBack:
        """The hold-back of a replay that begins now."""
        return HoldBack(self.series, now + self.after, self.lasts)


@dataclass(frozen=True)
class Target:
    """Where a replay's readings go, and how it tells how far it is."""

    stream: Stream
    publisher: Publishes
    cursor: Cursor
    clock: Clock
    state: State
    before_sending: Callable[[], None] = lambda: None
    """Raises where the replay must not go on."""

    def send(self, readings: Sequence[Played], disorder: timedelta = timedelta()) -> None:
        """Returns when the readings are safe and the cursor has moved past them.

        Where a reading may come after one of its series that is younger by up to `disorder`, the cursor stays so far
        behind: what was not sent yet when the process ends is sent by the next one, and some of the rest again.
        """
        self.before_sending()
        topic = self.stream.topic
        self.publisher.publish([Message(topic, reading.series.encode(), reading.value) for reading in readings])
        self.state.count(sent=len(readings))
        oldest = min(reading.event_time for reading in readings)
        self.cursor.move({one.series: oldest - disorder if disorder else one.event_time for one in readings})


def read_recordings(path: Path, stream: Stream) -> list[Recording]:
    """The recordings of a file or folder. Raises RecordingError where there is none that can be played."""
    return [read_recording(file, stream.model) for file in recording_files(path)]


def series_names(recordings: Sequence[Recording]) -> list[str]:
    """The series that are recorded."""
    return sorted({name for recording in recordings for name in recording.series})


@dataclass(frozen=True)
class ReplayNow:
    """Recordings moved to now by whole days, laid end to end, without an end."""

    recordings: Sequence[Recording]
    every: timedelta | None
    holdings: Sequence[Holding] = ()
    disorder: Disorder = ORDER
    """Of what is live; the backfill arrives as it should."""

    def play(self, target: Target, once: bool = False) -> Iterator[int]:
        """Sends what is due, and after each batch gives how many readings it held; with `once` only what is due now.

        What is of an interval is due at its end.
        """
        began = target.clock.now()
        interval = target.stream.model.interval
        laid = self._laid(target, began)
        target.cursor.move({})  # keeps the shift before anything is sent with it
        for chunk in _chunks(self._backfill(laid, target, began - interval)):
            target.clock.wait_until(began)  # ends the backfill when asked to
            target.send(chunk)
            yield len(chunk)
        if once:
            return
        holds = [holding.from_now(began) for holding in self.holdings]
        dues = self.disorder.of(hold_back(self._live(laid, began - interval, interval), holds))
        for batch in when_due(dues, target.clock):
            target.send(batch, self._disorder_in_time())
            yield len(batch)

    def _disorder_in_time(self) -> timedelta:
        """How far back in event time a reading may lie behind one of its series that went out before it."""
        if not self.disorder.shuffle:
            return timedelta()
        return self.disorder.shuffle + max((holding.lasts for holding in self.holdings), default=timedelta())

    def cadence(self, stream: Stream) -> timedelta:
        """How often each series is read: as wished, else as it was recorded."""
        gaps = [
            series.time(number + 1) - series.time(number)
            for recording in self.recordings
            for series in recording.series.values()
            for number in range(min(len(series) - 1, 100))
        ]
        return self.every or (statistics.median_high(gaps) if gaps else stream.config.cadence)

    def missed(self, target: Target) -> int:
        """How many recorded readings the backfill holds at most, for a progress bar."""
        now = target.clock.now()
        return sum(
            one.next_after(now) - one.next_after(self._since(one, target, now)) for one in self._laid(target, now)
        )

    def _laid(self, target: Target, now: datetime) -> list[Laid]:
        facts = target.cursor.facts
        facts.setdefault("began_at", now)
        shifts = facts.setdefault("shift_days", {})
        recorded = RECORDED[target.stream.name]
        laid = []
        for recording in self.recordings:
            name = recording.name.replace(".", "_")
            shift = timedelta(days=shifts.setdefault(name, shift_to(recording, now, recorded.backfill).days))
            laid += [
                Laid(one, recording.first, shift, lap_of(recording), recorded) for one in recording.series.values()
            ]
        return laid

    def _since(self, laid: Laid, target: Target, now: datetime) -> datetime:
        return target.cursor.until.get(laid.name, now - RECORDED[target.stream.name].backfill)

    def _backfill(self, laid: Sequence[Laid], target: Target, now: datetime) -> Iterator[Played]:
        began_at = target.cursor.facts["began_at"]
        if self.every:
            began_at -= self.every  # the newest reading of the backfill is of now, so that no series begins silent
        filled_from = max(began_at, now - FILLED_FOR)
        return in_order(self._missed(one, self._since(one, target, now), filled_from, now) for one in laid)

    def _missed(self, laid: Laid, since: datetime, filled_from: datetime, now: datetime) -> Iterator[Played]:
        if self.every is None or filled_from >= now:
            yield from laid.played(since, now, "backfill")
        else:
            if since < filled_from:
                yield from laid.played(since, filled_from, "backfill")
            yield from filled(laid, max(since, filled_from), now, self.every, "backfill")

    def _live(self, laid: Sequence[Laid], after: datetime, interval: timedelta) -> Iterator[Due[Played]]:
        never = datetime.max.replace(tzinfo=after.tzinfo)
        readings = in_order(
            filled(one, after, never, self.every, "live") if self.every else one.played(after, never, "live")
            for one in laid
        )
        return (Due(reading.event_time + interval, reading) for reading in readings)


@dataclass(frozen=True)
class ReplaySpedUp:
    """Recordings played once with their own event times, the gaps divided by `speedup`, mode ``replay``."""

    recordings: Sequence[Recording]
    speedup: float
    every: timedelta | None = None
    holdings: Sequence[Holding] = ()
    to_now: bool = False
    """Move the event times by whole days so that the recording ends before now."""
    disorder: Disorder = ORDER

    def play(self, target: Target) -> Iterator[int]:
        """Sends the whole recording and gives after each batch how many readings it held."""
        began = target.clock.now()
        holds = [holding.from_now(began) for holding in self.holdings]
        dues = self.disorder.of(hold_back(self._dues(target, began), holds))
        for batch in when_due(dues, target.clock):
            target.send(batch)
            yield len(batch)

    def _dues(self, target: Target, began: datetime) -> Iterator[Due[Played]]:
        """Each file from its own beginning, so that files of different years play together."""
        dues = (self._dues_of(recording, target, began) for recording in self.recordings)
        return heapq.merge(*dues, key=lambda due: due.at)

    def _dues_of(self, recording: Recording, target: Target, began: datetime) -> Iterator[Due[Played]]:
        shift = (began - recording.last) // DAY * DAY if self.to_now else timedelta()
        recorded = RECORDED[target.stream.name]
        first, last = recording.first + shift, recording.last + shift
        before = first - timedelta(microseconds=1)
        laid = [Laid(one, recording.first, shift, None, recorded) for one in recording.series.values()]
        readings = in_order(
            filled(one, before, last, self.every, "replay") if self.every else one.played(before, last, "replay")
            for one in laid
        )
        # each instant is reckoned from the first one, so that nothing adds up over a long recording
        return (Due(began + (one.event_time - first) / self.speedup, one) for one in readings)


def replay_stream(feed: Feed, every: timedelta) -> None:
    """Replays a stream's own recording, moved to now, until another source is declared for it.

    Each series is read `every` so long, where its readings can be interpolated, else as it was recorded.
    """
    stream = feed.stream
    if stream.config.recording is None:
        raise RecordingError(f"skywatt.yml: streams.{stream.name}.recording: is missing, expected a file or folder")
    recordings = read_recordings(ROOT / stream.config.recording, stream)
    interpolated = RECORDED[stream.name].interpolate is not None
    replay_to_now(feed, ReplayNow(recordings, every if interpolated else None))


def replay_to_now(feed: Feed, replay: ReplayNow, once: bool = False) -> None:
    """Declares the recorded series and plays them where a kept cursor says, until another source is declared."""
    stream, names = feed.stream, series_names(replay.recordings)
    feed.answered(lambda: declare(feed.database, stream, SOURCE, names, replay.cadence(stream)))
    cursor = feed.cursor(SOURCE)
    target = Target(stream, feed.publisher, cursor, feed.clock, feed.state, lambda: feed.still(SOURCE))
    if not cursor.until:
        send_bad_lines(target, replay.recordings)
    log.info("a recording of %d series plays", len(names), extra={"stream": stream.name})
    feed.state.running()
    for _ in watch(replay.play(target, once), replay.missed(target), f"{stream.name} backfill"):
        pass


def send_bad_lines(target: Target, recordings: Sequence[Recording]) -> None:
    """Sends the recordings' lines that are no readings to the dead letters; each is logged with its number."""
    now = target.clock.now()
    bad = [
        bad_line_message(target.stream, SOURCE, line, now) for recording in recordings for line in recording.bad_lines
    ]
    target.publisher.publish(bad)
    target.state.count(dead_letters=len(bad))


def _chunks(readings: Iterator[Played]) -> Iterator[list[Played]]:
    while chunk := list(itertools.islice(readings, CHUNK)):
        yield chunk
