"""What people would install instead, each a function of an hourly history that gives the next 48 hours."""

import logging
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rival = Callable[[Floats], Floats]
AHEAD, DAY, WEEK = 48, 24, 168


def seasonal_naive(history: Floats) -> Floats:
    """The same hour of the last day, twice."""
    return np.tile(history[-DAY:], AHEAD // DAY)


def same_weekday(history: Floats) -> Floats:
    """The same hour of the same weekday a week before."""
    return history[-WEEK:][:AHEAD]


def profile_ar1(history: Floats) -> Floats:
    """The mean daily profile, and the last anomaly times its lag-one autocorrelation to the power of the lead."""
    profile = history.reshape(-1, DAY).mean(0)
    anomaly = history - np.tile(profile, len(history) // DAY)
    kept = (anomaly[1:] @ anomaly[:-1]) / max(anomaly[:-1] @ anomaly[:-1], 1e-12)
    forecast: Floats = np.tile(profile, AHEAD // DAY) + anomaly[-1] * kept ** np.arange(1, AHEAD + 1)
    return forecast


def mstl(history: Floats) -> Floats:
    """statsforecast's MSTL with seasons of a day, its trend by AutoETS."""
    return _statsforecast("MSTL", history, season_length=[DAY])


def auto_ets(history: Floats) -> Floats:
    """statsforecast's AutoETS with a season of a day."""
    return _statsforecast("AutoETS", history, season_length=DAY)


def auto_arima(history: Floats) -> Floats:
    """statsforecast's AutoARIMA with a season of a day."""
    return _statsforecast("AutoARIMA", history, season_length=DAY)


def prophet(history: Floats) -> Floats:
    """Prophet as it comes."""
    import pandas as pd
    from prophet import Prophet

    logging.getLogger("cmdstanpy").setLevel(logging.WARNING)
    start = datetime(2013, 1, 1)  # noqa: DTZ001  Prophet refuses zones
    times = [start + timedelta(hours=hour) for hour in range(len(history) + AHEAD)]
    model = Prophet()
    model.fit(pd.DataFrame({"ds": times[: len(history)], "y": history}))
    forecast: Floats = model.predict(pd.DataFrame({"ds": times[len(history) :]}))["yhat"].to_numpy()
    return forecast


def _statsforecast(name: str, history: Floats, **options: Any) -> Floats:
    from statsforecast import models

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = getattr(models, name)(**options).forecast(y=history, h=AHEAD)
    return np.asarray(made["mean"], np.float64)


def rivals(every: bool) -> dict[str, Rival]:
    """Those that are scored, by name; without statsforecast or Prophet installed, without those."""
    found: dict[str, Rival] = {"seasonal_naive": seasonal_naive, "profile_ar1": profile_ar1}
    if find_spec("statsforecast"):
        found["mstl"] = mstl
        if every:
            found |= {"auto_ets": auto_ets, "auto_arima": auto_arima}
    if every and find_spec("prophet"):
        found["prophet"] = prophet
    return found
