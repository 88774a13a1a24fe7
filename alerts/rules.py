"""The models of ``rules.yml``: what is watched (one model a kind of rule), and when and how often it is told.

``python -m alerts.rules`` writes their JSON Schema, by which editors check the file; a test keeps it equal.
"""

import json
import re
from collections.abc import Mapping
from datetime import time, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from readings.durations import Duration
from readings.stream import Stream

SCHEMA_FILE = Path(__file__).with_name("rules.schema.json")
ALL_STREAMS = "all"
PIPELINE = "pipeline"
"""What messages call the stream of rules that watch no stream: parts and topics, dead letters of an unknown one."""

Severity = Literal["info", "warning", "critical"]
NOT_NEGATIVE = timedelta(0)
LONGEST = timedelta(days=28)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class BaseRule(_Model):
    """What every rule has."""

    name: str = Field(
        description="what messages call it; one rule, one name", pattern=r"^[^\x00-\x1f\x7f|]+$", max_length=80
    )
    stream: str = Field(ALL_STREAMS, description="a stream of skywatt.yml, or all")
    series: tuple[str, ...] = Field(
        ("*",), min_length=1, description="which series of it, with * for any text: [NO5/*, Bergen]"
    )
    severity: Severity = Field("warning", description="info, warning or critical")
    hold: Duration = Field(
        NOT_NEGATIVE,
        alias="for",
        ge=NOT_NEGATIVE,
        le=LONGEST,
        description="how long it must last before it is told",
    )
    keep_firing_for: Duration = Field(
        NOT_NEGATIVE, ge=NOT_NEGATIVE, le=LONGEST, description="how long all must be well before that is told"
    )
    repeat_interval: Duration | None = Field(
        None,
        gt=NOT_NEGATIVE,
        le=LONGEST,
        description="told again after that long, then after twice that, and so on; absent: as the file says",
    )

    def watches(self, series: str) -> bool:
        """Whether a series is among those named."""
        return any(fnmatchcase(series, pattern) for pattern in self.series)


def _window(default: timedelta, description: str) -> Any:
    return Field(default, gt=NOT_NEGATIVE, le=LONGEST, description=description)


class LateRule(BaseRule):
    """Live readings that arrived later than their stream allows."""

    kind: Literal["late"]
    window: Duration = _window(timedelta(hours=1), "how far back arrivals count")
    at_least: int = Field(1, ge=1, description="how many late readings of a series in the window it takes")
    share: FiniteFloat = Field(0, ge=0, le=1, description="and which share of the series' live readings in the window")


class SilentRule(BaseRule):
    """Declared series without a new event time for longer than cadence and allowed delay, or never seen.

    A series whose readings come, but late, is late and not silent.
    """

    kind: Literal["silent"]


class StalledRule(BaseRule):
    """The pipeline stands: a part waits, fails or is not heard of, or readings wait in Kafka and are not read."""

    kind: Literal["stalled"]
    window: Duration = _window(
        timedelta(minutes=1), "how long Kafka's offsets are compared for: in all of it readings waited"
    )
    parts: tuple[str, ...] = Field(("producer", "consumer"), description="whose heartbeats are watched")


class ThresholdRule(BaseRule):
    """A field of a series, or an aggregate of it over the window, is above or below a bound."""

    kind: Literal["threshold"]
    field: str = Field(description="a numeric field of the stream, e.g. temperature_c; or delay_s")
    above: FiniteFloat | None = Field(None, description="fires above this")
    below: FiniteFloat | None = Field(None, description="fires below this")
    aggregate: Literal["last", "min", "max", "avg", "sum"] = Field(
        "last", description="of the window's readings: the newest value, or an aggregate"
    )
    window: Duration = _window(timedelta(hours=1), "how far back event times count; none in it is no data")

    @model_validator(mode="after")
    def _bounded(self) -> "ThresholdRule":
        if self.above is None and self.below is None:
            raise ValueError("names neither above nor below, expected at least one")
        return self


