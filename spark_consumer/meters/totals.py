"""A meter's totals at marks of 5 minutes: this month, today, this half hour, and what today costs.

A mark stands for the five minutes that end with it, so midnight's mark closes the day before. Its totals reach as far
as readings do (`until`); the energy between two readings is spread evenly over the time between them, so that a half
hour, a day, a month or a period of the tariff that begins between two readings gets its share.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spark_consumer.meters.register import Curve, Flag
from spark_consumer.meters.tariff import HALF_HOUR_MS, Calendar, Day

MARK_MS = 5 * 60 * 1000
MINUTE_MS = 60 * 1000
LONGEST_GAP_MS = 35 * 24 * 60 * MINUTE_MS
"""Between two readings farther apart than this there is one mark a day, at midnight."""
DIGITS = 6
"""Of a total: what lies behind is the float's."""

Row = dict[str, Any]
"""A document of `meter_totals` without its ``_id`` and its meter."""
Floats = NDArray[np.float64]
Instants = NDArray[np.int64]
"""Unix milliseconds."""


@dataclass(frozen=True)
class Before:
    """What was counted when the curve begins, at the last reading before it that counts."""

    month: str
    """``2026-11``"""
    month_kwh: float
    day: str
    """``2026-11-25``"""
    day_kwh: float
    day_cost_eur: float
    half_hour_ms: int
    """When it began."""
    half_hour_kwh: float
    minute_costs_eur: tuple[float, ...] = ()
    """The day's cost at the minutes so far of the mark that it lies in: the curve does not know them any more."""
    flags: tuple[tuple[int, Flag], ...] = ()
    """By time, those of readings in that mark or later that the curve does not have."""


NOTHING = Before("", 0.0, "", 0.0, 0.0, -1, 0.0)
"""Before a meter's first reading."""


@dataclass(frozen=True)
class Totals:
    """How a meter's energy and cost add up, over the curve and what was before it."""

    curve: Curve
    before: Before
    calendar: Calendar

    def at(self, at_ms: int) -> Before:
        """The totals at an instant, of the month, the day and the half hour that it ends or lies in."""
        day = self.calendar.day_of(at_ms - 1)
        of_day = _OfDay(self, day)
        until = np.array([at_ms], dtype=np.int64)
        number = int(of_day.half_hour(until)[0])
        minutes = _minutes(mark_of(at_ms))
        return Before(
            day.month,
            float(of_day.month_kwh(until)[0]),
            day.name,
            float(of_day.day_kwh(until)[0]),
            float(of_day.cost(until)[0]),
            int(day.starts_ms[number]),
            float(of_day.half_hour_kwh(until)[0]),
            tuple(of_day.minute_costs(minutes[minutes <= at_ms]).tolist()),
        )

    def rows(self, newest_ms: int, since_ms: int, until_ms: int) -> dict[int, Row]:
        """The totals at each mark that ends a piece of ]since, until], by mark.

        `newest_ms` is the time of the newest reading, counted or not; nothing is said of what comes after it.
        `since_ms` is not before the curve begins, unless that is where the meter does.
        """
        marks = self._marks(since_ms, min(until_ms, newest_ms))
        found: dict[int, Row] = {}
        for day in self.calendar.days(int(marks[0]) - 1, int(marks[-1]) - 1) if len(marks) else []:
            of_day = marks[(marks > day.start_ms) & (marks <= day.end_ms)]
            if len(of_day):
                found |= _OfDay(self, day).rows(of_day, newest_ms)
        for at_ms, flag in (*self.before.flags, *self.curve.flags.items()):
            mark = mark_of(at_ms)
            if mark in found:
                found[mark]["flags"] = sorted({*found[mark].get("flags", []), flag})
        return found

    def _marks(self, since_ms: int, until_ms: int) -> Instants:
        """The marks of ]since, until], the one that `until` has begun included; of long gaps midnights and readings."""
        first, last = since_ms // MARK_MS + 1, -(-until_ms // MARK_MS)
        marks = np.arange(first, last + 1, dtype=np.int64) * MARK_MS
        knots = self.curve.at_ms
        if len(marks) * MARK_MS <= LONGEST_GAP_MS or len(knots) < 2:
            return marks
        after = np.clip(np.searchsorted(knots, marks), 1, len(knots) - 1)
        near = knots[after] - knots[after - 1] <= LONGEST_GAP_MS
        midnights = [day.end_ms for day in self.calendar.days(since_ms, until_ms)]
        read = [mark_of(int(at_ms)) for at_ms in knots]
        return marks[near | np.isin(marks, [*midnights, *read])]


