"""Whether everything arrives: the newest of each series, what is late or silent, what fires, which parts are up.

What is known of a series is kept from round to round, and each round asks for what is newer. A series of which nothing
came in its stream's first span is looked for further back, a few in each round. What is asked for includes the newest
that is known: where that is not stored any more, as after ``go-live``, nothing that is known holds.
"""

import math
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from dashboard.store import Store
from readings import parts as heartbeats
from readings.connections import Document
from readings.declared import Declared, declared
from readings.stream import Stream

KEPT = 40
"""Readings of a series that its sparkline shows."""
MANY = 60
"""A stream of more series is asked for spans of time, and not series by series."""
OVERLAP = timedelta(minutes=2)
"""Of a stream that is asked for spans, each round asks for what is so much older than its newest."""
BEHIND_EVERY_S = 15.0
"""How often readings are asked for that came further behind the newest."""
PAST_MAY_COME = timedelta(minutes=10)
"""After a dashboard's start the past may be stored yet, as a first start's four weeks are: until then it is looked for
again each `PAST_EVERY`."""
PAST_EVERY = timedelta(seconds=30)
ROUND_S = 0.4
"""How long a round may look for what is missing; what one stream leaves is the next ones'."""
RATE_SPAN = timedelta(minutes=5)
VALUES = {
    "weather": ("temperature_c", "°C"),
    "production": ("quantity_kwh", "kWh"),
    "meter": ("energy_kwh", "kWh"),
    "facility": ("power_mw", "MW"),
    "market": ("price_per_mwh", "AUD/MWh"),
}
"""What a stream's sparkline shows, and its unit."""


@dataclass(frozen=True)
class Seen:
    """What was read of a reading: when it was true (an interval's end), its value, how it arrived."""

    at: datetime
    value: float | None
    delay_s: float
    late: bool


@dataclass(frozen=True)
class SeriesState:
    """One declared series."""

    stream: str
    series: str
    newest: Seen | None
    silent: bool
    searched: bool
    """Whether all that is stored was looked through, where nothing is known of it."""
    overdue_s: float
    """How long ago its next reading was due; 0 where it is not due yet or nothing is known of it."""
    values: tuple[float, ...]

    @property
    def sought(self) -> bool:
        """Whether it is not known yet if there is anything of it."""
        return self.newest is None and not self.searched

    @property
    def late(self) -> bool:
        """Whether its newest reading came late, or nothing comes."""
        return (self.silent and not self.sought) or (self.newest is not None and self.newest.late)

    @property
    def late_s(self) -> float:
        """By how much it is late: the silence since its next reading was due, else the delay of the newest."""
        return self.overdue_s if self.silent or self.newest is None else self.newest.delay_s


@dataclass(frozen=True)
class PartState:
    """One part that tells how it is."""

    name: str
    state: str
    """As it says, or ``gone`` where it beats no more."""
    since: datetime
    """When that state began; of one that is gone, when it was last heard of."""
    waiting_for: str


@dataclass(frozen=True)
class Arrivals:
    """All of it, at an instant."""

    at: datetime
    series: tuple[SeriesState, ...]
    sources: Mapping[str, str | None]
    """By stream; None where nothing feeds it yet."""
    alerts: tuple[Document, ...]
    parts: tuple[PartState, ...]
    per_minute: float | None
    """Readings that the consumer wrote, a minute; None while that is not known."""
    dead_letters: int
    """Messages that could not become readings, since the parts that are alive started."""

    def of(self, stream: str) -> list[SeriesState]:
        """The series of a stream."""
        return [one for one in self.series if one.stream == stream]


def sentence(arrivals: Arrivals) -> str:
    """How it is, in one sentence: ``All 5 streams arrive; Bergen is 43 minutes late.``"""
    streams = list(arrivals.sources)
    fed = [name for name in streams if any(one.newest for one in arrivals.of(name))]
    if not fed:
        if any(one.sought for one in arrivals.series):
            return "The newest readings are being looked for."
        return "Nothing has arrived yet."
    arriving = [name for name in streams if any(one.newest and not one.silent for one in arrivals.of(name))]
    quiet = [name for name in streams if name not in arriving]
    late = sorted((one for one in arrivals.series if one.late and one.stream in arriving), key=_by_lateness)
    if not arriving:
        return "Nothing arrives: " + _listed([f"{name} {_since(arrivals, name)}" for name in quiet]) + "."
    number = f"All {len(streams)}" if not quiet else f"{len(arriving)} of {len(streams)}"
    clauses = [f"{number} streams arrive" if len(streams) > 1 else "The stream arrives"]
    clauses += [f"{name} {_since(arrivals, name)}" for name in quiet]
    if late:
        named = [f"{one.series} is {_how_late(one)}" for one in late[:2]]
        more = len(late) - len(named)
        clauses.append(_listed([*named, *([f"{more} more {'is' if more == 1 else 'are'} late"] if more else [])]))
    unseen = [one for one in arrivals.series if one.newest is None and not one.late and one.stream in arriving]
    sought = sum(one.sought for one in unseen)
    if sought:
        clauses.append(f"{sought:,} series {'is' if sought == 1 else 'are'} being looked for")
    if len(unseen) > sought:
        missing = len(unseen) - sought
        clauses.append(f"{missing:,} series {'has' if missing == 1 else 'have'} not come yet")
    if len(clauses) == 1:
        every = len(arrivals.series)
        return f"{clauses[0]}, and {f'all {every:,} series are' if every > 1 else 'its series is'} on time."
    return "; ".join(clauses) + "."


