"""The facility stream: what a power station of the Australian market gives and emits, one reading each five minutes.

Fields follow OpenElectricity's API v4 (``/data/facilities``, metrics ``power`` and ``emissions``), units summed up.
The time is AEMO's stamp as it comes, the end of the five minutes: 14:35 is 14:30 to 14:35
(docs.openelectricity.org.au/guides/curtailment).
"""

from typing import Annotated, ClassVar

from pydantic import BaseModel, Field, model_validator

from readings.reading import Instant, Name, Reading
from readings.weather import Location


class Facility(Reading):
    """A facility's power and emissions in the five minutes that end at an instant, at least one of the two."""

    series_fields: ClassVar[tuple[str, ...]] = ("facility_code",)

    facility_code: Name = Field(description="the operator's code, e.g. BAYSW")
    timestamp: Instant = Field(description="the end of the five minutes")
    power_mw: Annotated[float, Field(ge=-10_000, le=10_000, json_schema_extra={"unit": "MW"})] | None = Field(
        None, description="average power, negative while a battery charges or a pump runs"
    )
    emissions_t: Annotated[float, Field(ge=0, le=10_000, json_schema_extra={"unit": "t"})] | None = Field(
        None, description="carbon dioxide equivalent emitted in the five minutes"
    )

    @model_validator(mode="after")
    def _says_something(self) -> "Facility":
        if self.power_mw is None and self.emissions_t is None:
            raise ValueError("read neither power_mw nor emissions_t, expected at least one")
        return self


class FacilityFacts(BaseModel):
    """What the consumer stores beside a facility's reading: what is known of it, and what follows."""

    facility_name: str | None = Field(None, description="what people call it")
    network_region: str | None = Field(None, description="a region of the NEM, or the WEM")
    location: Location | None = None
    fuel_group: str | None = Field(None, description="what it runs on, the largest part of it")
    fuel_groups: list[str] | None = Field(None, description="all that it runs on, the largest first")
    capacity_mw: float | None = Field(None, description="what it can feed in", json_schema_extra={"unit": "MW"})
    capacity_factor: float | None = Field(None, description="power_mw / capacity_mw; negative while a battery charges")
    intensity_t_per_mwh: float | None = Field(
        None, description="emissions per energy fed in, from 1 MW up", json_schema_extra={"unit": "t/MWh"}
    )
