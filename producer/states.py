"""What a producer says of itself: to its part's heartbeat, or, where it has none, to the log."""

import logging
import threading
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal, Protocol

from readings.parts import Part

log = logging.getLogger(__name__)


class State(Protocol):
    """What a feed says of itself while it works. `Part` is one."""

    def running(self) -> None:
        """It does its work."""

    def waiting(self, what: str) -> None:
        """It waits, and for what."""

    def failed(self, why: str) -> None:
        """It cannot go on by itself, and why."""

    def count(self, **counts: float) -> None:
        """Adds to its counts."""


class Heartbeat(State, Protocol):
    """A part's state. `Part` is one."""

    def note(self, **facts: object) -> None:
        """Keeps what it tells beside its counts."""


@dataclass(frozen=True)
class Note:
    """What one feed waits for, or why it failed."""

    state: Literal["waiting", "failed"]
    what: str
    since: datetime = field(compare=False)


class States:
    """The states of several feeds as that of one part: failed if one has failed, waiting if one waits."""

    def __init__(self, part: Heartbeat) -> None:
        self._part = part
        self._lock = threading.Lock()
        self._notes: dict[str, Note] = {}
        part.note(feeds=[])  # what a process before this one told is kept with the part

    def of(self, feed: str) -> "FeedState":
        """The state of one feed: a stream, or what all share."""
        return FeedState(self, feed)

    def _note(self, feed: str, note: Note | None) -> None:
        with self._lock:
            before = self._notes.get(feed)
            if note is None:
                self._notes.pop(feed, None)
            else:
                if before and before.state == note.state:
                    note = replace(note, since=before.since)
                self._notes[feed] = note
            if note != before:
                log.info("%s: %s", feed, f"{note.state}: {note.what}" if note else "running", extra={"feed": feed})
            self._tell()

    def _tell(self) -> None:
        self._part.note(feeds=[{"feed": feed, **asdict(note)} for feed, note in sorted(self._notes.items())])
        text = "; ".join(sorted({note.what for note in self._notes.values()}))
        if any(note.state == "failed" for note in self._notes.values()):
            self._part.failed(text)
        elif self._notes:
            self._part.waiting(text)
        else:
            self._part.running()

    def count(self, **counts: float) -> None:
        """Adds to the part's counts."""
        self._part.count(**counts)


class FeedState:
    """One feed's share of a part's state."""

    def __init__(self, states: States, feed: str) -> None:
        self._states = states
        self._feed = feed

    def running(self) -> None:
        """It does its work."""
        self._states._note(self._feed, None)

    def waiting(self, what: str) -> None:
        """It waits, and for what."""
        self._states._note(self._feed, Note("waiting", what, datetime.now(UTC)))

    def failed(self, why: str) -> None:
        """It cannot go on by itself, and why."""
        self._states._note(self._feed, Note("failed", why, datetime.now(UTC)))

    def count(self, **counts: float) -> None:
        """Adds to the part's counts."""
        self._states.count(**counts)


class Tally:
    """The state of a command that has no heartbeat: its counts, for the last line it logs."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def running(self) -> None:
        """Nothing is to be said."""

    def waiting(self, what: str) -> None:
        """Nothing is to be said: `States` logs it."""

    def failed(self, why: str) -> None:
        """Nothing is to be said: `States` logs it."""

    def count(self, **counts: float) -> None:
        """Adds to the counts."""
        for name, number in counts.items():
            self.counts[name] += int(number)

    def note(self, **facts: object) -> None:
        """Nothing is kept."""


def states_of(part: Part | None) -> tuple[States, Tally]:
    """The states of a command's feeds, told to its part where it has one."""
    tally = Tally()
    return States(part or tally), tally
