"""Live meters from a CSV that grows: ``METERS_FILE``. What stands in it already is a backfill, new lines are live."""

import hashlib
import logging
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

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
from readings.meter import Meter
from readings.parts import BESIDE
from readings.reading import Mode
from readings.settings import Settings
from readings.stream import Stream

VARIABLE = "METERS_FILE"
LOOK_AGAIN = timedelta(seconds=1)
CHUNK = 2000
TAIL_BYTES = 4096
PATIENCE = timedelta(minutes=1)
"""A last line without an end that stays as it is for longer is said to be waited for."""

log = logging.getLogger(__name__)


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
    growing = _growing(feed, settings, dry_run)
    sent = growing.send("backfill")
    if growing.unfinished:
        log.warning("%s: %s", VARIABLE, growing.unfinished, extra={"stream": feed.stream.name})
    return Sent(sent, growing.unfinished)


def _growing(feed: Feed, settings: Settings, dry_run: bool) -> "Growing":
    if not dry_run:
        feed.answered(lambda: declare(feed.database, feed.stream, SOURCE, *_declaration(feed.stream, settings)))
    cursor = UnkeptCursor() if dry_run else feed.cursor(SOURCE)
    return Growing(settings.meters_file or Path(), cursor, feed)


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


class Growing:
    """A file whose whole lines are sent once.

    The cursor's facts keep how many ``bytes`` of which ``file`` Kafka has acknowledged, and a digest of the last ones
    of them, its ``tail`` (none in those of earlier versions): a file that begins otherwise is another one.
    """

    def __init__(self, path: Path, cursor: Cursor, feed: Feed) -> None:
        self.unfinished: str | None = None
        """What is to be said of a last line that has no end."""
        self._path = path
        self._cursor = cursor
        self._feed = feed
        self._was_there = False
        self._waits = False
        self._rest = (0, b"")
        """Where the last line without an end begins, and how it begins."""
        self._rest_since = feed.clock.now()
        self._begin()

    def _begin(self) -> None:
        self._lines: MeterLines | None = None
        self._number = self._offset = 0
        self._tail = b""

    def send(self, mode: Mode) -> int:
        """Sends what is new, and gives how many readings that were. A file that was replaced is read as a whole.

        What is added meanwhile is left to the next call: however long a file takes, what it held at first is known.

        A file that is away after it was there is waited for. Raises RecordingError where it was never there, or its
        first line is of no CSV of meters.
        """
        try:
            file = self._path.open("rb")
        except OSError as error:
            problem = f"{VARIABLE}: {self._path}: cannot be read ({error.strerror})"
            if not self._was_there:
                raise RecordingError(problem) from error
            self._wait_for(problem)
            return 0
        sent = 0
        with file:
            self._was_there = True
            if self._is_another(file):
                if "file" in self._cursor.facts:
                    log.info("%s was replaced", self._path, extra={"stream": self._feed.stream.name})
                self._cursor.facts.update(file=str(self._path), bytes=0, tail=_digest(b""))
                self._begin()
            held = os.fstat(file.fileno()).st_size
            while self._offset < held and (lines := self._next_lines(file, held)):
                sent += self._send(lines, mode)
            self._look_at_the_rest(file)
        return sent

    def _is_another(self, file: BinaryIO) -> bool:
        facts = self._cursor.facts
        if facts.get("file") != str(self._path):
            return True
        acknowledged: int = facts["bytes"]
        file.seek(max(0, acknowledged - TAIL_BYTES))
        tail = _digest(file.read(min(acknowledged, TAIL_BYTES)))
        return os.fstat(file.fileno()).st_size < acknowledged or bool(facts.get("tail", tail) != tail)

    def _next_lines(self, file: BinaryIO, held: int) -> list[bytes]:
        """The next whole lines, as many as go out together; those that Kafka has already are among themselves."""
        file.seek(self._offset)
        acknowledged: int = self._cursor.facts["bytes"]
        lines: list[bytes] = []
        for line in file:
            if not line.endswith(b"\n"):
                break
            lines.append(line)
            self._offset += len(line)
            if len(lines) == CHUNK or self._offset == acknowledged or self._offset >= held:
                break
        return lines

    def _send(self, raw: list[bytes], mode: Mode) -> int:
        """Sends lines and moves the cursor past them; of those before it the rest is told what they are."""
        self._tail = (self._tail + b"".join(raw))[-TAIL_BYTES:]
        texts = [line.decode(errors="replace").strip().removeprefix("\ufeff") for line in raw]
        numbered = [(number, text) for number, text in enumerate(texts, self._number + 1) if text]
        self._number += len(raw)
        if self._lines is None and numbered:
            self._lines = self._opened(*numbered[0])
            if self._lines.has_header:
                del numbered[0]
        found = self._lines.read([text for _, text in numbered], mode) if self._lines else []
        if self._offset <= self._cursor.facts["bytes"]:
            return 0
        stream, now = self._feed.stream, self._feed.clock.now()
        messages: list[Message] = []
        bad = 0
        for (number, text), one in zip(numbered, found, strict=True):
            problem = one if isinstance(one, str) else stream.time_problem(one.event_time, now)
            if problem is not None:
                messages.append(bad_line_message(stream, SOURCE, BadLine(self._path.name, number, problem, text), now))
                bad += 1
            elif isinstance(one, Meter):
                messages.append(meter_message(one, stream.topic))
        self._feed.publisher.publish(messages)
        self._feed.state.count(sent=len(messages) - bad, dead_letters=bad)
        self._cursor.facts.update(bytes=self._offset, tail=_digest(self._tail))
        self._cursor.move({})
        return len(messages) - bad

    def _opened(self, number: int, line: str) -> MeterLines:
        try:
            return MeterLines.of(line)
        except ValueError as error:
            raise RecordingError(f"{VARIABLE}: {self._path}: line {number}: {error}") from error

    def _look_at_the_rest(self, file: BinaryIO) -> None:
        """Says of a last line without an end that it is waited for, once nobody seems to be writing it."""
        file.seek(self._offset)
        rest, now = (self._offset, file.readline()), self._feed.clock.now()
        if rest != self._rest:
            self._rest, self._rest_since = rest, now
        is_unfinished = rest[1] != b"" and not rest[1].endswith(b"\n")
        what = f"line {self._number + 1} of {self._path.name} has no end: it is sent when it has one"
        self.unfinished = what if is_unfinished else None
        waits = is_unfinished and now - self._rest_since > PATIENCE
        self._wait_for(f"{VARIABLE}: {what} {BESIDE})" if waits else None)

    def _wait_for(self, what: str | None) -> None:
        if what is not None:
            self._feed.state.waiting(what)
        elif self._waits:
            self._feed.state.running()
        self._waits = what is not None


def _digest(tail: bytes) -> str:
    return hashlib.sha256(tail).hexdigest()


LIVE = Live(_missing, _declaration, _feed_live, _feed_once)