class ChangeRule(BaseRule):
    """A total runs backwards, a value is stuck, or it jumps."""

    kind: Literal["change"]
    field: str = Field(description="a numeric field of the stream, e.g. energy_kwh")
    how: Literal["backwards", "stuck", "jumps"] = Field(
        description="backwards: the newest value is below the highest of the window; stuck: all values of the window "
        "are the same; jumps: the window's highest and lowest differ by more than `by`"
    )
    by: FiniteFloat = Field(0, ge=0, description="backwards and jumps: by more than this, in the field's unit")
    at_least: int = Field(3, ge=2, description="stuck: how many readings of the window it takes")
    unless: tuple[FiniteFloat, ...] = Field(
        (), description="stuck: values that may stay, e.g. [0] for solar power at night"
    )
    window: Duration = _window(timedelta(hours=1), "how far back event times count; none in it is no data")

    @model_validator(mode="after")
    def _by_how_much(self) -> "ChangeRule":
        if self.how == "jumps" and not self.by:
            raise ValueError("how is jumps and by is missing, expected by how much")
        return self


class SurpriseRule(BaseRule):
    """Readings lie outside their forecast's interval several times in a row."""

    kind: Literal["surprise"]
    stream: str = Field("weather", description="weather: the stream that has forecasts")
    times: int = Field(3, ge=2, le=24, description="how many hours in a row, the newest among them")
    horizon_h: int = Field(1, ge=1, le=48, description="which forecast is compared: made so many hours before")
    window: Duration = _window(timedelta(hours=24), "how far back hours count")

    @model_validator(mode="after")
    def _that_many_fit(self) -> "SurpriseRule":
        least_h = self.times + 2  # the newest hour that is known may be three hours old
        if self.window < timedelta(hours=least_h):
            raise ValueError(f"{self.times} times take a window of {least_h}h, for the newest hours are not known yet")
        return self


class DeadLettersRule(BaseRule):
    """More messages of a source than so many could not become readings."""

    kind: Literal["dead_letters"]
    window: Duration = _window(timedelta(hours=1), "how far back arrivals count")
    more_than: int = Field(0, ge=0, description="how many dead letters of a source in the window are borne")


class QueryRule(BaseRule):
    """So many documents answer a query of one's own."""

    kind: Literal["query"]
    stream: str = Field(PIPELINE, description="what messages file it under: a stream, or anything")
    index: str = Field(
        description="indices, e.g. service-logs-*; SKYWATT_NAMESPACE is put before it", pattern=r"^[a-z][^\s,\"/\\]*$"
    )
    query: str | dict[str, Any] = Field(description="Lucene's query syntax as text, or Elasticsearch's query DSL")
    time_field: str | None = Field(
        None,
        description="the window is of this field; absent: of @timestamp in service logs, timestamp in forecasts and "
        "totals, since in alerts, else arrived_at",
    )
    by: str | None = Field(None, description="count for each value of this field apart")
    more_than: int | None = Field(None, ge=0, description="fires with more than so many documents in the window")
    fewer_than: int | None = Field(None, ge=1, description="fires with fewer than so many documents in the window")
    window: Duration = _window(timedelta(hours=1), "how far back it looks")

    @model_validator(mode="after")
    def _one_bound(self) -> "QueryRule":
        if (self.more_than is None) == (self.fewer_than is None):
            raise ValueError("names both or neither of more_than and fewer_than, expected one of them")
        if self.by and self.fewer_than is not None:
            raise ValueError("by and fewer_than do not go together: a value that is not there cannot be counted")
        return self


Rule: TypeAlias = (
    LateRule | SilentRule | StalledRule | ThresholdRule | ChangeRule | SurpriseRule | DeadLettersRule | QueryRule
)
KINDS: Mapping[str, type[BaseRule]] = {
    "late": LateRule,
    "silent": SilentRule,
    "stalled": StalledRule,
    "threshold": ThresholdRule,
    "change": ChangeRule,
    "surprise": SurpriseRule,
    "dead_letters": DeadLettersRule,
    "query": QueryRule,
}


