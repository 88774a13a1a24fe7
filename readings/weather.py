"""The weather stream: one reading a region and instant.

Field names and units follow One Call 3.0 with ``units=metric`` (OpenWeatherMap, "Timemachine");
bounds are those of weather ever measured on the ground, widened a little.
"""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from readings.reading import Instant, Name, Reading, Text

Pct = Annotated[float, Field(ge=0, le=100, json_schema_extra={"unit": "%"})]
Millimetres = Annotated[float, Field(ge=0, le=500, json_schema_extra={"unit": "mm"})]
MetresPerSecond = Annotated[float, Field(ge=0, le=150, json_schema_extra={"unit": "m/s"})]
Celsius = Annotated[float, Field(ge=-90, le=60, json_schema_extra={"unit": "°C"})]


class Location(BaseModel):
    """A point in degrees, as Elasticsearch's ``geo_point`` spells it."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    lat: float = Field(ge=-90, le=90)
    lon: float = Field(ge=-180, le=180)


class Weather(Reading):
    """What the weather was in a region at an instant. Fields that were not observed are absent."""

    series_fields: ClassVar[tuple[str, ...]] = ("region",)

    region: Name = Field(description="a place of regions.json")
    timestamp: Instant = Field(description="when it was observed")
    temperature_c: Celsius = Field(description="air temperature at 2 m")
    feels_like_c: Annotated[float, Field(ge=-120, le=90, json_schema_extra={"unit": "°C"})] | None = None
    dew_point_c: Annotated[float, Field(ge=-120, le=50, json_schema_extra={"unit": "°C"})] | None = None
    pressure_hpa: Annotated[float, Field(ge=850, le=1100, json_schema_extra={"unit": "hPa"})] | None = Field(
        None, description="pressure at sea level"
    )
    humidity_pct: Pct | None = None
    clouds_pct: Pct | None = None
    uvi: Annotated[float, Field(ge=0, le=30)] | None = Field(None, description="UV index")
    visibility_m: Annotated[float, Field(ge=0, le=100_000, json_schema_extra={"unit": "m"})] | None = None
    wind_speed_ms: MetresPerSecond | None = None
    wind_gust_ms: MetresPerSecond | None = None
    wind_deg: Annotated[float, Field(ge=0, le=360, json_schema_extra={"unit": "°"})] | None = Field(
        None, description="where the wind comes from, clockwise from north"
    )
    rain_mm: Millimetres | None = Field(None, description="rain in the last hour")
    snow_mm: Millimetres | None = Field(None, description="snow in the last hour, as water")
    condition: Text | None = Field(None, description="one word: Clear, Clouds, Rain, …")
    description: Text | None = None
    icon: Text | None = None
    sunrise: Instant | None = None
    sunset: Instant | None = None
    location: Location | None = None
