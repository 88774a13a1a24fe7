"""What is kept of a meter between batches, and what new readings change in it.

A state holds the readings of the last 48 hours and of the rest of their first local day (at most 73 hours: 876 readings
of 5 minutes, 14 kB), and of all before them the last reading that counted, those out of line since (at most two), and
the totals of its month, its day, its half hour and its minutes, and flags (at most 100). So it does not grow with the
month.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spark_consumer.meters.register import Curve, Flag, Point, Register, count
from spark_consumer.meters.tariff import Calendar
from spark_consumer.meters.totals import MARK_MS, NOTHING, Before, Row, Totals, mark_of
from spark_consumer.streams.meter import REPEATED, settled

KEPT_MS = 48 * 3_600_000
"""A reading that is older than the newest by more than this may be too old for the state."""


REPEATED_MS = REPEATED // timedelta(milliseconds=1)
NEW = Register()
MOST_FLAGS = 100
"""Kept of readings that are not: of those after the last one that counted, whose marks may still change."""


class Reading(NamedTuple):
    """What a meter showed, and the place of its message in Kafka."""

    at_ms: int
    kwh: float
    arrived_ms: int = 0
    partition: int = 0
    offset: int = 0
    repeated_hour: bool = False
    """Its local time came twice: it may be of an hour later."""
    redriven: bool = False
    """Its message was sent again: others that came after it may have been counted."""

    @property
    def place(self) -> tuple[int, int, int]:
        """Of its message: what comes later in Kafka has a greater one."""
        return self.arrived_ms, self.partition, self.offset


@dataclass(frozen=True)
class MeterState:
    """A meter after some of its readings."""

    since_ms: int
    """The readings from then on are kept: the start of a local day."""
    at_ms: NDArray[np.int64]
    kwh: NDArray[np.float64]
    register: Register = NEW
    """After the readings before those."""
    before: Before = NOTHING
    """What was counted at `register.last`."""

    @property
    def newest_ms(self) -> int | None:
        """The time of the newest reading."""
        points = self.register.waiting or ([self.register.last] if self.register.last else [])
        return int(self.at_ms[-1]) if len(self.at_ms) else points[-1].at_ms if points else None


@dataclass(frozen=True)
class Meters:
    """How meters are counted: the tariff's days, and the greatest power where one is set."""

    calendar: Calendar
    max_kw: float | None = None

    def begun(self, stored: Iterable[Point], since_ms: int) -> MeterState:
        """A state of what is stored of a meter, in the order of time; readings before `since_ms`, a month's start, tell
        only where its register was.
        """
        points = list(stored)
        at_ms = np.array([point.at_ms for point in points], dtype=np.int64)
        kwh = np.array([point.kwh for point in points], dtype=np.float64)
        old = at_ms < since_ms
        register = count(Register(), at_ms[old], kwh[old], self.max_kw).after
        return MeterState(since_ms, at_ms[~old], kwh[~old], register)

    def updated(
        self, state: MeterState, fresh: Sequence[Reading], *, anew_ms: int | None = None
    ) -> tuple[MeterState, dict[int, Row]]:
        """The state after readings that came, and the totals that they change, by mark.

        With `anew_ms` all totals after that instant are given, and all from the first that changes on.
        Of several readings of a time the one whose message came last counts. None is before `state.since_ms`.
        """
        was = dict(zip(state.at_ms.tolist(), state.kwh.tolist(), strict=True))
        known = dict(was)
        for one in sorted(fresh, key=lambda one: one.place):
            if one.repeated_hour:
                later_ms = one.at_ms + REPEATED_MS
                known[one.at_ms], later = settled(known.get(one.at_ms), known.get(later_ms), one.kwh)
                if later is not None:
                    known[later_ms] = later
            else:
                known[one.at_ms] = one.kwh
        touched = {at_ms for one in fresh for at_ms in (one.at_ms, one.at_ms + REPEATED_MS) if at_ms in known}
        changed = [at_ms for at_ms in touched if was.get(at_ms) != known[at_ms]]
        if not changed:
            return self.trimmed(state), {}
        at_ms = np.array(sorted(known), dtype=np.int64)
        grown = replace(state, at_ms=at_ms, kwh=np.array([known[at] for at in at_ms.tolist()], dtype=np.float64))
        since_ms = self.settled_before(state, min(changed if anew_ms is None else [*changed, anew_ms + 1]))
        newest_ms = int(at_ms[-1])
        old = {} if anew_ms is not None else self.rows(state, since_ms, newest_ms)
        new = self.rows(grown, since_ms, newest_ms)
        return self.trimmed(grown), {mark: row for mark, row in new.items() if old.get(mark) != row}

    def settled_before(self, state: MeterState, at_ms: int) -> int:
        """Until when the totals stay, whatever readings come from `at_ms` on."""
        settled = self._curve(state).settled_before(at_ms)
        since_ms = at_ms - 1 if settled is None else settled
        if state.before != NOTHING:
            return since_ms
        return max(since_ms, state.since_ms - (state.register.last is None))  # of the month before nothing is known

    def rows(self, state: MeterState, since_ms: int, until_ms: int) -> dict[int, Row]:
        """The totals of ]since, until], by mark."""
        if state.newest_ms is None:
            return {}
        if state.register.last is None:  # nothing is said of what came before the meter's first reading
            since_ms = max(since_ms, int(state.at_ms[0]) - 1)
        return Totals(self._curve(state), state.before, self.calendar).rows(state.newest_ms, since_ms, until_ms)

    def trimmed(self, state: MeterState) -> MeterState:
        """Without the readings that are older than needed."""
        if state.newest_ms is None:
            return state
        since_ms = self.calendar.day_of(state.newest_ms - KEPT_MS).start_ms
        if since_ms <= state.since_ms:
            return state
        old = state.at_ms < since_ms
        curve = count(state.register, state.at_ms[old], state.kwh[old], self.max_kw)
        before = state.before
        if curve.after.last is not None and curve.after.last != state.register.last:
            before = Totals(curve, before, self.calendar).at(curve.after.last.at_ms)
            before = replace(before, flags=state.before.flags)
        if before != NOTHING:
            before = replace(before, flags=_flags_since(curve, before.flags))
        return MeterState(since_ms, state.at_ms[~old], state.kwh[~old], curve.after, before)

    def _curve(self, state: MeterState) -> Curve:
        return count(state.register, state.at_ms, state.kwh, self.max_kw)


def _flags_since(curve: Curve, known: Iterable[tuple[int, Flag]]) -> tuple[tuple[int, Flag], ...]:
    """Of those that were known and those of the curve, what a curve that goes on from there does not find itself."""
    last, waiting = curve.after.last, curve.after.waiting
    first_ms = mark_of(last.at_ms) - MARK_MS if last else 0
    flags = {at_ms: flag for at_ms, flag in {**dict(known), **curve.flags}.items() if at_ms > first_ms}
    if waiting:  # what becomes of those is still open
        flags = {at_ms: flag for at_ms, flag in flags.items() if at_ms < waiting[0].at_ms}
    return tuple(sorted(flags.items()))[-MOST_FLAGS:]
