"""The meter stream: what an electricity meter shows, an ever growing total."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from readings.reading import Instant, Name, Reading

Kilowatthours = Annotated[float, Field(ge=0, le=1_000_000_000, json_schema_extra={"unit": "kWh"})]


class Meter(Reading):
    """A meter's register at an instant. Meters start at different values; what was used is the difference of two."""

    series_fields: ClassVar[tuple[str, ...]] = ("sensor_id",)

    sensor_id: Name = Field(description="the meter")
    timestamp: Instant = Field(description="when it was read")
    energy_kwh: Kilowatthours = Field(description="energy since the meter was installed")
    repeated_hour: Literal[True] | None = Field(
        None,
        description="its local time came twice that day without saying which: the lower energy is the earlier",
    )
