"""The market stream: price and demand of a region of the Australian market, one reading each five minutes.

Fields follow OpenElectricity's API v4 (``/market/network``, metrics ``price`` and ``demand``).
The time is AEMO's stamp as it comes, the end of the five minutes: 14:35 is 14:30 to 14:35
(docs.openelectricity.org.au/guides/curtailment).
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from readings.reading import Instant, Reading

NetworkRegion = Literal["NSW1", "QLD1", "SA1", "TAS1", "VIC1", "WEM"]


class Market(Reading):
    """A region's price and demand in the five minutes that end at an instant, at least one of the two."""

    series_fields: ClassVar[tuple[str, ...]] = ("network_region",)

    network_region: NetworkRegion = Field(description="a region of the NEM, or the WEM")
    timestamp: Instant = Field(description="the end of the five minutes")
    price_per_mwh: Annotated[float, Field(ge=-2_000, le=50_000, json_schema_extra={"unit": "AUD/MWh"})] | None = Field(
        None, description="spot price; the market's floor is -1,000 and its cap about 20,000 AUD/MWh"
    )
    demand_mw: Annotated[float, Field(ge=-5_000, le=50_000, json_schema_extra={"unit": "MW"})] | None = Field(
        None, description="demand met by the market; rooftop solar can make it negative"
    )

    @model_validator(mode="after")
    def _says_something(self) -> "Market":
        if self.price_per_mwh is None and self.demand_mw is None:
            raise ValueError("read neither price_per_mwh nor demand_mw, expected at least one")
        return self
