"""When each reading of a recording is due, as streams of `Due` in the order of that."""

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Generic, NamedTuple, Protocol, TypeVar

from producer.clock import Clock
from producer.laid import Laid, Played, travelling
from readings.reading import Mode

MOST_AT_ONCE = 10_000


class OfSeries(Protocol):
    """What belongs to a series."""

    @property
    def series(self) -> str:
        """Its name."""


R = TypeVar("R", bound=OfSeries)


class Due(NamedTuple, Generic[R]):
    """A reading and the instant at which it goes out."""

    at: datetime
    reading: R


@dataclass(frozen=True)
class HoldBack:
    """For one while, the readings of a series are kept back; at its end they go out, and later ones in time again."""

    series: str
    begins: datetime
    lasts: timedelta

    @property
    def ends(self) -> datetime:
        """When what was kept back goes out."""
        return self.begins + self.lasts

    def keeps(self, due: Due[R]) -> bool:
        """Whether that reading is kept back."""
        return due.reading.series == self.series and self.begins <= due.at < self.ends


def filled(laid: Laid, after: datetime, until: datetime, every: timedelta, mode: Mode) -> Iterator[Played]:
    """One reading of a series each `every` with after < event time ≤ until, interpolated where none is recorded."""
    instant = next_instant(after, every)
    while instant <= until:
        reading = laid.at(instant)
        if reading is not None:
            yield travelling(reading, mode)
        instant += every


def in_order(series: Iterable[Iterator[Played]]) -> Iterator[Played]:
    """The readings of several series in the order of their event times."""
    return heapq.merge(*series, key=itemgetter(1))


def hold_back(dues: Iterable[Due[R]], holds: Sequence[HoldBack]) -> Iterable[Due[R]]:
    """The same readings, those of a series within its hold-back at the end of that."""
    if not holds:
        return dues
    return put_off(dues, lambda due: [next((hold.ends for hold in holds if hold.keeps(due)), due.at)])


def put_off(dues: Iterable[Due[R]], until: Callable[[Due[R]], Iterable[datetime]]) -> Iterator[Due[R]]:
    """Each reading at the instants that `until` gives for it, none earlier than it was due, in the order of those.

    Of what goes out at the same instant, what was due first comes first. Holds what is put off, no more.
    """
    held: list[tuple[datetime, int, R]] = []
    numbers = itertools.count()
    for due in dues:
        while held and held[0][0] <= due.at:
            at, _, reading = heapq.heappop(held)
            yield Due(at, reading)
        for at in until(due):
            heapq.heappush(held, (at, next(numbers), due.reading))
    while held:
        at, _, reading = heapq.heappop(held)
        yield Due(at, reading)


def when_due(dues: Iterable[Due[R]], clock: Clock) -> Iterator[list[R]]:
    """The readings when their time comes, those that are due together in one list. Waits between the lists."""
    batch: list[R] = []
    now = clock.now()
    for at, reading in dues:
        if at > now or len(batch) >= MOST_AT_ONCE:
            now = clock.now()
            if batch and (at > now or len(batch) >= MOST_AT_ONCE):
                yield batch
                batch = []
            clock.wait_until(at)
            now = clock.now()
        batch.append(reading)
    if batch:
        yield batch


def next_instant(after: datetime, every: timedelta) -> datetime:
    """The next whole multiple of `every`, counted from 1970: on the minute for 60 s."""
    since = datetime(1970, 1, 1, tzinfo=UTC)
    return since + ((after - since) // every + 1) * every
