from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.pacing import Pace, explain, pace, widened
from readings.errors import ConfigError

QUARTER = timedelta(minutes=15)
MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("daily_calls", "expected"),
    [
        (2628, Pace(13, QUARTER, True)),
        (2627, Pace(13, QUARTER, False)),
        (1314, Pace(13, QUARTER, False)),
        (1313, Pace(13, timedelta(minutes=16), False)),
        (1000, Pace(13, timedelta(minutes=20), False)),
        (13, Pace(13, timedelta(days=1), False)),
    ],
)
def test_the_earlier_call_is_left_out_first_then_the_interval_widens(daily_calls: int, expected: Pace) -> None:
    assert pace(13, daily_calls, QUARTER) == expected


@given(places=st.integers(1, 200), daily_calls=st.integers(1, 100_000), minutes=st.integers(1, 1440))
def test_the_calls_of_a_day_are_always_kept_to(places: int, daily_calls: int, minutes: int) -> None:
    if daily_calls < places:
        with pytest.raises(ConfigError, match="OPENWEATHERMAP_DAILY_CALLS"):
            pace(places, daily_calls, timedelta(minutes=minutes))
        return
    found = pace(places, daily_calls, timedelta(minutes=minutes))
    assert found.calls_a_day <= daily_calls
    assert found.interval >= timedelta(minutes=minutes)
    assert found.interval <= timedelta(days=1) or found.interval == timedelta(minutes=minutes)


def test_the_start_says_what_was_left_out_and_widened() -> None:
    said = explain(pace(13, 1000, QUARTER), 1000, QUARTER)
    assert said == (
        "13 places every 20min: at most 936 calls a day; the earlier reading of each is left out and "
        "15min became 20min, to keep to OPENWEATHERMAP_DAILY_CALLS, 1000"
    )
    assert "left out" not in explain(pace(13, 5000, QUARTER), 5000, QUARTER)


@pytest.mark.parametrize(("daily_calls", "minutes"), [(5000, 5), (2000, 10), (500, 37), (12, 1440)])
def test_rounds_of_calls_are_made_as_often_as_the_day_allows(daily_calls: int, minutes: int) -> None:
    assert widened(12, daily_calls, timedelta(minutes=5), "CALLS") == timedelta(minutes=minutes)
    with pytest.raises(ConfigError, match="CALLS: read 11, expected at least 12"):
        widened(12, 11, timedelta(minutes=5), "CALLS")


@pytest.mark.parametrize(("hours", "rounds"), [(0, 96), (12, 48), (23.9, 0)])
def test_the_rest_of_the_day_keeps_its_calls(hours: float, rounds: int) -> None:
    assert Pace(13, QUARTER, False).needed_until_midnight(MIDNIGHT + timedelta(hours=hours)) == 13 * rounds
