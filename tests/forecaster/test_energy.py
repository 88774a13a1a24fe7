from collections.abc import Iterator

import numpy as np
import pytest

from benchmarks.forecast import DAYS_AHEAD
from benchmarks.forecast_origins import Floats, Origin, homes, origins, production
from benchmarks.forecast_rivals import same_weekday
from forecaster.energy import predict, usable_days

HOURS = np.arange(28 * 24)


def forecasts_of_production(days: int) -> Iterator[tuple[list[Origin], Floats, Floats]]:
    """Of each series that changes: its origins, and by origin and hour the error and half the interval's width."""
    for one in production():
        of = [origin for origin in origins([one], days, 29) if np.ptp(origin.history) > 0]
        if of:
            value, half = predict(np.stack([origin.history for origin in of]))
            yield of, np.abs(value[:, :48] - np.stack([origin.came for origin in of])), half[:, :48]


def test_recorded_production_is_forecast_better_than_by_the_same_weekday() -> None:
    ratios, inside = [], []
    for of, error, half in forecasts_of_production(28):
        theirs = np.abs(np.stack([same_weekday(origin.history) - origin.came for origin in of]))
        ratios.append([np.nanmean(error[:, part]) / np.nanmean(theirs[:, part]) for part in DAYS_AHEAD])
        inside.append(np.mean(error <= half))
    first, second = np.mean(ratios, axis=0)
    assert len(ratios) >= 20
    assert first < 0.75
    assert second < 0.9
    assert 0.74 < np.mean(inside) < 0.88


def test_homes_on_which_no_choice_was_made_are_forecast_better_than_by_the_same_weekday() -> None:
    ratios, inside = [], []
    for one in homes():
        of = origins([one], 21, 7)
        value, half = predict(np.stack([origin.history for origin in of]))
        came = np.stack([origin.came for origin in of])
        error = np.abs(value[:, :48] - came)
        theirs = np.abs(np.stack([same_weekday(origin.history) for origin in of]) - came)
        ratios.append([error[:, part].mean() / theirs[:, part].mean() for part in DAYS_AHEAD])
        inside.append(np.mean(error <= half[:, :48]))
    first, second = np.mean(ratios, axis=0)
    assert len(ratios) == 11
    assert first < 0.87
    assert second < 0.93
    assert 0.78 < np.mean(inside) < 0.88


def test_of_registers_each_hour_is_what_was_used_in_it() -> None:
    (home,) = (one for one in homes() if one.name == "home-A")
    assert home.first.isoformat() == "2013-01-31T13:00:00+00:00"
    assert len(home.values) == 28 * 24 - 1
    assert home.values[0] == pytest.approx(7974.102 - 7973.157)
    assert all((one.values >= 0).all() for one in homes())


@pytest.mark.slow
@pytest.mark.parametrize("days", [4, 7, 14, 21, 28])
def test_intervals_hold_four_in_five_whatever_the_history(days: int) -> None:
    inside = [error <= half for _, error, half in forecasts_of_production(days)]
    held = [[one[:, part].mean() for part in DAYS_AHEAD] for one in inside]
    assert all(0.77 < share < 0.85 for share in np.mean(held, axis=0)), np.mean(held, axis=0)


def test_a_week_of_workdays_and_a_weekend_comes_again() -> None:
    history = np.where(HOURS // 24 % 7 < 5, 100.0, 40.0) + 10 * np.sin(HOURS / 24 * 2 * np.pi)
    value, half = predict(history[None])
    came = np.where(np.arange(28 * 24, 35 * 24) // 24 % 7 < 5, 100.0, 40.0) + 10 * np.sin(
        np.arange(168) / 24 * 2 * np.pi
    )
    assert value[0] == pytest.approx(came, abs=2)
    assert (half[0] < 20).all()


def test_a_forecast_that_had_too_few_days_at_first_makes_no_interval_narrower() -> None:
    """With 14 days, the last week's value could be judged at the newer origins alone."""
    hours = np.arange(16 * 24)
    came = np.where(hours // 24 % 7 < 5, 100.0, 40.0) + np.random.default_rng(3).normal(0, 3, (400, len(hours)))
    value, half = predict(came[:, : 14 * 24])
    assert 0.8 < (np.abs(value[:, :48] - came[:, 14 * 24 :]) <= half[:, :48]).mean() < 0.88


def test_series_asked_together_get_what_each_gets_alone() -> None:
    random = np.random.default_rng(1)
    history = random.normal(size=(4, 28 * 24)).cumsum(1)
    for together, alone in zip(predict(history), zip(*map(predict, history[:, None]), strict=True), strict=True):
        assert together == pytest.approx(np.concatenate(alone))


@pytest.mark.parametrize("days", [2, 3, 7, 8, 14, 28])
def test_any_length_from_two_days_gives_a_forecast(days: int) -> None:
    history = np.sin(HOURS[: days * 24] / 24 * 2 * np.pi)[None] + 5
    history[0, 7:9] = np.nan
    value, half = predict(history)
    assert value[0] == pytest.approx(np.sin(np.arange(168) / 24 * 2 * np.pi) + 5, abs=0.3)
    assert np.isfinite(half).all()


def test_a_scale_of_any_size_makes_no_difference() -> None:
    history = np.random.default_rng(2).normal(size=(1, 14 * 24)) + 10
    assert predict(history * 1e9)[0] == pytest.approx(predict(history)[0] * 1e9, rel=1e-6)


def test_less_than_two_days_that_are_known_are_too_few() -> None:
    assert usable_days(np.ones(47)) == 0
    assert usable_days(np.ones(48)) == 2
    assert usable_days(np.concatenate([np.ones(30 * 24)])) == 28
    assert usable_days(np.concatenate([np.full(26 * 24, np.nan), np.ones(48)])) <= 3
