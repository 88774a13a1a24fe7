import json
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readings.settings import Settings
from readings.stream import Stream, load_streams
from readings.weather import Weather
from spark_consumer.messages import Problem, read_message

ARRIVED = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "source": "test",
    "region": "Bergen",
    "timestamp": "2026-11-24T11:45:00Z",
    "temperature_c": 4.5,
    "location": {"lat": 60.39, "lon": 5.32},
}
FLAT: dict[str, Any] = {
    "lat": 60.39,
    "lon": 5.32,
    "timezone": "Europe/Oslo",
    "timezone_offset": 3600,
    "region_name": "Bergen",
    "data_dt": 1795520700,
    "data_sunrise": 1795508000,
    "data_sunset": 1795532000,
    "data_temp": 4.5,
    "data_humidity": 87,
    "data_weather_id": 500,
    "data_weather_main": "Rain",
    "data_weather_description": "light rain",
    "data_weather_icon": "10d",
    "data_rain_1h": 0.4,
    "data_wind_gust": None,
}


def read(weather: Stream, message: object) -> list[Weather | Problem]:
    value = message if isinstance(message, bytes) or message is None else json.dumps(message).encode()
    return list(read_message(weather, value, ARRIVED))  # type: ignore[arg-type]


def test_a_reading_is_read(weather: Stream) -> None:
    [reading] = read(weather, GOOD)
    assert isinstance(reading, Weather)
    assert reading.key == "Bergen|2026-11-24T11:45:00Z"


def test_a_flat_one_call_record_is_read(weather: Stream) -> None:
    [reading] = read(weather, [FLAT])
    assert isinstance(reading, Weather)
    assert reading.timestamp == datetime.fromtimestamp(1795520700, UTC)
    assert (reading.temperature_c, reading.rain_mm, reading.condition) == (4.5, 0.4, "Rain")
    assert reading.wind_gust_ms is None
    assert reading.location is not None
    assert reading.location.lat == 60.39


def test_nan_is_an_absent_value_as_pandas_writes_it(weather: Stream) -> None:
    [reading] = read(weather, json.dumps([{**FLAT, "data_wind_gust": float("nan")}]).encode())
    assert isinstance(reading, Weather)
    assert reading.wind_gust_ms is None


def test_one_bad_element_leaves_the_others(weather: Stream) -> None:
    kelvin = {**FLAT, "data_temp": 277.6}
    first, bad, last = read(weather, [FLAT, kelvin, GOOD])
    assert isinstance(first, Weather)
    assert isinstance(last, Weather)
    assert isinstance(bad, Problem)
    assert bad.position == 1
    assert bad.reason.startswith("temperature_c: read 277.6, expected")
    assert json.loads(bad.message) == kelvin


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (None, "the message is empty"),
        (b"", "the message is empty"),
        (b"\x00\x00", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "not JSON"),
        ([], "the array is empty"),
        (17, "read 17, expected a reading"),
        ([[GOOD]], "expected a reading: a JSON object"),
        ({}, "source: is missing; region: is missing"),
        ({**GOOD, "temperature_c": "4.5"}, "temperature_c: read '4.5'"),
        ({**GOOD, "temperature_c": None}, "temperature_c: read None"),
        ({**GOOD, "temperature_c": 61}, "temperature_c: read 61"),
        ({**GOOD, "temprature_c": 4}, "temprature_c: unknown field"),
        ({**GOOD, "region": "Ber\x00gen"}, "region: read 'Ber\\x00gen'"),
        ({**GOOD, "region": "x" * 101}, "region: read"),
        ({**GOOD, "timestamp": "2026-11-24T11:45:00"}, "timestamp: read"),
        ({**GOOD, "timestamp": "2026-11-24T12:05:01Z"}, "expected at most 5 minutes after its arrival"),
        ({**GOOD, "timestamp": "2009-12-31T23:59:59Z"}, "expected 2010-01-01 or later"),
        ({**GOOD, "timestamp": "0001-01-01T00:00:00+01:00"}, "before the year 1"),
        ({**GOOD, "timestamp": "9999-12-31T23:59:59-01:00"}, "after 9999"),
        ([{**FLAT, "data_dt": "9999-12-31T23:59:59-01:00"}], "after 9999"),
        ([{**FLAT, "data_dt": "yesterday"}], "data_dt: read 'yesterday'"),
        ([{**FLAT, "data_dt": 1e300}], "data_dt: read 1e+300"),
        ([{**FLAT, "region_name": None}], "region: read None"),
        (json.dumps(GOOD).replace("4.5", "NaN").encode(), "temperature_c: read None"),
        (json.dumps(GOOD).replace("4.5", "Infinity").encode(), "not JSON"),
        (b"[" * 100_000 + b"NaN", "not JSON: nested too deeply"),
        (b'{"a":' + b"[" * 300 + b"]" * 300 + b"}", "it cannot be written again: Recursion limit reached"),
        (b"[[" + b"[" * 300 + b"]" * 300 + b"]]", "it cannot be written again: Recursion limit reached"),
        (json.dumps({**GOOD, "temperature_c": float("nan"), "a": 10**30}).encode(), "Integer exceeds 64-bit range"),
        (json.dumps([{**GOOD, "temperature_c": float("nan"), "region": "\ud800"}]).encode(), "surrogates not allowed"),
    ],
)
def test_what_is_no_reading_is_a_problem_with_its_reason(weather: Stream, message: object, reason: str) -> None:
    [problem] = read(weather, message)
    assert isinstance(problem, Problem)
    assert reason in problem.reason
    assert len(problem.reason) <= 1000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)

INSTANTS = st.datetimes(timezones=st.timezones()).map(lambda instant: instant.isoformat())


@pytest.mark.slow
@given(
    field=st.sampled_from(sorted({**GOOD, **FLAT})), value=JSON | INSTANTS, flat=st.booleans(), in_array=st.booleans()
)
def test_no_mutation_of_a_message_raises(field: str, value: object, flat: bool, in_array: bool) -> None:
    weather = load_streams(Settings(_env_file=None))["weather"]
    record = {**(FLAT if flat else GOOD), field: value}
    found = read(weather, [record, GOOD] if in_array else record)
    assert len(found) == (2 if in_array or isinstance(record, list) else 1)


@pytest.mark.slow
@given(st.binary(max_size=200))
def test_no_bytes_raise(value: bytes) -> None:
    weather = load_streams(Settings(_env_file=None))["weather"]
    for one in read_message(weather, value, ARRIVED):
        if isinstance(one, Problem) and not value.startswith(b"["):
            assert one.message == value


def test_the_problem_keeps_a_message_whole(weather: Stream) -> None:
    huge = orjson.dumps({**GOOD, "description": "x" * 2_000_000})
    [problem] = read(weather, huge)
    assert isinstance(problem, Problem)
    assert problem.message == huge