class _OfDay:
    """The totals of a day, at instants after its start and not after its end."""

    def __init__(self, totals: Totals, day: Day) -> None:
        self._curve, self._before, self._day = totals.curve, totals.before, day
        self._month_start_ms = totals.calendar.month_start_ms(day.start_ms)
        self._at_bounds = self._curve.until(np.append(day.starts_ms, day.end_ms))
        self._cost_at_bounds = np.concatenate([[0.0], np.cumsum(np.diff(self._at_bounds) * day.prices)])

    def half_hour(self, until: Instants) -> Instants:
        """The numbers of the half hours that the instants end or lie in."""
        return np.asarray((until - 1 - self._day.start_ms) // HALF_HOUR_MS)

    def month_kwh(self, until: Instants) -> Floats:
        start = self._curve.until(np.array([self._month_start_ms], dtype=np.int64))
        return self._curve.until(until) - start + (self._before.month == self._day.month) * self._before.month_kwh

    def day_kwh(self, until: Instants) -> Floats:
        counted = self._curve.until(until) - self._at_bounds[0]
        return np.asarray(counted + (self._before.day == self._day.name) * self._before.day_kwh)

    def half_hour_kwh(self, until: Instants) -> Floats:
        number = self.half_hour(until)
        goes_on = self._day.starts_ms[number] == self._before.half_hour_ms
        return np.asarray(self._curve.until(until) - self._at_bounds[number] + goes_on * self._before.half_hour_kwh)

    def cost(self, until: Instants) -> Floats:
        """Of the day, in euro."""
        number = np.clip(self.half_hour(until), 0, len(self._day.prices) - 1)
        cost = self._cost_at_bounds[number]
        cost = cost + (self._curve.until(until) - self._at_bounds[number]) * self._day.prices[number]
        return np.asarray(cost + (self._before.day == self._day.name) * self._before.day_cost_eur)

    def minute_costs(self, minutes: Instants) -> Floats:
        """Of the day, in euro, at full minutes."""
        costs, kept = self.cost(minutes), self._before.minute_costs_eur
        if kept and self._before.day == self._day.name:
            place = (minutes - _minutes(mark_of(int(self._curve.at_ms[0])))[0]) // MINUTE_MS
            known = (place >= 0) & (place < len(kept))
            costs[known] = np.array(kept)[place[known]]
        return costs

    def rows(self, marks: Instants, newest_ms: int) -> dict[int, Row]:
        until = np.minimum(marks, newest_ms)
        half_hour = self.half_hour(until)
        half_hour_kwh = self.half_hour_kwh(until)
        minutes = _minutes(marks[:, None])
        costs = self.minute_costs(minutes.ravel()).reshape(minutes.shape)
        columns = zip(
            until.tolist(),
            half_hour.tolist(),
            (minutes <= newest_ms).sum(axis=1).tolist(),
            *(
                np.round(values, DIGITS).tolist()
                for values in (
                    self.month_kwh(until),
                    self.day_kwh(until),
                    half_hour_kwh,
                    self.cost(until),
                    half_hour_kwh * self._day.prices[half_hour],
                    costs,
                )
            ),
            strict=True,
        )
        return {
            mark: {
                "timestamp": _instant(mark),
                "until": _instant(reaches),
                "month": self._day.month,
                "day": self._day.name,
                "half_hour": _instant(int(self._day.starts_ms[number])),
                "period": self._day.periods[number],
                "month_kwh": month_kwh,
                "day_kwh": day_kwh,
                "half_hour_kwh": in_half_hour,
                "day_cost_eur": day_cost,
                "half_hour_cost_eur": half_hour_cost,
                "minute_costs_eur": minute_costs[:known],
            }
            for mark, (
                reaches,
                number,
                known,
                month_kwh,
                day_kwh,
                in_half_hour,
                day_cost,
                half_hour_cost,
                minute_costs,
            ) in zip(marks.tolist(), columns, strict=True)
        }


def mark_of(at_ms: int) -> int:
    """The mark of the five minutes that an instant lies in or ends."""
    return -(-at_ms // MARK_MS) * MARK_MS


def _minutes(mark: int | Instants) -> Instants:
    """The ends of a mark's five minutes; of several marks, each in a row of its own, a row each."""
    return np.asarray(mark - np.arange(4, -1, -1, dtype=np.int64) * MINUTE_MS)


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
