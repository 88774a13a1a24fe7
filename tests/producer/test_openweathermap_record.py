from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.sources.openweathermap_record import read_weather
from readings.config import Place
from readings.weather import Weather

DATA = Path(__file__).parent / "data"
BERGEN = Place(name="Bergen", latitude=60.3913, longitude=5.3221, area="NO5")
DOCUMENTED = orjson.loads((DATA / "owm_3.0_onecall_timemachine.docs-example.json").read_bytes())["data"][0]
METRIC: dict[str, Any] = DOCUMENTED | {
    "temp": 5.98,
    "feels_like": 3.29,
    "dew_point": -0.27,
    "wind_gust": 6,
    "rain": {"1h": 0.4},
}


def test_every_documented_field_finds_its_place() -> None:
    assert read_weather(METRIC, BERGEN, "live").model_dump(exclude_none=True) == {
        "source": "openweathermap",
        "mode": "live",
        "region": "Bergen",
        "timestamp": datetime(2022, 2, 26, 15, 22, 56, tzinfo=UTC),
        "temperature_c": 5.98,
        "feels_like_c": 3.29,
        "dew_point_c": -0.27,
        "pressure_hpa": 1029,
        "humidity_pct": 64,
        "clouds_pct": 0,
        "uvi": 0.06,
        "visibility_m": 10000,
        "wind_speed_ms": 3.6,
        "wind_gust_ms": 6,
        "wind_deg": 340,
        "rain_mm": 0.4,
        "condition": "Clear",
        "description": "clear sky",
        "icon": "01d",
        "sunrise": datetime(2022, 2, 26, 5, 29, 21, tzinfo=UTC),
        "sunset": datetime(2022, 2, 26, 16, 8, 47, tzinfo=UTC),
        "location": {"lat": 60.3913, "lon": 5.3221},
    }


def test_kelvin_never_leaks() -> None:
    with pytest.raises(ValueError, match=r"temp \(temperature_c\): read 279.13"):
        read_weather(DOCUMENTED, BERGEN, "live")


def test_a_body_of_the_older_api_is_refused_by_name() -> None:
    old = orjson.loads((DATA / "owm_2.5_weather_current.json").read_bytes())
    with pytest.raises(ValueError, match=r"temp \(temperature_c\): is missing"):
        read_weather(old, BERGEN, "live")


@pytest.mark.parametrize("name", sorted(set(METRIC) - {"dt", "temp"}))
def test_a_field_that_did_not_occur_is_absent(name: str) -> None:
    record = {field: value for field, value in METRIC.items() if field != name}
    assert len(read_weather(record, BERGEN, "live").model_fields_set) < len(
        read_weather(METRIC, BERGEN, "live").model_fields_set
    )


@pytest.mark.parametrize("name", sorted(METRIC))
@pytest.mark.parametrize("value", [None, "12", True, [], {}, [None], {"1h": None}, {"1h": "2"}, -1e9])
def test_a_null_or_wrong_value_is_refused_with_the_fields_name(name: str, value: object) -> None:
    if name == "weather" and value == [None]:
        expected = "weather.0"
    elif name == "rain" and value == {}:
        expected = "rain.1h"
    else:
        expected = name
    if name in ("dt", "sunrise", "sunset") and value == -1e9:
        expected = f"{name}: read"
    with pytest.raises(ValueError, match=expected):
        read_weather(METRIC | {name: value}, BERGEN, "live")


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just("1h"), inner, max_size=3),
    max_leaves=6,
)


@given(data=st.data())
def test_a_mutated_record_is_a_reading_or_a_value_error_with_a_reason(data: st.DataObject) -> None:
    record = deepcopy(METRIC)
    for name in data.draw(st.lists(st.sampled_from(sorted(METRIC)), min_size=1, max_size=4, unique=True)):
        if data.draw(st.booleans()):
            record[name] = data.draw(JUNK)
        else:
            del record[name]
    reason = None
    try:
        reading = read_weather(record, BERGEN, "live")
    except ValueError as error:
        reason = str(error)
    if reason is None:
        assert Weather.model_validate_json(reading.model_dump_json(exclude_none=True)) == reading
    else:
        assert 0 < len(reason) < 4000
