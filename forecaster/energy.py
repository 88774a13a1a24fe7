"""Demand, production, power and prices: a mean of four simple forecasts, each weighted by how well it has done lately.

1. The same hour of the last day.
2. The same hour of the same weekday, moved by how much the last day differs from that day a week before.
3. The mean daily profile of the latest days, and what now lies above or below it fading as it has faded (AR(1)).
4. Likewise a profile half of the hour of the day and half of the hour of the week.

Each is made again as it would have been at every eighth hour of the last eight days; the weights are the inverse
fourth powers of the mean absolute errors there (Bates & Granger 1969 weigh by the inverse square), and the mean's own
errors there give the interval: where a forecast had too few days yet, the error of the others counts by their weights.
Forecasts that need more days than a series has are left out. Series are the first axis.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DAY, WEEK = 24, 168
FARTHEST = 168
LONGEST_DAYS = 28
LEAST_DAYS = 2
LEAST_KNOWN = 0.6
LATELY = 8 * DAY
FIRST_BACK, EVERY = 12, 8
JUDGED = 48
"""Leads whose errors count."""
POWER = 4
COVERED = 0.8
NEIGHBOURS = 2
"""Leads either side whose errors are taken together for the interval."""
WIDENED = 1.1
"""The weights were fitted to the same errors, and fewer days show fewer; chosen on Elhub's production, 2021, 2025."""


