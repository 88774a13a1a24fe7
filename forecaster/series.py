"""Readings as they come → an hourly series to forecast from."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

HOUR_S = 3600
LONGEST_HISTORY = timedelta(days=60)
LONGEST_FILLED_H = 6
"""Gaps up to this long are filled linearly, longer ones stay gaps."""


class TooShortError(ValueError):
    """Fewer than two usable points."""


@dataclass(frozen=True)
class Hourly:
    """A series on whole hours."""

    first_hour: int
    """Hours since 1970-01-01T00Z of `values[0]`."""
    values: NDArray[np.float64]
    """NaN where nothing is known."""
    last: datetime
    """The time of the newest point, aware UTC; it need not be a whole hour."""
    last_value: float


def to_hourly(points: Iterable[tuple[datetime, float | None]]) -> Hourly:
    """Puts points in any order, spacing and number on whole hours; naive times are UTC, of equal times the last counts.

    Points without a value are left out, and those older than 60 days before the newest. Raises TooShortError.
    """
    by_time = {_utc(when): value for when, value in points if value is not None}
    if len(by_time) < 2:
        raise TooShortError(f"read {len(by_time)} points with a value at different times, at least 2 are needed")
    last = max(by_time)
    times = sorted(when for when in by_time if when >= last - LONGEST_HISTORY)
    seconds = np.array([when.timestamp() for when in times])
    values = np.array([by_time[when] for when in times], dtype=np.float64)
    first_hour = int(seconds[0] // HOUR_S)
    hours = np.arange(first_hour, int(-(-seconds[-1] // HOUR_S)) + 1)
    grid = np.interp(hours * HOUR_S, seconds, values)
    grid[_in_long_gap(hours * HOUR_S, seconds)] = np.nan
    return Hourly(first_hour, grid, last, float(by_time[last]))


def _in_long_gap(grid_s: NDArray[np.int64], seconds: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which grid times lie strictly within a gap between two points that is too long to fill."""
    after = np.clip(np.searchsorted(seconds, grid_s), 1, len(seconds) - 1)
    before, behind = seconds[after - 1], seconds[after]
    within: NDArray[np.bool_] = (behind - before > LONGEST_FILLED_H * HOUR_S) & (before < grid_s) & (grid_s < behind)
    return within


def _utc(when: datetime) -> datetime:
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
