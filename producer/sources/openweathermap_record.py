"""A One Call 3.0 record (``units=metric``) as a `readings.weather.Weather`.

A field that did not occur is absent from the record and from the reading. A null, or a value of the wrong type, is no
weather: the whole record is refused, with the field's name.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from readings.config import Place
from readings.problems import reason_of, shown
from readings.reading import Mode
from readings.weather import Weather

SOURCE = "openweathermap"
FIELDS: Mapping[str, str] = {
    "temp": "temperature_c",
    "feels_like": "feels_like_c",
    "dew_point": "dew_point_c",
    "pressure": "pressure_hpa",
    "humidity": "humidity_pct",
    "clouds": "clouds_pct",
    "uvi": "uvi",
    "visibility": "visibility_m",
    "wind_speed": "wind_speed_ms",
    "wind_gust": "wind_gust_ms",
    "wind_deg": "wind_deg",
}
INSTANTS: Mapping[str, str] = {"dt": "timestamp", "sunrise": "sunrise", "sunset": "sunset"}
WORDS: Mapping[str, str] = {"main": "condition", "description": "description", "icon": "icon"}
AMOUNTS: Mapping[str, str] = {"rain": "rain_mm", "snow": "snow_mm"}
OWN_NAMES = {ours: theirs for theirs, ours in {**FIELDS, **INSTANTS}.items()}


def read_weather(record: Mapping[str, Any], place: Place, mode: Mode) -> Weather:
    """The reading of a place. Raises ValueError with what was read and what was expected."""
    fields: dict[str, Any] = {
        "source": SOURCE,
        "mode": mode,
        "region": place.name,
        "location": {"lat": place.latitude, "lon": place.longitude},
    }
    fields |= {ours: _present(theirs, record[theirs]) for theirs, ours in FIELDS.items() if theirs in record}
    fields |= {ours: _instant(theirs, record[theirs]) for theirs, ours in INSTANTS.items() if theirs in record}
    fields |= {
        ours: _present(f"{theirs}.1h", _object(theirs, record[theirs]).get("1h"))
        for theirs, ours in AMOUNTS.items()
        if theirs in record
    }
    if "weather" in record:
        conditions = record["weather"]
        if not isinstance(conditions, list) or not conditions:
            raise ValueError(f"weather: read {shown(conditions)}, expected a list with the main condition first")
        first = _object("weather.0", conditions[0])
        fields |= {
            ours: _present(f"weather.0.{theirs}", first[theirs]) for theirs, ours in WORDS.items() if theirs in first
        }
    try:
        return Weather.model_validate(fields)
    except ValidationError as error:
        raise ValueError(reason_of(error, OWN_NAMES)) from None


def _present(name: str, value: object) -> object:
    if value is None:
        raise ValueError(f"{name}: read null, expected a value, or no such field")
    return value


def _object(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name}: read {shown(value)}, expected an object")
    return value


def _instant(name: str, value: object) -> datetime:
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, UTC)
        except (ValueError, OverflowError, OSError):
            pass  # said below, like any other value that is no instant
    raise ValueError(f"{name}: read {shown(value)}, expected Unix seconds")
