"""The temperature model: one fit on many places, shipped as `temperature.npz`, asked for many places at once.

``forecast = profile + scale · (linear(features) + net(features)) / 2``: a linear map and the mean of three small nets,
each fitted to the absolute error at 48 leads (`forecaster/train.py`). Beyond 48 hours the same hours of the second day
fade towards the profile. There is one fit for each of four lengths of history; the longest that is there is used.
The interval is ``± scale · reach(lead) · exp(spread · size(lead))``: what the error depends on, and the multiple of it
that held 80 % of the outcomes at places that had no part in the fit (split conformal; Lei et al. 2018).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecaster.features import Features, features
from forecaster.persistence import DAY, LEADS

Floats = NDArray[np.float64]
FILE = Path(__file__).with_name("temperature.npz")
HISTORY_DAYS = (28, 14, 7, 3)
FARTHEST = 168
LEAST_KNOWN = 0.6
"""The share of a history's hours that must be known for it to be used."""
WINSOR = 6.0
"""Features beyond this many standard deviations of the training's are taken as that many."""
LEAST_HALF_C = 0.3


@dataclass(frozen=True)
class Net:
    """One hidden layer of rectifiers, and linear maps beside it; k features and m for each lead to 48 leads."""

    into: Floats
    into_bias: Floats
    out: Floats
    out_bias: Floats
    beside: Floats
    by_lead: Floats
    """(m, 48)."""

    def __call__(self, x: Floats, by_lead: Floats) -> Floats:
        """(n, k), (n, 48, m) → (n, 48)."""
        out: Floats = np.maximum(x @ self.into + self.into_bias, 0) @ self.out
        out += self.out_bias + x @ self.beside + np.einsum("nhm,mh->nh", by_lead, self.by_lead)
        return out


@dataclass(frozen=True)
class Fit:
    """The fit for one length of history."""

    mean: Floats
    deviation: Floats
    size_by_lead: Floats
    """(m,): root mean square of the features that each lead has for itself."""
    linear: Floats
    """(48, k + m)."""
    nets: tuple[Net, ...]
    fading: Floats
    """(120,): what is left of the second day's anomaly at leads 49 to 168."""
    size: Floats
    """(48, 7)."""
    reach: Floats
    """(168,)."""

    def centre(self, of: Features) -> Floats:
        """(n, 48): the anomaly in units of the scale."""
        shared = self.within(of.shared)
        by_lead = np.clip(of.by_lead, -WINSOR * self.size_by_lead, WINSOR * self.size_by_lead)
        linear = np.einsum("nk,hk->nh", shared, self.linear[:, : shared.shape[1]])
        linear += np.einsum("nhm,hm->nh", by_lead, self.linear[:, shared.shape[1] :])
        x, by_lead = (shared - self.mean) / self.deviation, by_lead / self.size_by_lead
        centre: Floats = (linear + np.mean([net(x, by_lead) for net in self.nets], axis=0)) / 2
        return centre

    def within(self, shared: Floats) -> Floats:
        """The features, none farther out than anything that was learned from."""
        far = WINSOR * self.deviation
        return np.clip(shared, self.mean - far, self.mean + far)

    def beyond(self, centre: Floats) -> Floats:
        """(n, 48) → (n, 168)."""
        later = np.tile(centre[:, LEADS - DAY :], (FARTHEST - LEADS) // DAY) * self.fading
        return np.concatenate([centre, later], axis=1)

    def error_size(self, of: Features) -> Floats:
        """(n, 168) in units of the scale, before `reach`."""
        size = np.exp(np.clip(of.spread @ self.size.T, -5, 3))
        return np.concatenate([size, np.tile(size[:, LEADS - DAY :], (FARTHEST - LEADS) // DAY)], axis=1)


def usable_days(values: Floats) -> int:
    """The longest of HISTORY_DAYS that an hourly series (NaN: not known) fills well enough; 0 for none."""
    for days in HISTORY_DAYS:
        newest = values[-days * DAY :]
        if len(newest) == days * DAY and (~np.isnan(newest)).mean() >= LEAST_KNOWN:
            return days
    return 0


def predict(history: Floats, last_h: Floats, latitude: Floats, longitude: Floats) -> tuple[Floats, Floats]:
    """The next 168 hours of n places, and half the width of their 80 % intervals: two arrays (n, 168) in °C.

    `history` is (n, days x 24) °C, days one of HISTORY_DAYS, the last at `last_h` hours since 1970-01-01T00Z; NaN in it
    is not known, NaN in `latitude` or `longitude` (n,) is not told.
    """
    fit = fits()[history.shape[1] // DAY]
    of = features(history, last_h, latitude, longitude)
    centre = of.scale[:, None] * fit.beyond(fit.centre(of))
    value = np.tile(of.profile[:, :DAY], FARTHEST // DAY) + centre
    half = of.scale[:, None] * fit.reach * fit.error_size(of)
    return value, np.maximum(half, LEAST_HALF_C)


@cache
def fits() -> dict[int, Fit]:
    """The shipped fits by days of history."""
    with np.load(FILE) as stored:
        arrays = {name: stored[name].astype(np.float64) for name in stored.files}
    return {days: unpacked(arrays, days) for days in HISTORY_DAYS}


def unpacked(arrays: Mapping[str, Floats], days: int) -> Fit:
    """One fit of the shipped file's arrays."""
    of = {name.removeprefix(f"{days}."): array for name, array in arrays.items() if name.startswith(f"{days}.")}
    parts = Net.__dataclass_fields__
    count = sum(name.endswith(".into") for name in of)
    nets = tuple(Net(**{part: of[f"net{i}.{part}"] for part in parts}) for i in range(count))
    plain = {name: of[name] for name in Fit.__dataclass_fields__ if name != "nets"}
    return Fit(nets=nets, **plain)


def packed(fit: Fit, days: int) -> dict[str, NDArray[np.floating]]:
    """The arrays of one fit, by name, as they are shipped: half precision is finer than what was learned."""
    arrays = {f"{days}.{name}": getattr(fit, name) for name in Fit.__dataclass_fields__ if name != "nets"}
    for i, net in enumerate(fit.nets):
        arrays |= {f"{days}.net{i}.{part}": getattr(net, part) for part in Net.__dataclass_fields__}
    return {name: array.astype(np.float16) for name, array in arrays.items()}
