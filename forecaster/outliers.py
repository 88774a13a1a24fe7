"""What stands out for up to three hours alone: a sensor that answers 0 or −40 °C, a price of 15,000 among hundreds.

It is not what comes next, though a forecast that begins with it would say so for days. After Hampel (1974): what lies
farther from the median of the seven hours around than eight times what nine tenths of all hours do. Both are counted
from the median of the hour of the day, so that a peak of each evening stays; and a new level stays from its fourth hour
on. Where most of the seven hours are not known, as after an outage, nothing is judged.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DAY = 24
MOST_DAYS = 28
DAYS_OF_A_COURSE = 4
"""Of fewer days the median of an hour of the day is what stands out in it."""
RARE = 8
"""Chosen on the places that the temperature's fit is made from: with it their forecasts are 0.2 % worse as they are,
and where the newest reading is 0 °C, −40 °C or 60 °C it is off by 2.6 °C and less in the first day instead of 9 to 18.
"""
AROUND = 3
"""Hours either side; at the ends the first and the last seven hours count."""
WINDOW = 2 * AROUND + 1


def without_outliers(hourly: Floats, least: float = 0.0) -> Floats:
    """An hourly series with each outlier of its newest 28 days as what is usual around it; NaN, not known, stays.

    What is less than `least` away, in the series' unit, is none. Where nine tenths of a series are as usual to the
    digit and `least` is 0, nothing is one. Of less than four days the course of the day is not known: there nothing is
    one but where `least` says how far away it must be.
    """
    days = min(len(hourly) // DAY, MOST_DAYS)
    if len(hourly) < WINDOW or (days < DAYS_OF_A_COURSE and not least):
        return hourly
    newest = hourly[-days * DAY :] if days >= DAYS_OF_A_COURSE else hourly
    known = ~np.isnan(newest)
    usual = np.tile(_median(newest.reshape(-1, DAY)), days) if days >= DAYS_OF_A_COURSE else np.zeros(len(newest))
    off = newest - usual
    windows = sliding_window_view(off, WINDOW)
    near = np.pad(_median(windows.T), AROUND, mode="edge")
    judged = known & np.pad((~np.isnan(windows)).sum(1) > AROUND, AROUND, mode="edge")
    away = np.where(judged, np.abs(off - near), 0.0)
    reach = max(RARE * float(np.quantile(away, 0.9)), least)
    if not reach:
        return hourly
    return np.concatenate([hourly[: len(hourly) - len(newest)], np.where(away > reach, usual + near, newest)])


def _median(rows: Floats) -> Floats:
    """(n, m) → (m,): of what is known; NaN where nothing is."""
    if not np.isnan(rows).any():
        return np.median(rows, axis=0)
    nothing = np.isnan(rows).all(axis=0)
    median: Floats = np.nanmedian(np.where(nothing, 0.0, rows), axis=0)  # many times slower
    median[nothing] = np.nan
    return median
