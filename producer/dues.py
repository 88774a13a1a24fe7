"""When each reading of a recording is due, as streams of `Due` in the order of that."""

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from producer.clock import Clock
from producer.laid import Laid
from readings.reading import Mode, Reading

MOST_AT_ONCE = 2000


@dataclass(frozen=True)
class Due:
    """A reading and the instant at which it goes out."""

    at: datetime
    reading: Reading


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

    def keeps(self, due: Due) -> bool:
        """Whether that reading is kept back."""
        return due.reading.series == self.series and self.begins <= due.at < self.ends


def recorded_readings(laid: Laid, after: datetime, until: datetime, mode: Mode) -> Iterator[Reading]:
    """The recorded readings of a series with after < event time ≤ until."""
    return (_in_mode(laid.reading(number), mode) for number in laid.numbers(after, until))


def filled_readings(laid: Laid, after: datetime, until: datetime, every: timedelta, mode: Mode) -> Iterator[Reading]:
    """One reading of a series each `every` with after < event time ≤ until, interpolated where none is recorded."""
    instant = next_instant(after, every)
    while instant <= until:
        reading = laid.at(instant)
        if reading is not None:
            yield _in_mode(reading, mode)
        instant += every


def in_order(series: Iterable[Iterator[Reading]]) -> Iterator[Reading]:
    """The readings of several series in the order of their event times."""
    return heapq.merge(*series, key=lambda reading: reading.event_time)


def hold_back(dues: Iterable[Due], holds: Sequence[HoldBack]) -> Iterator[Due]:
    """The same readings, those of a series within its hold-back at the end of that."""
    return put_off(dues, lambda due: [next((hold.ends for hold in holds if hold.keeps(due)), due.at)])


def put_off(dues: Iterable[Due], until: Callable[[Due], Iterable[datetime]]) -> Iterator[Due]:
    """Each reading at the instants that `until` gives for it, none earlier than it was due, in the order of those.

    Of what goes out at the same instant, what was due first comes first. Holds what is put off, no more.
    """
    held: list[tuple[datetime, int, Reading]] = []
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


def when_due(dues: Iterable[Due], clock: Clock) -> Iterator[list[Reading]]:
    """The readings when their time comes, those that are due together in one list. Waits between the lists."""
    batch: list[Reading] = []
    for due in dues:
        if batch and (due.at > clock.now() or len(batch) >= MOST_AT_ONCE):
            yield batch
            batch = []
        clock.wait_until(due.at)
        batch.append(due.reading)
    if batch:
        yield batch


def next_instant(after: datetime, every: timedelta) -> datetime:
    """The next whole multiple of `every`, counted from 1970: on the minute for 60 s."""
    since = datetime(1970, 1, 1, tzinfo=UTC)
    return since + ((after - since) // every + 1) * every


def _in_mode(reading: Reading, mode: Mode) -> Reading:
    return reading if reading.mode == mode else reading.model_copy(update={"mode": mode})
