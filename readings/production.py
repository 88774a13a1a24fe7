"""The production stream: what a group of power plants in a Norwegian price area fed in, one reading an hour.

Fields follow Elhub's Energy Data API, dataset ``PRODUCTION_PER_GROUP_MBA_HOUR`` (``productionPerGroupMbaHour``).
"""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field

from readings.reading import Instant, Reading

PriceArea = Literal["NO1", "NO2", "NO3", "NO4", "NO5"]
ProductionGroup = Literal["hydro", "other", "solar", "thermal", "wind"]


class Production(Reading):
    """The energy that a production group of a price area fed in from ``start_time`` for an hour."""

    series_fields: ClassVar[tuple[str, ...]] = ("price_area", "production_group")
    time_field: ClassVar[str] = "start_time"
    interval: ClassVar[timedelta] = timedelta(hours=1)

    price_area: PriceArea = Field(description="bidding zone")
    production_group: ProductionGroup
    start_time: Instant = Field(description="when the hour began")
    quantity_kwh: Annotated[float, Field(ge=0, le=100_000_000, json_schema_extra={"unit": "kWh"})] = Field(
        description="energy of the hour"
    )


class ProductionFacts(BaseModel):
    """What the consumer stores beside an hour: Elhub revises for about two weeks."""

    first_seen_at: datetime = Field(description="when the hour's first value arrived")
    previous_kwh: float | None = Field(
        None, description="the value before the last revision", json_schema_extra={"unit": "kWh"}
    )
