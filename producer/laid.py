"""A recorded series laid on the calendar: moved by whole days and, where needed, laid end to end."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from producer.messages import reading_message
from producer.recordings import RecordedSeries, Recording, stamped
from readings.reading import Mode, Reading

Interpolate = Callable[[Reading, Reading, datetime], Reading]
"""Two neighbouring readings and an instant between them → the reading at that instant."""
CarryOn = Callable[[Reading, Reading, Reading, timedelta], Reading]
"""A reading, the first and the last one of its recording, and how long the laps before it took → the reading then."""

DAY = timedelta(days=1)
YEAR_DAYS = 360
"""A recording of at least so many days has seasons, and is laid so that they fall in place."""
LONGEST_GAP = timedelta(hours=8)
"""Over a longer gap in a recording nothing is interpolated: there is nothing that could be said."""


@dataclass(frozen=True)
class Recorded:
    """How a stream's recordings are played."""

    backfill: timedelta
    """How far back they are played."""
    interpolate: Interpolate | None = None
    """None where only what was recorded can be played: an hour's energy has no value of a minute."""
    carry_on: CarryOn | None = None
    """What a later lap adds, where readings are totals; else each lap repeats the recording."""


class Played(NamedTuple):
    """A reading as it travels."""

    series: str
    event_time: datetime
    value: bytes


def travelling(reading: Reading, mode: Mode) -> Played:
    """A reading in a mode, as it travels."""
    message = reading_message(reading if reading.mode == mode else reading.model_copy(update={"mode": mode}), "")
    return Played(reading.series, reading.event_time, message.value)


@dataclass(frozen=True)
class Laid:
    """One series on the calendar. Readings are numbered through all laps; the recorded ones begin at 0."""

    recorded: RecordedSeries
    begins: datetime
    """When the recording begins that it is part of: with that begins each lap."""
    shift: timedelta
    lap: timedelta | None
    """How long one lap is, in whole days; None where the recording is played once."""
    filled_by: Recorded

    @property
    def name(self) -> str:
        """The series' name."""
        return self.recorded.name

    def time(self, number: int) -> datetime | None:
        """The event time of a reading, or None where the recording is played once and has no such reading."""
        laps, index = divmod(number, len(self.recorded))
        if laps and self.lap is None:
            return None
        return self.recorded.time(index) + self.shift + laps * (self.lap or timedelta())

    def reading(self, number: int) -> Reading:
        """A recorded reading, at its place on the calendar."""
        laps, index = divmod(number, len(self.recorded))
        reading = self.recorded.reading(index)
        if laps and self.lap and self.filled_by.carry_on:
            first, last = self.recorded.reading(0), self.recorded.reading(len(self.recorded) - 1)
            reading = self.filled_by.carry_on(reading, first, last, laps * self.lap)
        return reading.model_copy(update={reading.time_field: self.time(number)})

    def next_after(self, instant: datetime) -> int:
        """The number of the first reading whose event time is after the instant."""
        recorded_instant = instant - self.shift
        laps = 0
        if self.lap is not None:
            laps = (recorded_instant - self.begins) // self.lap
            recorded_instant -= laps * self.lap
        return laps * len(self.recorded) + bisect_right(self.recorded.times, recorded_instant.timestamp())

    def played(self, after: datetime, until: datetime, mode: Mode) -> Iterator[Played]:
        """The recorded readings with after < event time ≤ until, as they travel."""
        recorded, heads = self.recorded, dict[bytes, bytes]()
        laps, first = divmod(self.next_after(after), len(recorded))
        while laps == 0 or self.lap is not None:
            offset_s = (self.shift + laps * (self.lap or timedelta())).total_seconds()
            adds = laps != 0 and self.filled_by.carry_on is not None
            for index in range(first, len(recorded)):
                at, spelled = _spelled(recorded.times[index] + offset_s)
                if at > until:
                    return
                if adds:
                    yield travelling(self.reading(laps * len(recorded) + index), mode)
                    continue
                begin = recorded.begins[index]
                head = heads.get(begin) or heads.setdefault(begin, _in_mode(begin, mode))
                yield Played(recorded.name, at, b"".join((head, spelled, recorded.ends[index])))
            laps, first = laps + 1, 0

    def at(self, instant: datetime) -> Reading | None:
        """The reading at an instant: recorded then, or interpolated; None where it cannot be or the gap is too long."""
        following = self.next_after(instant)
        before, after = self.time(following - 1), self.time(following)
        if before == instant:
            return self.reading(following - 1)
        interpolate = self.filled_by.interpolate
        if interpolate is None or before is None or after is None or after - before > LONGEST_GAP:
            return None
        return interpolate(self.reading(following - 1), self.reading(following), instant)


@lru_cache(maxsize=1000)
def _spelled(unix_s: float) -> tuple[datetime, bytes]:
    """An instant, and as it stands in a message. Series share their times: to spell one takes as long as the rest."""
    at = datetime.fromtimestamp(unix_s, UTC)
    return at, stamped(at).encode()


def _in_mode(begin: bytes, mode: Mode) -> bytes:
    return re.sub(rb'"mode":"[a-z]+"', f'"mode":"{mode}"'.encode(), begin, count=1)


def lap_of(recording: Recording) -> timedelta:
    """How many whole days one lap of a recording takes."""
    return ((recording.last - recording.first) // DAY + 1) * DAY


def shift_to(recording: Recording, now: datetime, backfill: timedelta) -> timedelta:
    """By how many whole days a recording is moved so that it plays now.

    One of a year is laid on the same days of the year, a shorter one begins within the day before the backfill.
    """
    if lap_of(recording) < YEAR_DAYS * DAY:
        return (now - backfill - recording.first) // DAY * DAY
    first_day = _midnight(recording.first)
    day = 28 if (first_day.month, first_day.day) == (2, 29) else first_day.day
    return datetime(now.year, first_day.month, day, tzinfo=UTC) - first_day


def _midnight(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
