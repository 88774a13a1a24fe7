"""How often a source with a limited number of calls a day may be asked, and how many it has made."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo.database import Database

from apis.errors import OutOfCalls
from producer.feed import Feed
from readings.connections import Document
from readings.durations import format_duration
from readings.errors import ConfigError

DAY = timedelta(days=1)
COLLECTION = "api_calls"
SPARED = 0.05
"""The share of a day's calls that rounds leave where they can: without it, what was missed is never fetched."""


@dataclass(frozen=True)
class Pace:
    """One round makes so many calls, one a place, or two where the earlier instant is asked too."""

    calls: int
    interval: timedelta
    with_earlier: bool

    @property
    def calls_a_round(self) -> int:
        """How many calls a round makes when nothing fails."""
        return self.calls * (2 if self.with_earlier else 1)

    @property
    def calls_a_day(self) -> int:
        """How many calls a day makes when nothing fails."""
        return self.calls_a_round * math.ceil(DAY / self.interval)

    def needed_until_midnight(self, now: datetime) -> int:
        """How many calls the rounds of the rest of the day (UTC) need, after the one that is running."""
        return self.calls_a_round * math.floor((next_midnight(now) - now) / self.interval)


def pace(places: int, daily_calls: int, interval: timedelta) -> Pace:
    """The pace that keeps to the calls of a day, and leaves `SPARED` of them for gaps and what is asked for again.

    Where both calls of each place do not fit into it, the earlier one is left out; where that is not enough,
    the interval is widened. Raises ConfigError where not even one round fits.
    """
    both = Pace(places, interval, True)
    if both.calls_a_day <= _usable(places, daily_calls):
        return both
    return Pace(places, widened(places, daily_calls, interval, "OPENWEATHERMAP_DAILY_CALLS"), False)


def widened(calls_a_round: int, daily_calls: int, interval: timedelta, variable: str) -> timedelta:
    """The interval, or as much more, in whole minutes, as the calls of a day need; `SPARED` of them are left.

    Raises ConfigError, of the variable that says how many calls a day has, where not even one round fits.
    """
    if daily_calls < calls_a_round:
        raise ConfigError(f"{variable}: read {daily_calls}, expected at least {calls_a_round}: one round a day")
    rounds_a_day = _usable(calls_a_round, daily_calls) // calls_a_round
    if math.ceil(DAY / interval) <= rounds_a_day:
        return interval
    return timedelta(minutes=math.ceil(DAY / rounds_a_day / timedelta(minutes=1)))


def _usable(calls_a_round: int, daily_calls: int) -> int:
    return max(calls_a_round, math.floor(daily_calls * (1 - SPARED)))


def explain(pace: Pace, daily_calls: int, wished: timedelta) -> str:
    """What the pace is and why, for the start to say."""
    every = f"{pace.calls} places every {format_duration(pace.interval)}: at most {pace.calls_a_day} calls a day"
    if pace.with_earlier:
        return f"{every}, the earlier reading of each included (OPENWEATHERMAP_DAILY_CALLS is {daily_calls})"
    left_out = f"{every}; the earlier reading of each is left out"
    if pace.interval > wished:
        left_out += f" and {format_duration(wished)} became {format_duration(pace.interval)}"
    return f"{left_out}, to keep to OPENWEATHERMAP_DAILY_CALLS, {daily_calls}"


class DailyCalls:
    """Counts the calls of each day (UTC) in MongoDB, before they are made: no restart spends them twice."""

    def __init__(self, database: "Database[Document]", source: str, limit: int) -> None:
        self._collection = database[COLLECTION]
        self._source = source
        self._limit = limit

    def take(self, now: datetime, keep: int = 0) -> bool:
        """Counts one call of today, if after it at least `keep` are left. False where there are not so many."""
        today = {"_id": f"{self._source}/{now:%Y-%m-%d}"}
        self._collection.update_one(today, {"$setOnInsert": {"calls": 0}}, upsert=True)
        taken = self._collection.update_one({**today, "calls": {"$lt": self._limit - keep}}, {"$inc": {"calls": 1}})
        return taken.modified_count == 1

    def made(self, now: datetime) -> int:
        """How many calls were counted today."""
        found = self._collection.find_one({"_id": f"{self._source}/{now:%Y-%m-%d}"})
        return int(found["calls"]) if found else 0


def counted(feed: Feed, calls: DailyCalls, paced: Pace, variable: str) -> Callable[[bool], None]:
    """Counts each call before it is made; raises OutOfCalls where the day has none left for it.

    What can be spared leaves what the rounds of the rest of the day need.
    """

    def before_call(spare: bool) -> None:
        now = feed.clock.now()
        keep = paced.needed_until_midnight(now) if spare else 0
        if not feed.answered(lambda: calls.take(now, keep)):
            kept = f" but {keep}, which its rounds need" if keep else ""
            raise OutOfCalls(f"{variable}: all calls of the day (UTC) are made{kept}")

    return before_call


def next_midnight(now: datetime) -> datetime:
    """When the next day (UTC) begins."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
