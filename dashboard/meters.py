"""Which meters used the most this month, of more than a page shows: read in the background, some in each round."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard.arrivals import ROUND_S
from dashboard.queries import month_so_far, newest_day, tariff_zone
from dashboard.store import Store
from readings.declared import declared

MOST_METERS = 30
"""So many are shown where none are chosen."""
NEAR = timedelta(hours=1)
"""A meter's total is looked for so long before the newest that is known, and then in the whole day."""


@dataclass(frozen=True)
class MonthsSeen:
    """What is known of the meters' months."""

    kwh: Mapping[str, float]
    """By meter, of those that were looked for and have a total on the newest day."""
    whole: bool
    """Whether each was looked for."""

    def largest(self, meters: Sequence[str]) -> list[str]:
        """At most `MOST_METERS`: those that used the most, then by name."""
        return sorted(meters, key=lambda name: (-self.kwh.get(name, -1.0), name))[:MOST_METERS]


class MonthsReader:
    """Reads a round at a time. For one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kwh: dict[str, float] = {}
        self._waiting: deque[str] = deque()
        self._day = ""
        self._newest: datetime | None = None
        self._whole = False

    def read(self) -> MonthsSeen:
        """A round; of meters that are all shown nothing is read. Raises PyMongoError."""
        until = time.monotonic() + ROUND_S
        meters = declared(self._store.database, self._store.streams["meter"]).series
        if len(meters) <= MOST_METERS:
            return MonthsSeen({}, True)
        if not self._waiting:
            day = newest_day(self._store, datetime.now(tariff_zone(self._store)).date())
            if day is None:
                return MonthsSeen({}, True)
            if day != self._day:
                self._day, self._newest = day, None
            self._waiting.extend(meters)
        while self._waiting and time.monotonic() < until:
            self._look(self._waiting.popleft())
        self._whole = self._whole or not self._waiting
        return MonthsSeen(dict(self._kwh), self._whole)

    def _look(self, meter: str) -> None:
        found = month_so_far(self._store, meter, self._day, self._newest - NEAR) if self._newest else None
        found = found or month_so_far(self._store, meter, self._day)
        if found:
            at, self._kwh[meter] = found
            self._newest = max(at, self._newest or at)
        else:
            self._kwh.pop(meter, None)
