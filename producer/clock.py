"""Time, and waiting that a signal ends; tests pass a clock of their own."""

import threading
from datetime import UTC, datetime
from typing import Protocol

from producer.errors import Stopped


class Clock(Protocol):
    """What the producers know of time."""

    def now(self) -> datetime:
        """Now, aware UTC."""

    def wait_until(self, instant: datetime) -> None:
        """Returns at that instant, at once if it is past. Raises Stopped when the process is asked to end."""


class WallClock:
    """The real time. `stop` ends every waiting, now and later."""

    LONGEST_SLEEP_S = 60.0  # the machine may be suspended or its time set while we wait

    def __init__(self) -> None:
        self.stopping = threading.Event()

    def now(self) -> datetime:
        """Now, aware UTC."""
        return datetime.now(UTC)

    def wait_until(self, instant: datetime) -> None:
        """Returns at that instant, at once if it is past. Raises Stopped when the process is asked to end."""
        while True:
            left_s = (instant - self.now()).total_seconds()
            if self.stopping.wait(max(0.0, min(left_s, self.LONGEST_SLEEP_S))):
                raise Stopped("asked to end")
            if left_s <= self.LONGEST_SLEEP_S:
                return

    def stop(self) -> None:
        """Asks everything that waits on this clock to end."""
        self.stopping.set()
