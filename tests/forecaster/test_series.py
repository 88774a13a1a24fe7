import numpy as np
import pytest

from forecaster.series import HOUR_S, UnusableSeriesError, to_hourly

NOON_S = 1_795_867_200.0


def hours(*back: float) -> list[float]:
    return [NOON_S - one * HOUR_S for one in back]


def test_hourly_readings_are_taken_as_they_are() -> None:
    found = to_hourly(hours(3, 2, 1, 0), [1.0, 2.0, 4.0, 3.0])
    assert found.values.tolist() == [1, 2, 4, 3]
    assert (found.last_s, found.used, found.filled) == (NOON_S, 4, 0)


def test_order_and_nulls_change_nothing_and_the_last_of_equal_times_counts() -> None:
    found = to_hourly(hours(0, 2, 1, 3, 1, 0.5), [3.0, 2.0, 9.0, 1.0, 4.0, None])
    assert found.values.tolist() == [1, 2, 4, 3]
    assert found.used == 4


def test_two_points_eleven_minutes_apart_are_one_hour_of_the_grid() -> None:
    found = to_hourly([NOON_S - 11 * 60, NOON_S], [4.1, 4.6])
    assert found.values.tolist() == [4.6]
    assert found.used == 2


@pytest.mark.parametrize("minutes", [5, 15, 60])
def test_a_straight_line_stays_one_whatever_its_spacing(minutes: int) -> None:
    back = np.arange(0, 601, minutes) / 60
    found = to_hourly(hours(*back), list(10 - back))
    assert found.values == pytest.approx(np.arange(0, 11))
    assert found.filled == 0


def test_the_grid_ends_at_the_newest_reading_wherever_in_the_hour_it_is() -> None:
    found = to_hourly([NOON_S - 2 * HOUR_S - 600, NOON_S - HOUR_S - 600, NOON_S - 600], [1.0, 2.0, 4.0])
    assert found.values.tolist() == [1, 2, 4]
    assert found.last_s == NOON_S - 600


def test_gaps_of_six_hours_are_filled_and_longer_ones_stay_open() -> None:
    short = to_hourly(hours(7, 6, 0), [0.0, 0.0, 6.0])
    assert short.values.tolist() == [0, 0, 1, 2, 3, 4, 5, 6]
    assert short.filled == 5
    long = to_hourly(hours(8, 7, 0), [0.0, 0.0, 7.0])
    assert np.isnan(long.values).tolist() == [False, False, *[True] * 6, False]
    assert long.filled == 0


def test_what_is_summed_over_time_is_averaged_within_the_hour() -> None:
    back = np.array([1.25, 1.0, 0.75, 0.25, 0.0])
    assert to_hourly(hours(*back), [9.0, 0.0, 0.0, 2.0, 4.0], averaged=True).values.tolist() == [3, 3]


@pytest.mark.parametrize("minutes", [0, 10, 30])
def test_of_half_hourly_readings_each_hour_averages_two(minutes: int) -> None:
    back = np.arange(0, 48) / 2 - minutes / 60
    found = to_hourly(hours(*back), [2.0, 4.0] * 23 + [2.0, 40.0], averaged=True)
    assert found.values.tolist() == [21, *[3] * 23]
    assert found.filled == 0


def test_the_last_hour_before_a_long_gap_is_averaged_of_what_it_has() -> None:
    found = to_hourly(hours(10, 9.4, 9.3, 1, 0), [1.0, 2.0, 4.0, 5.0, 6.0], averaged=True)
    assert found.values[:2].tolist() == [1, 3]
    assert np.isnan(found.values[2:9]).all()


@pytest.mark.parametrize("averaged", [True, False])
def test_a_newest_reading_on_the_half_hour_leaves_no_hour_without_one(averaged: bool) -> None:
    back = np.append(0, np.arange(48) + 0.5)
    found = to_hourly(hours(*back), list(back % 7), averaged)
    assert (len(found.values), found.filled) == (48, 0)


def test_only_the_newest_sixty_days_are_used() -> None:
    back = list(range(70 * 24))
    found = to_hourly(hours(*back), [float(one % 5) for one in back])
    assert len(found.values) == found.used == 60 * 24


@pytest.mark.parametrize(
    ("times", "values", "name"),
    [
        ([], [], "too_short"),
        (hours(0), [1.0], "too_short"),
        (hours(0, 0), [1.0, 2.0], "too_short"),
        (hours(0, 1), [None, 2.0], "too_short"),
        (hours(0, 1, 2), [2.0, 2.0, 2.0], "constant"),
    ],
)
def test_what_cannot_be_used_has_a_name(times: list[float], values: list[float | None], name: str) -> None:
    with pytest.raises(UnusableSeriesError) as error:
        to_hourly(times, values)
    assert error.value.name == name
