"""What a rule is judged by, and what it says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.asking import BY_SERIES, Ask, Asking, Query, chunks, term, terms, within
from alerts.fields import Fields
from alerts.pipeline import Pipeline
from alerts.states import NO_DATA, Judged
from readings.declared import Declared
from readings.stream import Stream

LongAgo = dict[str, datetime | None]
"""By series, the newest event time of those without recent readings: kept between rounds, because looking for it goes
through all that is stored."""

Judgement = dict[str, Judged]
"""By series; one that is absent is well."""


@dataclass(frozen=True)
class Scene:
    """A moment of a stream."""

    now: datetime
    prefix: str
    """What index names begin with."""
    active: frozenset[str]
    """The series of which the rule has an alert."""
    pipeline: Pipeline
    fields: Fields | None = field(default=None, kw_only=True)
    """Which fields indices have; None where it is not asked for."""


@dataclass(frozen=True)
class StreamScene(Scene):
    """A moment of a stream whose readings are watched."""

    stream: Stream
    expected: Declared
    long_ago: LongAgo = field(default_factory=dict)

    @property
    def index(self) -> str:
        """All indices of the stream's readings."""
        return f"{self.stream.index_prefix}*"

    @property
    def time_field(self) -> str:
        """The field of the event time."""
        return self.stream.model.time_field

    def arrived(self, window: timedelta | None = None) -> Query:
        """What arrived in the window that ends now."""
        return within("arrived_at", self.now - window if window else None, self.now)

    def happened(self, window: timedelta) -> list[Query]:
        """What is true of the window that ends now, as far as it has arrived; an interval counts by its end."""
        since = self.now - window - self.stream.model.interval
        return [{"range": {self.time_field: {"gt": since.isoformat()}}}, self.arrived()]

    def of(self, filters: list[Query], aggs: Mapping[str, Query] | None = None) -> Ask:
        """An aggregation of the stream's readings by series."""
        return Ask(self.index, filters, BY_SERIES, aggs or {})

    def counts(self, filters: list[Query], series: frozenset[str] | set[str]) -> "Asking[dict[str, int]]":
        """How many readings there are of each of these series; those without any are absent."""
        if not series:
            return {}
        answers = yield [self.of([*filters, terms("series", page)]) for page in chunks(series)]
        return {bucket["key"]["series"]: bucket["doc_count"] for buckets in answers for bucket in buckets}

    def no_data(self, found: Judgement, filters: list[Query]) -> "Asking[Judgement]":
        """What was found, and NO_DATA of series that have an alert and no readings to be judged by."""
        unclear = self.active - found.keys()
        present = yield from self.counts(filters, unclear)
        return {**found, **{series: NO_DATA for series in unclear if series not in present}}


LIVE = term("mode", "live")
