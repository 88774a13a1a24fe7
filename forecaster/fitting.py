"""How the temperature model's fits are made from windows of many places. Needed for training alone.

Both parts minimise the absolute error: the linear map by iteratively reweighted ridge regression, the nets by Adam
(Kingma & Ba 2015) on Huber's loss with the learning rate falling along a cosine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from forecaster.features import Features, features
from forecaster.persistence import DAY, LEADS
from forecaster.temperature import FARTHEST, Fit, Net
from forecaster.training_places import Place

Floats = NDArray[np.float64]
Narrow = NDArray[np.float32]
RIDGE = 40.0
REWEIGHTED = 3
LEAST_ERROR = 0.1
HIDDEN, NETS, EPOCHS, BATCH = 128, 3, 8, 256
RATE, DECAY = 2e-3, 1e-3
COVERED = 0.8
FIRST_SIZE = 0.02
"""Added to an error before its logarithm is taken."""


@dataclass(frozen=True)
class Windows:
    """Histories of one place, what the model sees of them, and what came."""

    history: Floats
    came: Floats
    """(n, 168) °C."""
    of: Features

    @property
    def target(self) -> Floats:
        """(n, 168): the anomaly that came, in units of the scale."""
        profile = np.tile(self.of.profile[:, :DAY], FARTHEST // DAY)
        return (self.came - profile) / self.of.scale[:, None]


def windows(place: Place, days: int, step_h: int, first: int = 0, ahead: int = FARTHEST) -> Windows:
    """Every window of a place whose hours are all known, `step_h` hours apart."""
    length = days * DAY
    last = np.arange(length - 1 + first, len(place.values) - ahead, step_h)
    taken = place.values[last[:, None] + np.arange(1 - length, ahead + 1)]
    whole = ~np.isnan(taken).any(1)
    taken, last_h = taken[whole], place.first_h + last[whole].astype(np.float64)
    n = len(taken)
    seen = features(taken[:, :length], last_h, np.full(n, place.latitude), np.full(n, place.longitude))
    return Windows(taken[:, :length], taken[:, length:], seen)


def fitted(learned: Sequence[Windows]) -> Fit:
    """The maps, without fading, size and reach: those are measured on places that had no part in this."""
    shared = np.concatenate([one.of.shared for one in learned])
    by_lead = np.concatenate([one.of.by_lead for one in learned]).astype(np.float32)
    target = np.concatenate([one.target[:, :LEADS] for one in learned]).astype(np.float32)
    mean, deviation = shared.mean(0), shared.std(0) + 1e-6
    size_by_lead = np.sqrt((by_lead**2).mean((0, 1))).astype(np.float64) + 1e-6
    empty = np.zeros(0)
    bare = Fit(mean, deviation, size_by_lead, empty, (), empty, empty, empty)
    within = bare.within(shared)
    narrow = within.astype(np.float32)
    linear = np.stack([_ridge(np.concatenate([narrow, by_lead[:, h]], axis=1), target[:, h]) for h in range(LEADS)])
    x = ((within - mean) / deviation).astype(np.float32)
    by_lead /= size_by_lead.astype(np.float32)
    nets = tuple(_net(x, by_lead, target, seed) for seed in range(NETS))
    return replace(bare, linear=linear, nets=nets)


def _ridge(x: Narrow, y: Narrow) -> Floats:
    weight = np.ones(len(y), np.float32)
    coefficients: Floats = np.zeros(x.shape[1])
    for _ in range(REWEIGHTED + 1):
        weighted = x * weight[:, None]
        normal = (weighted.T @ x).astype(np.float64) + RIDGE * np.eye(x.shape[1])
        coefficients = np.asarray(np.linalg.solve(normal, (weighted.T @ y).astype(np.float64)), np.float64)
        weight = 1 / np.maximum(np.abs(y - x @ coefficients.astype(np.float32)), np.float32(LEAST_ERROR))
    return coefficients


def _net(x: Narrow, by_lead: Narrow, y: Narrow, seed: int) -> Net:
    random = np.random.default_rng(seed)
    (n, k), leads = x.shape, y.shape[1]
    into = random.normal(size=(k, HIDDEN)) / np.sqrt(k)
    out = random.normal(size=(HIDDEN, leads)) * 0.1 / np.sqrt(HIDDEN)
    of_leads = np.zeros((by_lead.shape[2], leads))
    start = (into, np.zeros(HIDDEN), out, np.zeros(leads), np.zeros((k, leads)), of_leads)
    weights = [part.astype(np.float32) for part in start]
    first, second = ([np.zeros_like(part) for part in weights] for _ in range(2))
    steps = EPOCHS * (n // BATCH)
    for step in range(steps):
        some = random.integers(0, n, BATCH)
        at, at_leads = x[some], by_lead[some]
        before = at @ weights[0] + weights[1]
        hidden = np.maximum(before, 0)
        error = hidden @ weights[2] + weights[3] + at @ weights[4] - y[some]
        error += np.einsum("nhm,mh->nh", at_leads, weights[5])
        back = np.clip(error / LEAST_ERROR, -1, 1) / BATCH
        through = (back @ weights[2].T) * (before > 0)
        of_leads = np.einsum("nhm,nh->mh", at_leads, back)
        slopes = (at.T @ through, through.sum(0), hidden.T @ back, back.sum(0), at.T @ back, of_leads)
        rate = RATE * (1 + np.cos(np.pi * step / steps)) / 2
        for part, slope, mean, square in zip(weights, slopes, first, second, strict=True):
            mean += 0.1 * (slope - mean)
            square += 0.001 * (slope**2 - square)
            moved = (mean / (1 - 0.9 ** (step + 1))) / (np.sqrt(square / (1 - 0.999 ** (step + 1))) + 1e-8)
            part -= rate * (moved + DECAY * part * (part.ndim > 1))
    return Net(*(part.astype(np.float64) for part in weights))


def measured(fit: Fit, held_out: Sequence[tuple[Windows, Floats]]) -> Fit:
    """The fit with fading, size and reach, from windows and (n, 48) forecasts by fits that had not seen the place."""
    target = np.concatenate([one.target for one, _ in held_out])
    centre = np.concatenate([by for _, by in held_out])
    second_day = np.tile(centre[:, LEADS - DAY :], (FARTHEST - LEADS) // DAY)
    fading = (second_day * target[:, LEADS:]).sum(0) / (second_day**2).sum(0)
    fading = np.clip(fading.reshape(-1, DAY).mean(1), 0, 1).repeat(DAY)
    spread = np.concatenate([one.of.spread for one, _ in held_out])
    logs = np.log(np.abs(target[:, :LEADS] - centre) + FIRST_SIZE)
    size = np.linalg.solve(spread.T @ spread + np.eye(spread.shape[1]), spread.T @ logs).T
    whole = replace(fit, fading=fading, size=size, reach=np.ones(FARTHEST))
    errors = np.abs(target - whole.beyond(centre))
    seen = Features(*(np.concatenate([getattr(one.of, part) for one, _ in held_out]) for part in _PARTS))
    reach = np.quantile(errors / whole.error_size(seen), COVERED, axis=0)
    return replace(whole, reach=reach)


_PARTS = tuple(Features.__dataclass_fields__)
