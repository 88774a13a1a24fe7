"""Readings as they come → a regular hourly series that ends at the newest of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

HOUR_S = 3600
LONGEST_HISTORY_H = 60 * 24
LONGEST_FILLED_H = 6
"""Gaps up to this long are filled linearly, longer ones stay open."""

Floats = NDArray[np.float64]


class UnusableSeriesError(ValueError):
    """Nothing can be forecast from these readings.

    `name` names the problem, the text says what was read and what is needed.
    """

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


@dataclass(frozen=True)
class Hourly:
    """A series at whole hours before its newest reading."""

    values: Floats
    """The last is the newest reading; NaN where a gap is too long to fill."""
    last_s: float
    """The time of the newest reading, seconds since 1970-01-01T00Z; it need not be a whole hour."""
    used: int
    """How many readings were used: with a value, at different times, of the newest 60 days."""
    filled: int
    """How many hours had no reading within half an hour and were interpolated."""
    ignored: str = ""
    """A clause on the readings that do not count because they are too old; empty where there are none."""


def to_hourly(times_s: Sequence[float], values: Sequence[float | None], averaged: bool = False) -> Hourly:
    """Puts readings of any order and spacing on an hourly grid; of equal times the last one given counts.

    Readings without a value are left out. `averaged` means the readings within half an hour of each hour (for what is
    summed or settled over time); otherwise values are interpolated between readings (for what is read at an instant).
    A reading halfway between two hours counts to the later, so that of half-hourly ones each hour has two.
    Raises UnusableSeriesError for fewer than two readings and for a series that never changes.
    """
    seconds = np.asarray(times_s, np.float64)
    known = np.array([np.nan if value is None else value for value in values], np.float64)
    given = seconds[~np.isnan(known)]
    seconds, known = _ordered(given, known[~np.isnan(known)])
    ignored = _ignored(given)
    if len(seconds) < 2:
        text = f"read {len(seconds)} points with a value at different times, at least 2 are needed"
        raise UnusableSeriesError("too_short", text + ignored)
    if known.min() == known.max():
        text = f"all {len(known)} points have the value {known[0]:g}, expected a series that changes"
        raise UnusableSeriesError("constant", text)
    hours_back = (seconds[-1] - seconds) / HOUR_S
    length = int(hours_back[0] + 1e-9) + 1
    grid_back = np.arange(length - 1, -1, -1, dtype=np.float64)
    grid = np.interp(-grid_back, -hours_back, known)
    step = np.ceil(hours_back - 0.5).astype(np.int64)
    count = np.bincount(step, minlength=length)[:length][::-1]
    open_gap = _in_long_gap(-grid_back, -hours_back)
    if averaged:
        inside = step < length
        sums = np.bincount(step[inside], known[inside], length)[::-1]
        grid = np.where(count > 0, sums / np.maximum(count, 1), grid)
        open_gap &= count == 0
    grid[open_gap] = np.nan
    return Hourly(grid, float(seconds[-1]), len(seconds), int(((count == 0) & ~open_gap).sum()), ignored)


def _ordered(seconds: Floats, values: Floats) -> tuple[Floats, Floats]:
    """By time, the last of equal times, none older than 60 days before the newest."""
    if not len(seconds):
        return seconds, values
    order = np.argsort(seconds, kind="stable")
    seconds, values = seconds[order], values[order]
    keep = np.append(seconds[1:] != seconds[:-1], True) & ~_too_old(seconds)
    return seconds[keep], values[keep]


def _too_old(seconds: Floats) -> NDArray[np.bool_]:
    old: NDArray[np.bool_] = seconds <= seconds.max(initial=-np.inf) - LONGEST_HISTORY_H * HOUR_S
    return old


def _ignored(seconds: Floats) -> str:
    older = int(_too_old(seconds).sum())
    if not older:
        return ""
    newest = datetime.fromtimestamp(seconds.max(), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return (
        f"; only the {LONGEST_HISTORY_H // 24} days before the newest point, {newest}, count, {older} points are older"
    )


def _in_long_gap(grid: Floats, at: Floats) -> NDArray[np.bool_]:
    """Which grid hours lie strictly within a gap between two readings that is too long to fill."""
    after = np.clip(np.searchsorted(at, grid), 1, len(at) - 1)
    before, behind = at[after - 1], at[after]
    within: NDArray[np.bool_] = (behind - before > LONGEST_FILLED_H) & (before < grid) & (grid < behind)
    return within
