"""What is read again and again in the background, once for all readers: they see the newest without waiting."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

WATCHED_S = 60.0
"""For so long after somebody looked it is read as often as it should be."""
UNWATCHED_S = 30.0
"""How often it is read while nobody looks, so that the first view has something to show."""

log = logging.getLogger(__name__)


class Background(Generic[T]):
    """The newest of what `read` gives, read in a thread of its own."""

    def __init__(self, name: str, read: Callable[[], T], every_s: float) -> None:
        self._read = read
        self._every_s = every_s
        self._changed = threading.Condition()
        self._newest: T | None = None
        self._error: Exception | None = None
        self._looked_at = 0.0
        self._thread = threading.Thread(target=self._go_on, name=name, daemon=True)

    def start(self) -> None:
        """Begins to read, where it has not begun."""
        with self._changed:
            if self._thread.ident is None:
                self._thread.start()

    def newest(self, wait_s: float = 10.0) -> T:
        """The newest; waits for the first. Raises what reading it raised twice, or at first, and TimeoutError."""
        self.start()
        with self._changed:
            slept = time.monotonic() - self._looked_at > WATCHED_S
            self._looked_at = time.monotonic()
            if slept:
                self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._newest is not None or self._error is not None, wait_s):
                raise TimeoutError(f"{self._thread.name}: nothing was read within {wait_s:.0f} s")
            if self._error is not None:
                raise self._error
            assert self._newest is not None  # noqa: S101 - the wait above is for one of the two
            return self._newest

    def _go_on(self) -> None:
        failed = False
        while True:
            newest, problem = None, None
            try:
                newest, failed = self._read(), False
            except Exception as error:  # noqa: BLE001 - whatever it is, who looks is told it, and it is tried again
                if not failed:
                    log.warning("%s cannot be read: %s", self._thread.name, type(error).__name__)
                if failed or self._newest is None:
                    problem = error
                else:  # one round is no reason to take what is known from the page
                    newest = self._newest
                failed = True
            with self._changed:
                self._newest, self._error = newest, problem
                self._changed.notify_all()
                if time.monotonic() - self._looked_at > WATCHED_S:
                    self._changed.wait_for(lambda: time.monotonic() - self._looked_at < WATCHED_S, UNWATCHED_S)
            time.sleep(self._every_s)