class Which(_Model):
    """Alerts, by what they are: all that is named must fit."""

    rule: str | None = Field(None, description="a rule's name, with * for any text")
    kind: str | None = Field(None, description="a kind of rule, with * for any text")
    stream: str | None = Field(None, description="a stream, with * for any text")
    series: str | None = Field(None, description="a series, with * for any text")
    severity: Severity | None = None

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert is meant."""
        wanted = self.model_dump(exclude_none=True)
        return all(fnmatchcase(labels[name], pattern) for name, pattern in wanted.items())


class Inhibition(_Model):
    """While one alert fires others are not told: what follows from it is no news."""

    while_: Which = Field(alias="while", description="the cause; pending and recovering count as well")
    mute: Which = Field(description="what follows from it")
    same: Literal["stream", "series"] | None = Field(None, description="only of the same stream, or the same series")


CLOCK = "^([01]?[0-9]|2[0-3]):[0-5][0-9]$"


def _clock(value: object) -> object:
    if isinstance(value, time):
        return value
    if not isinstance(value, str) or not re.match(CLOCK, value):
        raise ValueError("expected hours and minutes: '22:00'")
    hours, minutes = value.split(":")
    return time(int(hours), int(minutes))


Clock = Annotated[time, BeforeValidator(_clock), WithJsonSchema({"type": "string", "pattern": CLOCK})]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class QuietHours(_Model):
    """Hours in which less severe alerts wait; what is well again before their end is not told at all."""

    from_: Clock = Field(alias="from", description="when they begin, e.g. '22:00'")
    until: Clock = Field(description="when they end; earlier than `from` is the next morning")
    time_zone: str = Field(description="whose clock, e.g. Europe/Oslo")
    days: tuple[Day, ...] = Field(DAYS, min_length=1, description="the days they begin on")
    severities: tuple[Severity, ...] = Field(("info", "warning"), description="what waits; critical ones are told")

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is no time zone, expected a name such as Europe/Oslo") from None
        return name


class Rules(_Model):
    """The whole of a rules file."""

    rules: list[Annotated[Rule, Field(discriminator="kind")]] = Field(min_length=1, description="what is watched")
    inhibit: list[Inhibition] = Field([], description="what is not told while its cause fires")
    quiet_hours: list[QuietHours] = Field([], description="hours in which less severe alerts wait")
    group_for: Duration = Field(
        timedelta(minutes=5),
        ge=NOT_NEGATIVE,
        le=timedelta(days=1),
        description="series that begin to fire within this time share one message of their rule and stream",
    )
    repeat_interval: Duration | None = Field(
        None,
        gt=NOT_NEGATIVE,
        le=LONGEST,
        description="what still fires is told again after that long, then after twice that, and so on; absent: never",
    )
    repeat_at_most: Duration = Field(
        timedelta(days=1), gt=NOT_NEGATIVE, le=LONGEST, description="the longest time between two repeats"
    )
    messages_per_hour: int = Field(
        30, ge=1, le=3600, description="what begins to fire beyond this limit is told in one summary"
    )
    dead_man_after: Duration | None = Field(
        None,
        ge=timedelta(minutes=2),
        le=timedelta(days=7),
        description="Slack itself tells when the engine was not heard of for that long; needs a bot",
    )


READING_KINDS = ("late", "silent", "threshold", "change", "surprise")
"""Those that watch the series of streams, and nothing else."""


def watches_readings(rule: Rule) -> bool:
    """Whether a rule watches the series of streams, and nothing else."""
    return rule.kind in READING_KINDS


def rule_streams(rule: Rule, streams: Mapping[str, Stream]) -> list[Stream]:
    """The streams whose readings a rule watches; none where it watches something else."""
    if not watches_readings(rule):
        return []
    if rule.stream == ALL_STREAMS:
        return list(streams.values())
    return [streams[rule.stream]] if rule.stream in streams else []


def rests(rule: Rule, streams: Mapping[str, Stream]) -> bool:
    """Whether a rule has nothing to watch, since `skywatt.yml` has not its stream."""
    return not isinstance(rule, QueryRule) and rule.stream not in {ALL_STREAMS, *streams}


def json_schema() -> str:
    """The JSON Schema of a rules file, as `SCHEMA_FILE` holds it."""
    return json.dumps(Rules.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(json_schema())
