"""Live meters from a CSV that grows: ``METERS_FILE``. What stands in it already is a backfill, new lines are live."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from producer.clock import Clock
from producer.cursor import Cursor, UnkeptCursor
from producer.dues import Due, when_due
from producer.errors import RecordingError
from producer.feed import Feed
from producer.messages import Message, bad_line_message
from producer.publisher import Publishes
from producer.recordings import BadLine
from producer.sources.live import Live
from producer.sources.meters_csv import SOURCE, MeterLines, meter_message, read_meters
from producer.states import State
from readings.declared import declare
from readings.reading import Mode
from readings.settings import Settings
from readings.stream import Stream

VARIABLE = "METERS_FILE"
LOOK_AGAIN = timedelta(seconds=1)
CHUNK = 2000


def _missing(settings: Settings) -> str | None:
    return None if settings.meters_file else VARIABLE


def _declaration(stream: Stream, _settings: Settings) -> tuple[list[str], timedelta]:
    return stream.config.series_names(), stream.config.cadence


@dataclass(frozen=True)
class Sent:
    """What came of sending what a file holds."""

    sent: int
    failed: str | None = None


def _feed_live(feed: Feed, settings: Settings, dry_run: bool) -> None:
    """Sends the file's lines as they come, until another source is declared for the stream."""
    growing = _growing(feed, settings, dry_run)
    mode: Mode = "backfill"
    while True:
        if not dry_run:
            feed.still(SOURCE)
        growing.send(mode)
        mode = "live"
        feed.clock.wait_until(feed.clock.now() + LOOK_AGAIN)


def _feed_once(feed: Feed, settings: Settings, dry_run: bool) -> Sent:
    """Sends what the file holds by now."""
    return Sent(_growing(feed, settings, dry_run).send("backfill"))


def _growing(feed: Feed, settings: Settings, dry_run: bool) -> "_Growing":
    if not dry_run:
        feed.answered(lambda: declare(feed.database, feed.stream, SOURCE, *_declaration(feed.stream, settings)))
    cursor = UnkeptCursor() if dry_run else feed.cursor(SOURCE)
    return _Growing(settings.meters_file or Path(), cursor, feed)


def play(path: Path, speedup: float, stream: Stream, publisher: Publishes, clock: Clock, state: State) -> int:
    """Sends a file's readings once with their own times, mode ``replay``, the gaps between them divided by `speedup`.

    Gives how many there were. Raises RecordingError where the file cannot be played.
    """
    readings, bad = read_meters(path, "replay")
    began, first = clock.now(), readings[0].timestamp
    publisher.publish([bad_line_message(stream, SOURCE, line, began) for line in bad])
    state.count(dead_letters=len(bad))
    # each instant is reckoned from the first one, so that nothing adds up over a long file
    dues = (Due(began + (reading.timestamp - first) / speedup, reading) for reading in readings)
    for batch in when_due(dues, clock):
        publisher.publish([meter_message(reading, stream.topic) for reading in batch])
        state.count(sent=len(batch))
    return len(readings)


class _Growing:
    """A file whose whole lines are sent once. The cursor's facts keep how many bytes of it Kafka has acknowledged."""

    def __init__(self, path: Path, cursor: Cursor, feed: Feed) -> None:
        self._path = path
        self._cursor = cursor
        self._feed = feed
        self._number = 0
        self._lines: MeterLines | None = None
        self._offset = 0

    def send(self, mode: Mode) -> int:
        """Sends what is new, and gives how many readings that were.

        A file that became shorter is another one, and is read from its beginning.
        """
        try:
            size = self._path.stat().st_size
        except OSError as error:
            raise RecordingError(f"{VARIABLE}: {self._path}: cannot be read ({error.strerror})") from error
        facts = self._cursor.facts
        if facts.get("file") != str(self._path) or size < facts.get("bytes", 0):
            facts.update(file=str(self._path), bytes=0)
            self._number, self._lines, self._offset = 0, None, 0
        messages: list[Message] = []
        sent = bad = 0
        for line in self._new_lines():
            message, is_reading = self._message(line, mode)
            if message is not None and self._offset > facts["bytes"]:
                messages.append(message)
                bad += not is_reading
            if len(messages) >= CHUNK:
                sent += self._publish(messages, bad)
                messages, bad = [], 0
        if messages or self._offset > facts["bytes"]:
            sent += self._publish(messages, bad)
        return sent

    def _new_lines(self) -> Iterator[str]:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for raw in file:
                if not raw.endswith(b"\n"):
                    return  # it is still being written
                self._offset += len(raw)
                self._number += 1
                yield raw.decode(errors="replace").strip().removeprefix("\ufeff")

    def _message(self, line: str, mode: Mode) -> tuple[Message | None, bool]:
        if not line:
            return None, True
        stream, now = self._feed.stream, self._feed.clock.now()
        try:
            if self._lines is None:
                self._lines = MeterLines.of(line)
                if self._lines.has_header:
                    return None, True
            reading = self._lines.read(line, mode)
            problem = stream.time_problem(reading.event_time, now)
        except ValueError as error:
            if self._lines is None:
                raise RecordingError(f"{VARIABLE}: {self._path}: line {self._number}: {error}") from error
            problem = str(error)
        if problem is None:
            return meter_message(reading, stream.topic), True
        return bad_line_message(stream, SOURCE, BadLine(self._path.name, self._number, problem, line), now), False

    def _publish(self, messages: list[Message], bad: int) -> int:
        self._feed.publisher.publish(messages)
        self._feed.state.count(sent=len(messages) - bad, dead_letters=bad)
        self._cursor.facts["bytes"] = self._offset
        self._cursor.move({})
        return len(messages) - bad


LIVE = Live(_missing, _declaration, _feed_live, _feed_once)
