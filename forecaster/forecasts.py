"""Many series → their forecasts: each kind to its model, series of equal length together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from forecaster import energy, temperature, young
from forecaster.outliers import without_outliers
from forecaster.series import HOUR_S, Hourly, UnusableSeriesError, to_hourly

Floats = NDArray[np.float64]
TOGETHER = 128
"""Series that are computed at once: enough to be fast, few enough to be small."""
SAME = 1e-12
"""Values that differ by this share of themselves do so because of how they were averaged."""
LEAST_OUTLIER_C = 8.0
"""A thunderstorm's gust front may be less."""
DECIMALS_C = 2
DIGITS = 6
"""Significant digits, of how much a series varies, that values of other kinds than temperature are rounded to."""
MOST_DECIMALS = 15


class Kind(StrEnum):
    """What a series is of."""

    TEMPERATURE = "temperature"
    DEMAND = "demand"
    PRODUCTION = "production"
    PRICE = "price"
    POWER = "power"


@dataclass(frozen=True)
class Wanted:
    """A series, and how far ahead."""

    kind: Kind
    hourly: Hourly
    horizon: int
    """Whole hours after the newest reading, 1 to 168."""
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class Predicted:
    """One hour's forecast with its 80 % interval, in the unit of the series."""

    timestamp: datetime
    value: float
    lower: float
    upper: float


def wanted(
    kind: Kind,
    times_s: Sequence[float],
    values: Sequence[float | None],
    horizon: int,
    latitude: float | None = None,
    longitude: float | None = None,
) -> Wanted:
    """Readings put on the grid for their kind, without what stands out for up to three hours alone.

    Raises UnusableSeriesError where they are too few, or do not change in the days that a forecast is made from.
    """
    hourly = to_hourly(times_s, values, averaged=kind is not Kind.TEMPERATURE)
    days = _usable_days(kind, hourly)
    if kind is not Kind.TEMPERATURE and not days:
        known = int((~np.isnan(hourly.values)).sum())
        text = f"read {known} hours of {kind}, expected at least {energy.LEAST_DAYS} days without long gaps"
        raise UnusableSeriesError("too_short", text + hourly.ignored)
    seen = hourly.values[-days * 24 :]
    lowest, most = float(np.nanmin(seen)), float(np.nanmax(seen))
    if days and most - lowest <= SAME * max(abs(lowest), abs(most)):
        text = f"the newest {days} days have the value {most:g} throughout, expected a series that changes in them"
        raise UnusableSeriesError("constant", text)
    least = LEAST_OUTLIER_C if kind is Kind.TEMPERATURE else 0.0
    usual = replace(hourly, values=without_outliers(hourly.values, least))
    return Wanted(kind, usual, horizon, latitude, longitude)


def forecasts(of: Sequence[Wanted]) -> list[list[Predicted]]:
    """The forecast of each series for the whole hours after its newest reading, in the order given."""
    alike: dict[tuple[bool, int], list[int]] = {}
    for i, one in enumerate(of):
        alike.setdefault((one.kind is Kind.TEMPERATURE, _usable_days(one.kind, one.hourly)), []).append(i)
    made: list[list[Predicted]] = [[] for _ in of]
    for (warm, days), places in alike.items():
        for start in range(0, len(places), TOGETHER):
            some = places[start : start + TOGETHER]
            values, halves = _together([of[i] for i in some], warm, days)
            for i, value, half in zip(some, values, halves, strict=True):
                made[i] = _at_whole_hours(of[i], value, half)
    return made


def _usable_days(kind: Kind, hourly: Hourly) -> int:
    """How many of the newest days the kind's model sees; 0 where they are too few for it."""
    usable_days = temperature.usable_days if kind is Kind.TEMPERATURE else energy.usable_days
    return usable_days(hourly.values)


def _together(of: list[Wanted], warm: bool, days: int) -> tuple[Floats, Floats]:
    if not days:
        both = [young.predict(one.hourly.values) for one in of]
        return np.stack([value for value, _ in both]), np.stack([half for _, half in both])
    history = np.stack([one.hourly.values[-days * 24 :] for one in of])
    if not warm:
        return energy.predict(history)
    last_h = np.array([one.hourly.last_s / HOUR_S for one in of])
    latitude = np.array([np.nan if one.latitude is None else one.latitude for one in of])
    longitude = np.array([np.nan if one.longitude is None else one.longitude for one in of])
    return temperature.predict(history, last_h, latitude, longitude)


def _at_whole_hours(one: Wanted, value: Floats, half: Floats) -> list[Predicted]:
    """Between the hours after the newest reading, which are forecast, lie the whole hours, which are asked for."""
    last_h = one.hourly.last_s / HOUR_S
    first = math.floor(last_h + 1e-9) + 1
    ahead = np.arange(first, first + one.horizon) - last_h
    leads = np.arange(len(value) + 1)
    values = np.interp(ahead, leads, np.concatenate([one.hourly.values[-1:], value]))
    halves = np.interp(ahead, leads, np.concatenate([half[:1], half]))
    lower, upper = values - halves, values + halves
    if one.kind is not Kind.TEMPERATURE and np.nanmin(one.hourly.values) >= 0:
        values, lower = np.maximum(values, 0), np.maximum(lower, 0)
    upper = np.maximum(upper, values)
    decimals = _decimals(one)
    return [
        Predicted(datetime.fromtimestamp(hour * HOUR_S, UTC), value, low, high)
        for hour, value, low, high in zip(
            range(first, first + one.horizon),
            values.round(decimals).tolist(),
            lower.round(decimals).tolist(),
            upper.round(decimals).tolist(),
            strict=True,
        )
    ]


def _decimals(one: Wanted) -> int:
    """How many are worth showing: temperature is in °C, of other kinds the unit is not known."""
    if one.kind is Kind.TEMPERATURE:
        return DECIMALS_C
    varies = float(np.nanmax(one.hourly.values) - np.nanmin(one.hourly.values))
    return min(DIGITS - 1 - math.floor(math.log10(varies)), MOST_DECIMALS) if varies > 0 else MOST_DECIMALS