def usable_days(values: Floats) -> int:
    """How many whole days of an hourly series (NaN: not known) can be used, newest last; 0 where it is too short."""
    days = min(len(values) // DAY, LONGEST_DAYS)
    while days >= LEAST_DAYS and (~np.isnan(values[-days * DAY :])).mean() < LEAST_KNOWN:
        days -= 1
    return days if days >= LEAST_DAYS else 0


def predict(history: Floats) -> tuple[Floats, Floats]:
    """The next 168 hours of n series and half the width of their 80 % intervals: two arrays (n, 168), unit as given.

    `history` is (n, days x 24), two days at least; NaN is not known and taken as the usual value of its hour.
    """
    history = _filled(history)
    hours = history.shape[1]
    made = [(need, forecast) for need, forecast in FORECASTS if hours >= need]
    backs = range(FIRST_BACK, min(LATELY, hours - DAY) + 1, EVERY)
    each = [[_errors(one, need, history, back) for back in backs] for need, one in made]
    errors = np.stack([np.stack(of_one, axis=1) for of_one in each], axis=1)  # series, forecast, origin, lead
    judged = ~np.isnan(errors)
    count = judged.sum((2, 3))
    mean_error = np.where(judged, np.abs(errors), 0).sum((2, 3)) / np.maximum(count, 1)
    least = np.abs(history).mean(1, keepdims=True) * 1e-6 + 1e-12
    weights = np.where(count > 0, (mean_error + least) / least, np.inf) ** -POWER
    weights /= weights.sum(1, keepdims=True)
    value = np.einsum("nf,nfh->nh", weights, np.stack([forecast(history) for _, forecast in made], axis=1))
    share = np.einsum("nf,nfbh->nbh", weights, judged)  # of what the mean is made of, what was there to be judged
    together = np.einsum("nf,nfbh->nbh", weights, np.nan_to_num(errors)) / np.where(share > 0, share, 1)
    return value, _reach(np.abs(together), share) * WIDENED * (1 + DAY / 2 / hours)


def _errors(forecast: "Forecast", need: int, history: Floats, back: int) -> Floats:
    """(n, 48): of the forecast made `back` hours before the end; NaN where nothing came yet or too little was known."""
    then = history[:, :-back]
    then = then[:, then.shape[1] % DAY :]
    errors = np.full((len(history), JUDGED), np.nan)
    if then.shape[1] >= need:
        came = history[:, -back:][:, :JUDGED]
        errors[:, : came.shape[1]] = forecast(then)[:, : came.shape[1]] - came
    return errors


def _reach(errors: Floats, share: Floats) -> Floats:
    """(n, origins, 48) → (n, 168): half the width that held 80 % of the errors at each lead and its neighbours.

    An error of a mean that lacked a part then counts by the `share` of its weights that were there, 0 to 1.
    """
    half = np.empty((len(errors), JUDGED))
    last = int((share[0] > 0).any(0).sum())
    for lead in range(JUDGED):
        near = slice(max(min(lead, last - 1) - NEIGHBOURS, 0), min(lead, last - 1) + NEIGHBOURS + 1)
        half[:, lead] = _quantile(*(part[:, :, near].reshape(len(errors), -1) for part in (errors, share)))
    later = np.tile(half[:, JUDGED - DAY :], (FARTHEST - JUDGED) // DAY)
    return np.concatenate([half, later], axis=1)


def _quantile(values: Floats, weights: Floats) -> Floats:
    """(n, m) → (n,): what COVERED of the weight lies at or below; between two values, linearly."""
    order = values.argsort(1)
    sorted_values, sorted_weights = (np.take_along_axis(part, order, 1) for part in (values, weights))
    reached = sorted_weights.cumsum(1) - sorted_weights / 2
    wanted = COVERED * sorted_weights.sum(1)
    return np.array([np.interp(*row) for row in zip(wanted, reached, sorted_values, strict=True)])


def _filled(history: Floats) -> Floats:
    days = history.reshape(len(history), -1, DAY)
    known = ~np.isnan(days)
    usual = np.where(known, days, 0).sum(1) / np.maximum(known.sum(1), 1)
    mean = np.nanmean(history, axis=1)
    usual = np.where(known.any(1), usual, mean[:, None])
    return np.where(np.isnan(history), np.tile(usual, days.shape[1]), history)


def _as_yesterday(history: Floats) -> Floats:
    return np.tile(history[:, -DAY:], FARTHEST // DAY)


def _as_last_week(history: Floats) -> Floats:
    week = history[:, -WEEK:]
    moved = (history[:, -DAY:] - history[:, -WEEK - DAY : -WEEK]).mean(1, keepdims=True)
    moved_now = history[:, -1:] - history[:, -WEEK - 1 : -WEEK]
    as_then: Floats = week + 0.7 * moved + (moved_now - moved) * 0.9 ** np.arange(1, FARTHEST + 1)
    return as_then


def _by_day(history: Floats) -> Floats:
    return _fading(history, np.tile(_profile(history, DAY, 3.0), FARTHEST // DAY))


def _by_week(history: Floats) -> Floats:
    whole = history[:, history.shape[1] % WEEK :]
    profile = (_profile(whole, WEEK, 2.0) + np.tile(_profile(whole, DAY, 7.0), WEEK // DAY)) / 2
    return _fading(whole, profile)


def _profile(history: Floats, period: int, half_life: float) -> Floats:
    """(n, period): the mean of each hour of the period, a period `half_life` periods back counting half."""
    periods = history.reshape(len(history), -1, period)
    weight = 0.5 ** (np.arange(periods.shape[1])[::-1] / half_life)
    mean: Floats = np.einsum("p,nph->nh", weight / weight.sum(), periods)
    return mean


def _fading(history: Floats, profile: Floats) -> Floats:
    """(n, 168): the profile (n, 168) plus the last anomaly times its lag-one autocorrelation to the lead's power."""
    period = WEEK if history.shape[1] % WEEK == 0 else DAY
    anomaly = history - np.tile(profile[:, :period], history.shape[1] // period)
    kept = (anomaly[:, 1:] * anomaly[:, :-1]).sum(1) / ((anomaly[:, :-1] ** 2).sum(1) + 1e-12)
    faded: Floats = profile + anomaly[:, -1:] * np.clip(kept, 0, 0.999)[:, None] ** np.arange(1, FARTHEST + 1)
    return faded


Forecast = Callable[[Floats], Floats]
FORECASTS: tuple[tuple[int, Forecast], ...] = (
    (DAY, _as_yesterday),
    (WEEK + DAY, _as_last_week),
    (DAY, _by_day),
    (2 * WEEK, _by_week),
)
"""Each with the hours it needs."""
