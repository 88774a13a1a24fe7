"""How long a place's anomaly lasts, from its own history: its autocorrelation, and the forecasts that follow from it.

They are the linear forecast from the last hour (AR(1)), those from the same hours of the last two days, and the best
linear one from the last 48 hours under the history's own autocovariance (the Yule-Walker equations; simple kriging),
at three amounts of noise. The temperature model takes them as features: by the sea they are right for longer than in
the desert. Arrays have the places in the first axis.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEADS = 48
DAY = 24
PAST = 48
"""Hours that the best linear forecast looks back."""
NOISE = (0.03, 0.3, 2.0)
"""Added to the autocovariance's diagonal, as a share of it: the most noise makes the most cautious forecast."""
LAGS = (3, 6, 12, 18, 36, 48, 72)
"""Hours whose autocorrelation is a feature of its own."""
SHARED_LEADS = (2, 8, 14, 20, 26, 32, 38, 44)
LEAST_VARIANCE = 1e-3


def persistence(anomaly: Floats) -> tuple[Floats, Floats]:
    """Features (n, 26) for all leads and (n, 48, 6) for each lead.

    `anomaly` is (n, whole days x 24), three days at least, its root mean square about 1.
    """
    hours = anomaly.shape[1]
    variance = (anomaly**2).mean(1)
    hour_on = (anomaly[:, 1:] * anomaly[:, :-1]).mean(1) / ((anomaly[:, :-1] ** 2).mean(1) + LEAST_VARIANCE)
    day_on, two_days_on = (
        (anomaly[:, lag:] * anomaly[:, :-lag]).mean(1) / (variance + LEAST_VARIANCE) for lag in (DAY, 2 * DAY)
    )
    days = anomaly.reshape(len(anomaly), hours // DAY, DAY)[:, ::-1]  # the newest day first
    level = days.mean(2)
    level_on = (level[:, :-1] * level[:, 1:]).sum(1) / ((level**2).sum(1) + 0.1)
    level_share = (level**2).mean(1)
    last = anomaly[:, -1]

    covariance = _autocovariance(anomaly)
    linear = _best_linear(anomaly, covariance)
    correlation = covariance[:, LAGS] / (covariance[:, :1] + LEAST_VARIANCE)
    shared = np.column_stack(
        [
            *(hour_on, day_on, two_days_on, level_on, level_share),
            *(level_on * level[:, 0], day_on * level[:, 0], level_share * level[:, 0]),
            *(hour_on * last, day_on * last, level_on * level[:, 1]),
            correlation,
            linear[:, SHARED_LEADS, 1],
        ]
    )
    fading = last[:, None] * np.clip(hour_on, 0, 0.999)[:, None] ** np.arange(1, LEADS + 1)
    as_yesterday = day_on[:, None] * np.tile(days[:, 0], 2)
    as_the_day_before = two_days_on[:, None] * np.tile(days[:, 1], 2)
    by_lead = np.concatenate([np.stack([fading, as_yesterday, as_the_day_before], axis=2), linear], axis=2)
    return shared, by_lead


def _autocovariance(anomaly: Floats) -> Floats:
    """(n, 96): at lags of 0 to 95 hours, the biased estimate, which is positive definite."""
    hours = anomaly.shape[1]
    spectrum = np.abs(np.fft.rfft(anomaly, 2 * hours, axis=1)) ** 2
    covariance: Floats = np.fft.irfft(spectrum, axis=1)[:, : PAST + LEADS] / hours
    return covariance


def _best_linear(anomaly: Floats, covariance: Floats) -> Floats:
    """(n, 48, 3): the forecast at each lead with each of `NOISE`."""
    past = np.arange(PAST)
    between = covariance[:, np.abs(np.subtract.outer(past, past))]
    across = covariance[:, np.arange(1, LEADS + 1)[:, None] + past]
    newest = anomaly[:, : -PAST - 1 : -1]
    made = []
    for share in NOISE:
        noise = share * (covariance[:, :1, None] + LEAST_VARIANCE) * np.eye(PAST)
        weights = np.linalg.solve(between + noise, newest[:, :, None])
        made.append((across @ weights)[:, :, 0])
    return np.stack(made, axis=2)