def spell_duration(seconds: float) -> str:
    """A duration in words, in its largest unit: ``43 minutes``, ``1 hour``, ``12 days``."""
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= (2 * size if unit != "minute" else size):
            number = int(seconds // size)
            return f"{number} {unit}{'' if number == 1 else 's'}"
    number = max(0, int(seconds))
    return f"{number} second{'' if number == 1 else 's'}"


class ArrivalsReader:
    """Reads a round at a time. For one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known = {name: _Known(stream) for name, stream in store.streams.items()}
        self._written: deque[tuple[datetime, float]] = deque()

    def read(self) -> Arrivals:
        """A round. Raises PyMongoError."""
        now = datetime.now(UTC)
        database = self._store.database
        expected = {name: declared(database, stream) for name, stream in self._store.streams.items()}
        for name, known in self._known.items():
            known.look(self._store, expected[name], now)
        until = time.monotonic() + ROUND_S
        for number, (name, known) in enumerate(self._known.items()):
            began = time.monotonic()
            share_s = (until - began) / (len(self._known) - number)
            known.look_back(self._store, expected[name], now, began + share_s)
        told = {one["_id"]: one for one in database[heartbeats.COLLECTION].find()}
        return Arrivals(
            now,
            tuple(state for name, known in self._known.items() for state in known.states(expected[name], now)),
            {name: one.source if one.since else None for name, one in expected.items()},
            tuple(database["alerts"].find({"state": {"$ne": "resolved"}})),
            tuple(_part(one, now) for _, one in sorted(told.items())),
            self._rate(told.get("consumer"), now),
            sum(int(one["counts"].get("dead_letters", 0)) for one in told.values() if heartbeats.is_alive(one, now)),
        )

    def _rate(self, consumer: Document | None, now: datetime) -> float | None:
        """Of the consumer's own count since it started, while it beats."""
        if consumer is None:
            return None
        at, written = consumer["at"], float(consumer["counts"].get("written", 0))
        if self._written and written < self._written[-1][1]:
            self._written.clear()  # it was started anew
        if not self._written or at > self._written[-1][0]:
            self._written.append((at, written))
        while len(self._written) > 1 and at - self._written[0][0] > RATE_SPAN:
            self._written.popleft()
        span_s = (self._written[-1][0] - self._written[0][0]).total_seconds()
        if span_s < 5 or not heartbeats.is_alive(consumer, now):
            return None
        return 60 * (self._written[-1][1] - self._written[0][1]) / span_s


@dataclass
class _Known:
    """What is known of a stream's series."""

    stream: Stream
    seen: dict[str, deque[Seen]] = field(default_factory=dict)
    searched: set[str] = field(default_factory=set)
    started_at: datetime | None = None
    begun_at: datetime | None = None
    back_to: datetime | None = None
    past_at: datetime | None = None
    """When all that fills the sparklines was looked for last."""
    behind_at: float = -math.inf
    """When it was asked for all that is not silent, by the monotonic clock."""
    next_one: int = 0

    def look(self, store: Store, expected: Declared, now: datetime) -> None:
        """Asks for what is newer than what is known; the first time for a short span before now."""
        span = max(2 * expected.cadence + self.stream.config.allowed_delay, timedelta(minutes=30))
        if self.begun_at is None:
            self.started_at = now
            self.begun_at = self.back_to = now - span
        time_field, interval = self.stream.model.time_field, self.stream.model.interval
        known = {series: seen[-1].at for series, seen in self.seen.items()}
        if len(expected.series) <= MANY:
            found = set()
            for series in expected.series:
                since = known[series] - interval if series in known else self.begun_at
                found |= self._ask(store, {**self.stream.names_of(series), time_field: {"$gte": since}})
            due = {(series, known[series]) for series in expected.series if series in known}
        else:
            first = min(max(known.values(), default=self.begun_at + OVERLAP), now) - OVERLAP
            if time.monotonic() - self.behind_at >= BEHIND_EVERY_S:  # of other series the newest may come yet
                self.behind_at = time.monotonic()
                first = min(first, now - self.stream.config.allowed_delay - expected.cadence)
            since, until = first - interval, now + OVERLAP
            found = self._ask(store, {time_field: {"$gte": since, "$lte": until}})
            due = {(series, at) for series, at in known.items() if since <= at - interval <= until}
        if not due <= found:  # it was removed: all is looked for again
            self.seen, self.searched, self.begun_at = {}, set(), None
            self.look(store, expected, now)

    def look_back(self, store: Store, expected: Declared, now: datetime, until: float) -> None:
        """Looks for what fills the sparklines, and for series of which nothing came, while there is time."""
        goal = now - KEPT * max(expected.cadence, timedelta(minutes=5))
        field_name = self.stream.model.time_field
        young = self.started_at is not None and now - self.started_at < PAST_MAY_COME
        if young and self.past_at and now - self.past_at >= PAST_EVERY:
            self.back_to, self.past_at = self.begun_at, None
        while self.back_to is not None and self.back_to > goal and time.monotonic() < until:
            before = max(goal, self.back_to - timedelta(minutes=30) * (1 if len(expected.series) > MANY else 48))
            span = {"$gte": before, "$lt": self.back_to}
            if len(expected.series) > MANY:
                self._ask(store, {field_name: span})
            else:
                for series in expected.series:
                    self._ask(store, {**self.stream.names_of(series), field_name: span})
            self.back_to = before
            self.past_at = now if before == goal else None
        for series in self._missing(expected, now):
            if time.monotonic() > until:
                return
            known = self.seen.get(series)
            since = {field_name: {"$gte": known[-1].at - self.stream.model.interval}} if known else {}
            found = store.database[self.stream.collection].find_one(
                {**self.stream.names_of(series), **since}, self._fields(), sort=[(field_name, -1)]
            )
            self.searched.add(series)
            self.next_one += 1
            if found:
                self._keep(found)
            elif known:  # it was removed
                del self.seen[series]
                self.searched.remove(series)

    def states(self, expected: Declared, now: datetime) -> Iterator[SeriesState]:
        """Each declared series."""
        newest = {series: known[-1].at for series, known in self.seen.items()}
        silent = expected.silent(newest, self.stream.config.allowed_delay, now)
        for series in expected.series:
            known = self.seen.get(series, ())
            last = known[-1] if known else None
            overdue_s = (now - last.at - expected.cadence).total_seconds() if last else 0.0
            values = tuple(one.value for one in known if one.value is not None)
            yield SeriesState(
                self.stream.name, series, last, series in silent, series in self.searched, max(0.0, overdue_s), values
            )

    def _missing(self, expected: Declared, now: datetime) -> list[str]:
        """Series nothing is known of, then, of a stream that is asked for spans, those that lag; in turn."""
        limit = now - self.stream.config.allowed_delay - expected.cadence
        lagging = [
            series
            for series in expected.series
            if (series not in self.seen and series not in self.searched)
            or (len(expected.series) > MANY and series in self.seen and self.seen[series][-1].at < limit)
        ]
        if not lagging:
            return []
        begin = self.next_one % len(lagging)
        return sorted([*lagging[begin:], *lagging[:begin]], key=lambda series: series in self.searched)

    def _ask(self, store: Store, which: Document) -> set[tuple[str, datetime]]:
        """Keeps what is found, and gives each one's series and when it was true."""
        found = store.database[self.stream.collection].find(which, self._fields())
        return {(one["series"], self._keep(one)) for one in found}

    def _keep(self, found: Document) -> datetime:
        value = found.get(VALUES[self.stream.name][0])
        seen = Seen(
            found[self.stream.model.time_field] + self.stream.model.interval,
            value,
            found.get("delay_s", 0.0),
            found.get("late", False),
        )
        known = self.seen.setdefault(found["series"], deque())
        places = [one.at for one in known]
        if not places or seen.at > places[-1]:
            known.append(seen)
        elif seen.at in places:
            known[places.index(seen.at)] = seen
        else:
            known.insert(sum(at < seen.at for at in places), seen)
        while len(known) > KEPT:
            known.popleft()
        return seen.at

    def _fields(self) -> Document:
        fields = ("series", self.stream.model.time_field, "delay_s", "late", VALUES[self.stream.name][0])
        return {"_id": 0, **dict.fromkeys(fields, 1)}


def _part(told: Document, now: datetime) -> PartState:
    if not heartbeats.is_alive(told, now):
        return PartState(told["_id"], "gone", told["at"], "")
    return PartState(told["_id"], told["state"], told["since"], told.get("waiting_for") or "")


def _by_lateness(one: SeriesState) -> tuple[bool, float, str]:
    return not one.silent, -one.late_s, one.series


def _how_late(one: SeriesState) -> str:
    if one.newest is None:
        return "silent: it was never heard of"
    return f"{spell_duration(one.late_s)} late"


def _since(arrivals: Arrivals, stream: str) -> str:
    newest = max((one.newest.at for one in arrivals.of(stream) if one.newest), default=None)
    if newest is None:
        return "is being looked for" if any(one.sought for one in arrivals.of(stream)) else "has not come yet"
    return f"is silent for {spell_duration((arrivals.at - newest).total_seconds())}"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
