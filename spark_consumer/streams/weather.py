"""The further shape of weather messages: flat One Call records.

Existing producers of the topic ``openweathermap`` send arrays of One Call 3.0 timemachine answers, flattened with
``_`` between the levels (``data_dt``, ``data_temp``, ``data_weather_main``, …) and with ``lat``, ``lon``,
``region_name`` and ``timezone`` beside them. Units are One Call's metric ones.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

FIELDS: Mapping[str, str] = {
    "data_temp": "temperature_c",
    "data_feels_like": "feels_like_c",
    "data_dew_point": "dew_point_c",
    "data_pressure": "pressure_hpa",
    "data_humidity": "humidity_pct",
    "data_clouds": "clouds_pct",
    "data_uvi": "uvi",
    "data_visibility": "visibility_m",
    "data_wind_speed": "wind_speed_ms",
    "data_wind_gust": "wind_gust_ms",
    "data_wind_deg": "wind_deg",
    "data_rain_1h": "rain_mm",
    "data_snow_1h": "snow_mm",
    "data_weather_main": "condition",
    "data_weather_description": "description",
    "data_weather_icon": "icon",
}
INSTANTS: Mapping[str, str] = {"data_dt": "timestamp", "data_sunrise": "sunrise", "data_sunset": "sunset"}
SOURCE = "openweathermap"


def canonical(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A flat One Call record as a `readings.weather.Weather` spells it; any other record as it is.

    Fields that the model has no place for (``timezone``, ``data_weather_id``) are left out, nulls are absent.
    Raises ValueError on an instant that is neither Unix seconds nor ISO-8601.
    """
    if "data_dt" not in record:
        return record
    reading: dict[str, Any] = {"source": record.get("source", SOURCE), "region": record.get("region_name")}
    if "mode" in record:
        reading["mode"] = record["mode"]
    for flat, field in FIELDS.items():
        if record.get(flat) is not None:
            reading[field] = record[flat]
    for flat, field in INSTANTS.items():
        if record.get(flat) is not None:
            reading[field] = _instant(flat, record[flat])
    if record.get("lat") is not None and record.get("lon") is not None:
        reading["location"] = {"lat": record["lat"], "lon": record["lon"]}
    return reading


def _instant(field: str, value: object) -> str:
    """Unix seconds, or an ISO-8601 text whose naive times are UTC's."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC).isoformat()
        if isinstance(value, str):
            instant = datetime.fromisoformat(value)
            return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).isoformat()
    except (ValueError, OverflowError, OSError):
        pass  # said below, like any other value that is no instant
    raise ValueError(f"{field}: read {value!r}, expected Unix seconds or an ISO-8601 time")
