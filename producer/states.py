"""What a producer says of itself: to its part's heartbeat, or, where it has none, to the log."""

import logging
import threading
from collections import Counter
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


class States:
    """The states of several feeds as that of one part: failed if one has failed, waiting if one waits."""

    def __init__(self, part: State) -> None:
        self._part = part
        self._lock = threading.Lock()
        self._notes: dict[str, tuple[Literal["waiting", "failed"], str]] = {}

    def of(self, feed: str) -> "FeedState":
        """The state of one feed: a stream, or what all share."""
        return FeedState(self, feed)

    def _note(self, feed: str, note: tuple[Literal["waiting", "failed"], str] | None) -> None:
        with self._lock:
            before = self._notes.get(feed)
            if note is None:
                self._notes.pop(feed, None)
            else:
                self._notes[feed] = note
            if note != before:
                log.info("%s: %s", feed, f"{note[0]}: {note[1]}" if note else "running", extra={"feed": feed})
            self._tell()

    def _tell(self) -> None:
        text = "; ".join(sorted({what for _, what in self._notes.values()}))
        if any(kind == "failed" for kind, _ in self._notes.values()):
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
        self._states._note(self._feed, ("waiting", what))

    def failed(self, why: str) -> None:
        """It cannot go on by itself, and why."""
        self._states._note(self._feed, ("failed", why))

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


def states_of(part: Part | None) -> tuple[States, Tally]:
    """The states of a command's feeds, told to its part where it has one."""
    tally = Tally()
    return States(part or tally), tally
