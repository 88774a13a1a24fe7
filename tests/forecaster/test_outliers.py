import numpy as np
import pytest
from numpy.typing import NDArray

from forecaster.outliers import without_outliers

Floats = NDArray[np.float64]
HOURS = np.arange(14 * 24)


def course(seed: int = 0) -> Floats:
    found: Floats = 10 + 5 * np.sin(HOURS / 24 * 2 * np.pi) + np.random.default_rng(seed).normal(0, 0.5, len(HOURS))
    return found


@pytest.mark.parametrize("at", [0, 1, 100, len(HOURS) - 3, len(HOURS) - 1])
@pytest.mark.parametrize("hours", [1, 2, 3])
def test_what_stands_out_for_up_to_three_hours_becomes_what_is_usual_around_it(at: int, hours: int) -> None:
    history = course()
    wrong = slice(at, min(at + hours, len(HOURS)))
    history[wrong] = -40
    found = without_outliers(history[None])[0]
    assert found[wrong] == pytest.approx(course()[wrong], abs=2)
    np.testing.assert_array_equal(np.delete(found, np.r_[wrong]), np.delete(history, np.r_[wrong]))


@pytest.mark.parametrize("change", ["a level of four hours", "a peak of each evening", "nothing"])
def test_what_comes_again_or_lasts_stays(change: str) -> None:
    history = course()
    if change == "a level of four hours":
        history[-4:] += 100
    elif change == "a peak of each evening":
        history[18::24] += 100
    np.testing.assert_array_equal(without_outliers(history[None])[0], history)


def test_what_is_not_known_stays_so_and_tells_nothing() -> None:
    history = course()
    history[50:90] = np.nan
    history[7::24] = np.nan
    history[200] = 400
    found = without_outliers(history[None])[0]
    np.testing.assert_array_equal(np.isnan(found), np.isnan(history))
    assert found[200] == pytest.approx(course()[200], abs=2)


def test_series_of_different_sizes_are_looked_at_each_by_itself() -> None:
    together = np.stack([course(1), 1e6 * course(2)])
    together[0, 100] = 90
    found = without_outliers(together)
    np.testing.assert_array_equal(found[0], without_outliers(together[:1])[0])
    np.testing.assert_array_equal(found[1], together[1])
    assert found[0, 100] < 20


def test_less_than_the_least_is_none_and_of_a_series_that_hardly_changes_nothing_is() -> None:
    history = course()
    history[100] += 15
    assert without_outliers(history[None], least=20.0)[0, 100] == history[100]
    assert without_outliers(history[None], least=5.0)[0, 100] != history[100]
    seldom = np.where(HOURS == 100, 5.0, 0.0)
    np.testing.assert_array_equal(without_outliers(seldom[None])[0], seldom)
