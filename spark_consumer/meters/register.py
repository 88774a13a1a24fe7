"""What a meter's register says was used: which readings count, and the curve of the energy counted.

A register only grows. A reading below the last one that counted is flagged ``backwards`` and not added; where a
greatest power is set, one that would need more than that is flagged ``too_fast`` and not added. When the two readings
after such a one go on from it as a register does, the meter was replaced: it starts a new base, and what was used
between the old base and the new one is not known and not added. Any other reading that is not added changes nothing for
those after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

MS_PER_H = 3_600_000
CONFIRMING = 2
"""So many readings after one that is out of line make it a new base."""

Flag = Literal["backwards", "too_fast", "replaced"]


class Point(NamedTuple):
    """What a register showed."""

    at_ms: int
    kwh: float


@dataclass(frozen=True)
class Register:
    """A meter after some of its readings."""

    last: Point | None = None
    """The last reading that counted."""
    waiting: tuple[Point, ...] = ()
    """Readings out of line since, which the next ones may confirm: at most two."""


@dataclass(frozen=True)
class Curve:
    """The energy counted since the register's last reading, over time: a line between readings that count."""

    at_ms: NDArray[np.int64]
    """The times of the readings that count, ascending; the first is that of the register before."""
    kwh: NDArray[np.float64]
    """Counted until then; the first is 0."""
    flags: dict[int, Flag]
    """By time, the readings that do not simply count."""
    after: Register
    confirmed_ms: frozenset[int] = frozenset()
    """The times of readings that count because of those after them: a new base and the one behind it."""

    def settled_before(self, at_ms: int) -> int | None:
        """The time of the last reading before that counts whatever comes from then on; None where there is none."""
        for settled in self.at_ms[: np.searchsorted(self.at_ms, at_ms)][::-1].tolist():
            if settled not in self.confirmed_ms:
                return int(settled)
        return None

    def until(self, at_ms: NDArray[np.int64]) -> NDArray[np.float64]:
        """The energy counted until those times, in kWh: spread evenly between two readings, none before the first."""
        if not len(self.at_ms):
            return np.zeros(len(at_ms))
        return np.interp(at_ms, self.at_ms, self.kwh)


def count(before: Register, at_ms: NDArray[np.int64], kwh: NDArray[np.float64], max_kw: float | None = None) -> Curve:
    """The curve of readings in the order of their times, each time once, all after `before.last`.

    `at_ms` are Unix milliseconds, `kwh` what the register showed, `max_kw` the greatest power where one is set.
    """
    if not before.waiting and _in_line(before.last, at_ms, kwh, max_kw):
        return _plain(before.last, at_ms, kwh)
    return _step_by_step(before, [Point(int(at), float(value)) for at, value in zip(at_ms, kwh, strict=True)], max_kw)


def _in_line(last: Point | None, at_ms: NDArray[np.int64], kwh: NDArray[np.float64], max_kw: float | None) -> bool:
    if last is not None:
        at_ms, kwh = np.append(last.at_ms, at_ms), np.append(last.kwh, kwh)
    rises = np.diff(kwh)
    if max_kw is not None and bool((rises * MS_PER_H > max_kw * np.diff(at_ms)).any()):
        return False
    return bool((rises >= 0).all())


def _plain(last: Point | None, at_ms: NDArray[np.int64], kwh: NDArray[np.float64]) -> Curve:
    if last is not None:
        at_ms, kwh = np.append(last.at_ms, at_ms), np.append(last.kwh, kwh)
    if not len(at_ms):
        return Curve(at_ms, kwh, {}, Register())
    return Curve(at_ms, kwh - kwh[0], {}, Register(Point(int(at_ms[-1]), float(kwh[-1]))))


def _step_by_step(before: Register, points: Sequence[Point], max_kw: float | None) -> Curve:
    last, waiting = before.last, list(before.waiting)
    counted = 0.0
    knots = [] if last is None else [Point(last.at_ms, 0.0)]
    confirmed: set[int] = set()
    flags = {one.at_ms: problem for one in waiting if last and (problem := _problem(last, one, max_kw))}
    for point in points:
        problem = None if last is None else _problem(last, point, max_kw)
        if last is None or problem is None:
            counted += 0.0 if last is None else point.kwh - last.kwh
            knots.append(Point(point.at_ms, counted))
            last, waiting = point, []
            continue
        flags[point.at_ms] = problem
        goes_on = bool(waiting) and _problem(waiting[-1], point, max_kw) is None
        waiting = [*waiting, point] if goes_on else [point]
        if len(waiting) > CONFIRMING:
            base = waiting[0]
            knots += [Point(one.at_ms, counted + one.kwh - base.kwh) for one in waiting]
            counted = knots[-1].kwh
            confirmed |= {one.at_ms for one in waiting[:CONFIRMING]}
            flags = {at_ms: flag for at_ms, flag in flags.items() if at_ms < base.at_ms} | {base.at_ms: "replaced"}
            last, waiting = point, []
    at_ms = np.array([knot.at_ms for knot in knots], dtype=np.int64)
    kwh = np.array([knot.kwh for knot in knots], dtype=np.float64)
    return Curve(at_ms, kwh, flags, Register(last, tuple(waiting)), frozenset(confirmed))


def _problem(last: Point, point: Point, max_kw: float | None) -> Flag | None:
    if point.kwh < last.kwh:
        return "backwards"
    if max_kw is not None and (point.kwh - last.kwh) * MS_PER_H > max_kw * (point.at_ms - last.at_ms):
        return "too_fast"
    return None
