"""What stands out for a few hours alone is left out of the history, and what lasts or comes again is not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.forecast_origins import Origin, new_york, origins
from forecaster.forecasts import Kind, forecasts, wanted
from forecaster.outliers import without_outliers
from forecaster.series import HOUR_S

Floats = NDArray[np.float64]
DAYS = 28
HOURS = np.arange(14 * 24)
BEGIN_S = 1_790_000_000 // HOUR_S * HOUR_S


def course(seed: int = 0, days: int = 14) -> Floats:
    hours = np.arange(days * 24)
    random = np.random.default_rng(seed)
    found: Floats = 10 + 5 * np.sin(hours / 24 * 2 * np.pi) + random.normal(0, 0.5, len(hours))
    return found


@pytest.mark.parametrize("at", [0, 1, 100, len(HOURS) - 3, len(HOURS) - 1])
@pytest.mark.parametrize("hours", [1, 2, 3])
@pytest.mark.parametrize("more", [0, 5], ids=["whole days", "and five hours before"])
def test_what_stands_out_for_up_to_three_hours_becomes_what_is_usual_around_it(at: int, hours: int, more: int) -> None:
    true = course(days=15)[24 - more :]
    history = true.copy()
    wrong = slice(more + at, min(more + at + hours, len(history)))
    history[wrong] = -40
    found = without_outliers(history)
    assert found[wrong] == pytest.approx(true[wrong], abs=2)
    np.testing.assert_array_equal(np.delete(found, np.r_[wrong]), np.delete(history, np.r_[wrong]))


@pytest.mark.parametrize("change", ["a level of four hours", "a peak of each evening", "nothing"])
def test_what_comes_again_or_lasts_stays(change: str) -> None:
    history = course()
    if change == "a level of four hours":
        history[-4:] += 100
    elif change == "a peak of each evening":
        history[18::24] += 100
    np.testing.assert_array_equal(without_outliers(history), history)


def test_what_is_not_known_stays_so_and_tells_nothing() -> None:
    history = course()
    history[50:90] = np.nan
    history[7::24] = np.nan
    history[200] = 400
    found = without_outliers(history)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(history))
    assert found[200] == pytest.approx(course()[200], abs=2)


@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_after_an_outage_a_new_level_is_not_judged_by_what_was_before(after: int) -> None:
    history = course()
    history[-after - 8 : -after] = np.nan
    history[-after:] -= 12
    np.testing.assert_array_equal(without_outliers(history), history)


def test_less_than_the_least_is_none_and_of_a_series_that_hardly_changes_nothing_is() -> None:
    history = course()
    history[100] += 15
    assert without_outliers(history, least=20.0)[100] == history[100]
    assert without_outliers(history, least=5.0)[100] != history[100]
    seldom = np.where(HOURS == 100, 5.0, 0.0)
    np.testing.assert_array_equal(without_outliers(seldom), seldom)


@pytest.mark.parametrize("hours", [2, 20, 60])
def test_of_less_than_four_days_a_sensors_glitch_alone_is_one(hours: int) -> None:
    history = course()[:hours]
    history[-1] = -40
    evening = np.where(np.arange(hours) % 24 > 21, 500.0, 10.0) + np.arange(hours) % 3
    np.testing.assert_array_equal(without_outliers(evening), evening)
    found = without_outliers(history, least=8.0)
    np.testing.assert_array_equal(found[:-1], history[:-1])
    assert (found[-1] > 0) == (hours >= 20)


def prices(seed: int) -> Floats:
    hours = np.arange((DAYS + 2) * 24)
    random = np.random.default_rng(seed)
    found: Floats = 80 + 20 * np.sin(hours / 24 * 2 * np.pi) + random.normal(0, 8, len(hours))
    return found


def forecast_prices(history: Floats) -> tuple[Floats, Floats]:
    times = [BEGIN_S + HOUR_S * hour for hour in range(len(history[0]))]
    of = forecasts([wanted(Kind.PRICE, times, list(one), 48) for one in history])
    hours = np.array([[(hour.value, hour.upper) for hour in one] for one in of])
    return hours[..., 0], hours[..., 1]


@pytest.mark.parametrize("back", [1, 2, 30])
@pytest.mark.parametrize("hours", [1, 3])
@pytest.mark.parametrize("spike", [15_000.0, -1_000.0])
def test_a_spike_of_prices_a_moment_ago_or_yesterday_is_not_what_comes(back: int, hours: int, spike: float) -> None:
    series = np.stack([prices(seed) for seed in range(20)])
    history, came = series[:, : DAYS * 24].copy(), series[:, DAYS * 24 :]
    quiet, _ = forecast_prices(history)
    end = DAYS * 24 - back + 1
    history[:, end - hours : end] = spike
    value, upper = forecast_prices(history)
    error, without = np.abs(value - came), np.abs(quiet - came)
    assert error.mean() < 1.3 * without.mean()
    assert 0.7 < (error <= upper - value).mean() < 0.95


@pytest.fixture(scope="module")
def warm() -> list[Origin]:
    return [one for one in origins(new_york(), DAYS, 250) if one.history[-30:].min() > 12]


@pytest.mark.parametrize("wrong", [0.0, -40.0, 60.0])
@pytest.mark.parametrize("minutes", [0, 45], ids=["at a whole hour", "between hours"])
def test_a_sensor_that_is_wrong_now_does_not_spoil_two_days(warm: list[Origin], wrong: float, minutes: int) -> None:
    assert len(warm) > 20
    error, inside, without = [], [], []
    for one in warm:
        times = [time.timestamp() + 60 * minutes for time, _ in one.points]
        values = [value for _, value in one.points]
        where = one.of.latitude, one.of.longitude
        well, ill = forecasts(
            [wanted(Kind.TEMPERATURE, times, of, 48, *where) for of in (values, [*values[:-1], wrong])]
        )
        for hour, as_it_was, came in zip(ill, well, one.came, strict=True):
            error.append(abs(hour.value - came))
            without.append(abs(as_it_was.value - came))
            inside.append(hour.lower <= came <= hour.upper)
    assert np.nanmean(error) < 1.3 * np.nanmean(without)
    assert np.mean(inside) > 0.6
