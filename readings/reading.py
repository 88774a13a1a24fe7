"""What every reading has, whatever its stream."""

import functools
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
)

Mode = Literal["live", "backfill", "replay"]


def _utc_milliseconds(instant: datetime) -> datetime:
    try:
        utc = instant.astimezone(UTC)
    except OverflowError:
        raise ValueError("in UTC it is before the year 1 or after 9999") from None
    beyond = utc.microsecond % 1000
    return utc.replace(microsecond=utc.microsecond - beyond) if beyond else utc


Instant = Annotated[AwareDatetime, AfterValidator(_utc_milliseconds)]
"""ISO-8601 with an offset on the wire, aware UTC in Python, cut to the milliseconds that both stores keep."""

Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f|]+$"),
]
"""A series' name: part of the reading's `_id`, so no control characters and no ``|``."""

Text = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Reading(BaseModel):
    """One row of a stream: a series at an event time.

    Types are strict (a string is no number) and unknown fields are refused, so that what a
    producer misspelt becomes a dead letter with a reason and is not lost without a word.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    series_fields: ClassVar[tuple[str, ...]]
    """The fields that together name the series."""
    time_field: ClassVar[str] = "timestamp"
    """The field that holds the event time."""
    interval: ClassVar[timedelta] = timedelta(0)
    """For an interval reading, its length: its delay counts from its end."""

    source: Name = Field(description="where the reading comes from: an API, a file, a broker")
    mode: Mode = Field(
        "live",
        description="live, backfill (fetched for the past) or replay (recorded times kept)",
    )

    @property
    def event_time(self) -> datetime:
        """When the reading was true (an interval's start), aware UTC."""
        instant: datetime = getattr(self, self.time_field)
        return instant

    @property
    def series(self) -> str:
        """The series' name, e.g. ``Bergen`` or ``NO5/hydro``."""
        return "/".join(self._names)

    @property
    def key(self) -> str:
        """The reading's ``_id`` in both stores: its series and event time, e.g. ``Bergen|2026-11-24T03:00:00Z``."""
        return reading_key(self._names, self.event_time)

    @property
    def values(self) -> dict[str, Any]:
        """The fields that are there, as they are stored: as `model_dump(exclude_none=True)`, in a third of its time."""
        found = {name: value for name, value in vars(self).items() if value is not None}
        for name in _nested(type(self)):
            if name in found:
                found[name] = found[name].model_dump(exclude_none=True)
        return found

    @property
    def _names(self) -> list[str]:
        fields = vars(self)
        return [fields[name] for name in self.series_fields]


def reading_key(series: list[str], event_time: datetime) -> str:
    """The ``_id`` of the reading of a series (one part a series field) at an aware event time."""
    instant = event_time.astimezone(UTC).isoformat()
    return f"{'|'.join(series)}|{instant.removesuffix('+00:00')}Z"


@functools.cache
def _nested(model: type[Reading]) -> tuple[str, ...]:
    """The fields that hold a model of their own."""
    kinds = {name: get_args(field.annotation) or (field.annotation,) for name, field in model.model_fields.items()}
    return tuple(name for name, any_of in kinds.items() if any(_is_model(kind) for kind in any_of))


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
