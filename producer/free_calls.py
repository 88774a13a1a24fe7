"""Keeps to what a service gives for nothing in a minute, an hour and a day."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta

from apis.errors import RateLimited
from apis.session import Patience
from producer.clock import Clock

LONGEST_WAIT = timedelta(seconds=Patience.longest_retry_after_s)
"""A longer one is left to the caller, as one that the service itself asks for."""


class FreeCalls:
    """Counts what calls cost in this process: a few are made at once, many are spread."""

    def __init__(self, free: Mapping[timedelta, float], clock: Clock) -> None:
        """`free` is what calls may cost together in any span of a length."""
        self._free = free
        self._clock = clock
        self._made: deque[tuple[datetime, float]] = deque()

    def spend(self, cost: float) -> None:
        """Waits until a call is free, and counts it. Raises RateLimited where that takes long.

        One that costs more than is free in a span is made when nothing else was in it.
        """
        now = self._clock.now()
        at = max(self._free_at(now, span, most - cost) for span, most in self._free.items())
        if at - now > LONGEST_WAIT:
            wait_s = (at - now).total_seconds()
            raise RateLimited(f"its free calls are made, the next is free in {wait_s:.0f} s", wait_s)
        self._clock.wait_until(at)
        while self._made and self._made[0][0] <= now - max(self._free):
            self._made.popleft()
        self._made.append((self._clock.now(), cost))

    def _free_at(self, now: datetime, span: timedelta, most: float) -> datetime:
        """When the calls of a span before cost no more than that."""
        for at, cost in reversed(self._made):
            most -= cost
            if most < 0:
                return max(now, at + span)
        return now
