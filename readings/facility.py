"""The facility stream: what a power station of the Australian market gives and emits, one reading each five minutes.

Fields follow OpenElectricity's API v4 (``/data/facilities``, metrics ``power`` and ``emissions``), units summed up.
"""

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from readings.reading import Instant, Name, Reading


class Facility(Reading):
    """A facility's power and emissions in the five minutes that begin at an instant, at least one of the two."""

    series_fields: ClassVar[tuple[str, ...]] = ("facility_code",)

    facility_code: Name = Field(description="the operator's code, e.g. BAYSW")
    timestamp: Instant = Field(description="the beginning of the five minutes")
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
