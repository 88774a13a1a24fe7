"""The readings that the model is trained on: on an hourly grid of their own phase, nothing made up."""

from datetime import UTC, datetime, timedelta

import numpy as np

from forecaster.train import _step_h
from forecaster.training_places import Place, on_hourly_grid, typical

FIRST = datetime(2020, 1, 1, 0, 30, tzinfo=UTC)
HOURS = 100 * 24


def course(hours: int) -> list[float]:
    return [10 + 5 * float(np.sin(hour / 4)) for hour in range(hours)]


def test_readings_at_half_past_stay_there() -> None:
    points = [(FIRST + timedelta(hours=hour), value) for hour, value in enumerate(course(HOURS))]

    place = on_hourly_grid("Ozona", "west", 30.65, -101.7, points)

    assert place.first_h == FIRST.timestamp() / 3600
    assert np.array_equal(place.values[:HOURS], course(HOURS))
    assert np.isnan(place.values[HOURS:]).all()


def test_a_long_gap_stays_open_and_a_short_one_is_filled() -> None:
    lost = {*range(30, 33), *range(200, 220)}
    points = [(FIRST + timedelta(hours=hour), value) for hour, value in enumerate(course(HOURS)) if hour not in lost]

    values = on_hourly_grid("Ozona", "west", 30.65, -101.7, points).values

    assert not np.isnan(values[30:33]).any()
    assert np.isnan(values[200:220]).all()


def test_a_typical_years_first_hour_ends_at_one_in_standard_time() -> None:
    place = typical("Fairbanks", "west", 64.8, -147.9, 9, course(8760))

    assert datetime.fromtimestamp(place.first_h * 3600, UTC).hour == 1 + 9
    assert np.array_equal(place.values[:8760], course(8760))


def test_windows_begin_at_each_hour_of_the_day_however_many_years_there_are() -> None:
    for years in (1, 2, 5, 18, 21):
        place = Place("Lorraine", "middle", 48.5, 5.6, 0.0, np.zeros(years * 8760))
        step = _step_h(place)
        assert len({step * window % 24 for window in range(24)}) == 24
        assert 1_000 < years * 8760 / step < 6_000
