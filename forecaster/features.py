"""What the temperature model sees of a place: numbers without a unit, alike for a desert and a fjord.

The newest whole days of a series are split into its mean daily profile and the anomaly from it; both are divided by the
anomaly's root mean square. Where the sun stands tells the morning from the evening and spring from autumn. All arrays
have the places in the first axis.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecaster.persistence import DAY, persistence
from forecaster.sun import daily_insolation, hour_angle

Floats = NDArray[np.float64]
DAYS_SEEN = 14
"""Days of the anomaly that are looked at; older ones count in the profile alone."""
LEAST_SCALE_C = 0.1
USUAL_INSOLATION = 0.3
"""Where the latitude is not told."""
WARMEST_SOLAR_H = 15.0
"""Used to find solar time where the longitude is not told: the first harmonic of the profile peaks then."""


@dataclass(frozen=True)
class Features:
    """Features of n places."""

    shared: Floats
    """(n, k): for all leads."""
    by_lead: Floats
    """(n, 48, m): for each lead its own."""
    profile: Floats
    """(n, 48) °C: the mean of the hour of the day of each lead."""
    scale: Floats
    """(n,) °C: root mean square of the anomaly."""
    spread: Floats
    """(n, 7): what the size of an error depends on."""

    def row(self, lead: int) -> Floats:
        """(n, k + m): the features of the forecast `lead` + 1 hours ahead."""
        return np.concatenate([self.shared, self.by_lead[:, lead]], axis=1)


def features(history: Floats, last_h: Floats, latitude: Floats, longitude: Floats) -> Features:
    """Of `history` (n, whole days x 24) °C, hourly, the last at `last_h` (n,) hours since 1970-01-01T00Z.

    NaN in the history counts as the profile; NaN in latitude or longitude (n,) means not told.
    """
    n, hours = history.shape
    profile = _profile(history)
    anomaly = np.nan_to_num(history - np.tile(profile, hours // DAY))
    scale = np.sqrt((anomaly**2).mean(1)) + LEAST_SCALE_C
    anomaly = anomaly / scale[:, None]
    course = profile - profile.mean(1, keepdims=True)
    swing = np.sqrt((course**2).mean(1)) + LEAST_SCALE_C / 2
    shape = course / swing[:, None]
    swing = swing / scale

    seen = np.zeros((n, DAYS_SEEN * DAY))
    seen[:, -min(hours, DAYS_SEEN * DAY) :] = anomaly[:, -DAYS_SEEN * DAY :]
    days = seen.reshape(n, DAYS_SEEN, DAY)[:, ::-1]  # the newest day first
    level = days.mean(2)
    swelled = np.einsum("ndh,nh->nd", days[:, :7], shape) / DAY  # how far each day's course exceeds the profile's
    week_swelled = swelled.mean(1)
    unrest = (days[:, :3] + course[:, None] / scale[:, None, None]).std(2)

    angle = np.where(np.isnan(longitude), _angle_of(course), hour_angle(last_h, np.nan_to_num(longitude)))
    insolation, season = _season(last_h, latitude)
    lasting, lasting_by_lead = persistence(anomaly)
    waves = [wave(turns * angle) for turns in (1, 2) for wave in (np.cos, np.sin)]
    now = [seen[:, -1 - lag] for lag in (0, 1, 2, 3, 6, 12, 18, 23)]
    turning = [*now, *level.T[:3], *swelled.T[:2], swing, np.ones(n)]
    shared = np.column_stack(
        [
            seen[:, -2 * DAY :],
            level,
            level.mean(1),
            course / scale[:, None],
            swelled[:, :3],
            week_swelled,
            unrest,
            np.log(scale),
            *(wave * term for wave in waves for term in turning),
            *(trend * by for trend in season for by in (10.0, 10 * swing, 10 / scale)),
            insolation,
            insolation**2,
            lasting,
            np.ones(n),
        ]
    )
    twice = np.tile(shape, 2)
    slope = np.tile((np.roll(shape, -1, 1) - np.roll(shape, 1, 1)) / 2, 2)
    scaling = [*swelled.T[:3], week_swelled, seen[:, -1], level[:, 0], level[:, 1], swing]
    scaling += [swing * trend for trend in season]
    same_hour = [np.tile(of, 2) for of in (days[:, 0], days[:, 1], days[:, :3].mean(1), days[:, :7].mean(1))]
    by_lead = np.stack(
        [
            *(twice * term[:, None] for term in scaling),
            *same_hour,
            slope * seen[:, -1:],
            slope * swelled[:, :1],
        ],
        axis=2,
    )
    by_lead = np.concatenate([by_lead, lasting_by_lead], axis=2)
    a_day_on = np.abs(np.diff(anomaly.reshape(n, -1, DAY), axis=1)).mean((1, 2))
    an_hour_on = np.abs(np.diff(anomaly, axis=1)).mean(1)
    spread = np.column_stack(
        [
            np.ones(n),
            np.log(scale),
            np.log(a_day_on + 0.05),
            np.log(an_hour_on + 0.01),
            np.log(swing),
            np.cos(angle),
            np.sin(angle),
        ]
    )
    return Features(shared, by_lead, np.tile(profile, 2), scale, spread)


def _profile(history: Floats) -> Floats:
    """(n, 24): the mean by hour of the day, the first an hour after the last; an hour never seen is the mean of all."""
    days = history.reshape(len(history), -1, DAY)
    known = ~np.isnan(days)
    count = known.sum(1)
    sums = np.where(known, days, 0).sum(1)
    mean = sums.sum(1) / np.maximum(count.sum(1), 1)
    profile: Floats = np.where(count > 0, sums / np.maximum(count, 1), mean[:, None])
    return profile


def _angle_of(course: Floats) -> Floats:
    """The sun's hour angle at the last hour, from the hour at which the profile peaks."""
    turns = 2 * np.pi * np.arange(1, DAY + 1) / DAY
    peak = np.arctan2(course @ np.sin(turns), course @ np.cos(turns))  # radians after the last hour
    angle: Floats = 2 * np.pi * (WARMEST_SOLAR_H - 12) / DAY - peak
    return angle


def _season(last_h: Floats, latitude: Floats) -> tuple[Floats, list[Floats]]:
    """Insolation now, and how it changed before and during the history's second half: 0 where there is no latitude."""
    told = ~np.isnan(latitude)
    north = np.nan_to_num(latitude)
    at = [daily_insolation(last_h - days * DAY, north) for days in (0, 20, 45)]
    trends = [np.where(told, at[1] - at[2], 0.0), np.where(told, at[0] - at[1], 0.0)]
    return np.where(told, at[0], USUAL_INSOLATION), trends
