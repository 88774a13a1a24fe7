"""Which meters used the most this month, of more than a page shows: read in the background, some in each round."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard.arrivals import ROUND_S
from dashboard.queries import month_so_far, months_so_far, newest_day, tariff_zone
from dashboard.store import Store
from readings.declared import declared

MOST_METERS = 30
"""So many are shown where none are chosen."""
NEAR = timedelta(hours=1)
"""A meter's total is looked for so long before the newest that is known, and then in the whole day."""
TOGETHER = 30
"""So many meters that have no total on the newest day are looked for at once on a day before it."""


@dataclass(frozen=True)
class MonthsSeen:
    """What is known of the meters' months."""

    kwh: Mapping[str, float]
    """By meter, of those that were looked for and have a total in the month of the newest day."""
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
        self._silent: deque[str] = deque()
        """Those that have no total on the newest day and whose month is not known: looked for on the days before."""
        self._day = ""
        self._newest: datetime | None = None
        self._whole = False

    def read(self) -> MonthsSeen:
        """A round; of meters that are all shown nothing is read. Raises PyMongoError."""
        until = time.monotonic() + ROUND_S
        meters = declared(self._store.database, self._store.streams["meter"]).series
        if len(meters) <= MOST_METERS:
            return MonthsSeen({}, True)
        if not self._waiting and not self._silent:
            day = newest_day(self._store, datetime.now(tariff_zone(self._store)).date())
            if day is None:
                return MonthsSeen({}, True)
            if day[:7] != self._day[:7]:
                self._kwh.clear()
            if day != self._day:
                self._day, self._newest = day, None
            self._waiting.extend(meters)
        while (self._waiting or self._silent) and time.monotonic() < until:
            if self._waiting:
                self._look(self._waiting.popleft())
            else:
                self._look_back([self._silent.popleft() for _ in range(min(TOGETHER, len(self._silent)))])
        self._whole = self._whole or not (self._waiting or self._silent)
        return MonthsSeen(dict(self._kwh), self._whole)

    def _look(self, meter: str) -> None:
        found = month_so_far(self._store, meter, self._day, self._newest - NEAR) if self._newest else None
        found = found or month_so_far(self._store, meter, self._day)
        if found:
            at, self._kwh[meter] = found
            self._newest = max(at, self._newest or at)
        elif meter not in self._kwh:
            self._silent.append(meter)

    def _look_back(self, meters: Sequence[str]) -> None:
        """Looks for the last totals of the month before the newest day, day by day."""
        found: dict[str, float] = {}
        for number in range(int(self._day[-2:]) - 1, 0, -1):
            if missing := [name for name in meters if name not in found]:
                found |= months_so_far(self._store, missing, f"{self._day[:7]}-{number:02}")
        self._kwh |= found
