from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.laid import Laid, Recorded, lap_of, shift_to
from producer.recorded.weather import interpolate
from producer.recordings import Recording, read_recording
from readings.reading import Reading
from readings.weather import Weather
from tests.producer.conftest import ROOT, hourly, write_recording

FIRST = datetime(2021, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    path = tmp_path_factory.mktemp("recording") / "a.csv"
    return read_recording(write_recording(path, hourly("Bergen", FIRST, 48)), Weather)


@pytest.fixture(scope="module")
def norway() -> Recording:
    return read_recording(ROOT / "recordings" / "weather" / "norway_era5_2021.csv.gz", Weather)


def laid(recording: Recording, shift: timedelta, lap: timedelta | None = None) -> Laid:
    return Laid(next(iter(recording.series.values())), recording.first, shift, lap, Recorded(DAY, interpolate))


def test_a_short_recording_is_laid_end_to_end_without_a_hole(two_days: Recording) -> None:
    one = laid(two_days, 10 * DAY, lap_of(two_days))
    begins = FIRST + 10 * DAY - 5 * DAY
    played = list(one.played(begins, begins + 9 * DAY, "backfill"))
    times = [reading.event_time for reading in played]
    assert times == [begins + timedelta(hours=hour) for hour in range(1, 9 * 24 + 1)]
    number = one.next_after(begins)
    for later, reading in enumerate(played):
        expected = one.reading(number + later).model_dump(mode="json", exclude_none=True)
        assert orjson.loads(reading.value) == {**expected, "mode": "backfill"}
    assert {orjson.loads(reading.value)["temperature_c"] for reading in played} == set(range(48))


@given(hours=st.floats(-1e4, 1e4))
def test_the_hour_of_the_day_stays_right_wherever_it_is_laid(two_days: Recording, hours: float) -> None:
    one = laid(two_days, 400 * DAY, lap_of(two_days))
    number = one.next_after(FIRST + timedelta(hours=hours))
    time = one.time(number)
    assert time is not None
    assert time > FIRST + timedelta(hours=hours) >= time - timedelta(hours=1)
    assert int(temperature_c(one.reading(number))) % 24 == time.hour
    assert one.reading(number).event_time == time


def test_a_recording_that_is_played_once_ends(two_days: Recording) -> None:
    one = laid(two_days, timedelta())
    assert one.time(-1) is None
    assert one.time(48) is None
    assert len(list(one.played(FIRST - DAY, FIRST + 100 * DAY, "replay"))) == 48


@pytest.mark.parametrize("now", [datetime(2026, 11, 24, 12, tzinfo=UTC), datetime(2028, 2, 29, 3, tzinfo=UTC)])
def test_a_year_is_laid_so_that_its_seasons_fall_in_place(norway: Recording, now: datetime) -> None:
    shift = shift_to(norway, now, 28 * DAY)
    recorded = now - shift
    assert abs((recorded.replace(year=2020) - now.replace(year=2020)).days) <= 1
    assert shift % DAY == timedelta()


def test_a_short_recording_begins_with_the_backfill(two_days: Recording) -> None:
    now = datetime(2026, 11, 24, 12, 34, tzinfo=UTC)
    assert FIRST + shift_to(two_days, now, 28 * DAY) == datetime(2026, 10, 27, tzinfo=UTC)


def test_recorded_instants_are_recorded_and_others_interpolated(two_days: Recording) -> None:
    one = laid(two_days, timedelta(), lap_of(two_days))
    recorded, between = one.at(FIRST + timedelta(hours=3)), one.at(FIRST + timedelta(hours=3, minutes=15))
    assert isinstance(recorded, Weather)
    assert isinstance(between, Weather)
    assert (recorded.source, recorded.temperature_c) == ("replay", 3)
    assert (between.source, between.temperature_c) == ("replay-interpolated", 3.25)


def test_nothing_is_interpolated_over_a_long_gap(tmp_path: Path) -> None:
    rows = hourly("Bergen", FIRST, 1) + hourly("Bergen", FIRST + timedelta(hours=9), 2)
    one = laid(read_recording(write_recording(tmp_path / "a.csv", rows), Weather), timedelta())
    assert one.at(FIRST + timedelta(hours=4)) is None
    assert one.at(FIRST + timedelta(hours=9, minutes=1)) is not None
    assert one.at(FIRST - timedelta(hours=1)) is None
    assert one.at(FIRST + timedelta(hours=11)) is None


def temperature_c(reading: Reading) -> float:
    assert isinstance(reading, Weather)
    return reading.temperature_c


def reading(**fields: object) -> Weather:
    return Weather.model_validate({"source": "replay", "region": "Bergen", "timestamp": FIRST, **fields})


@pytest.mark.parametrize(
    ("first", "second", "between"), [(350, 10, 0), (10, 350, 0), (0, 90, 45), (90, 0, 45), (300, 300, 300), (360, 0, 0)]
)
def test_the_wind_turns_the_shorter_way_round(first: float, second: float, between: float) -> None:
    before = reading(temperature_c=1, wind_deg=first)
    after = reading(temperature_c=1, wind_deg=second, timestamp=FIRST + timedelta(hours=1))
    assert interpolate(before, after, FIRST + timedelta(minutes=30)).wind_deg == between  # type: ignore[attr-defined]


def test_an_interpolated_reading_says_no_more_than_both_neighbours() -> None:
    before = reading(temperature_c=1, rain_mm=2, humidity_pct=50, wind_deg=10, condition="Rain", sunrise=FIRST)
    after = reading(temperature_c=2, rain_mm=4, timestamp=FIRST + timedelta(hours=1), condition="Rain")
    between = interpolate(before, after, FIRST + timedelta(minutes=20))
    assert between.model_dump(exclude_none=True) == {
        "source": "replay-interpolated",
        "mode": "live",
        "region": "Bergen",
        "timestamp": FIRST + timedelta(minutes=20),
        "temperature_c": 1.33,
    }
