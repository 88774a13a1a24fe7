"""A stream: its model and its entry in ``skywatt.yml``, brought together."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import BaseModel

from readings.config import StreamConfig, load_config
from readings.errors import ConfigError
from readings.facility import Facility, FacilityFacts
from readings.market import Market
from readings.meter import Meter
from readings.production import Production, ProductionFacts
from readings.reading import Reading
from readings.settings import Settings
from readings.weather import Weather

MODELS: Mapping[str, type[Reading]] = {
    "weather": Weather,
    "production": Production,
    "meter": Meter,
    "facility": Facility,
    "market": Market,
}
"""The registry: a new stream is a model here, a module in ``spark_consumer/streams``, one in ``producer/sources``."""

FACTS: Mapping[str, type[BaseModel]] = {"production": ProductionFacts, "facility": FacilityFacts}
"""What the consumer stores beside a stream's readings, where it is more than beside all."""

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""The largest message a stream's topic takes."""

FUTURE_TOLERANCE = timedelta(minutes=5)
"""How far a reading's event time may lie ahead of its arrival."""


@dataclass(frozen=True)
class Stream:
    """One kind of reading, with the names it has in each server."""

    name: str
    model: type[Reading]
    config: StreamConfig
    namespace: str

    @property
    def topic(self) -> str:
        """The Kafka topic."""
        return self.namespace + self.config.topic

    @property
    def collection(self) -> str:
        """The MongoDB collection."""
        return self.name

    @property
    def index_prefix(self) -> str:
        """What the Elasticsearch indices' names begin with, before the month: ``readings-weather-``."""
        return f"{self.namespace}readings-{self.name}-"

    def index(self, event_time: datetime) -> str:
        """The Elasticsearch index of a reading at an aware UTC event time: ``readings-weather-2026.11``."""
        return f"{self.index_prefix}{event_time.year:04}.{event_time.month:02}"

    def names_of(self, series: str) -> dict[str, str]:
        """The fields that together name a series, as they are stored: ``NO5/hydro`` is a price area and its group."""
        fields = self.model.series_fields
        return dict(zip(fields, series.split("/", len(fields) - 1), strict=True))

    def delay_s(self, event_time: datetime, arrived_at: datetime) -> float:
        """Arrival minus event time (for an interval: minus its end), in seconds."""
        return (arrived_at - event_time - self.model.interval).total_seconds()

    def is_late(self, mode: str, delay_s: float) -> bool:
        """Whether a reading of that mode and delay is late: only live readings can be."""
        return mode == "live" and delay_s > self.config.allowed_delay.total_seconds()

    def time_problem(self, event_time: datetime, arrived_at: datetime) -> str | None:
        """Why a reading of that event time cannot be taken, or None. Judged by its arrival, so that a replay agrees."""
        if event_time > arrived_at + FUTURE_TOLERANCE:
            return (
                f"{self.model.time_field}: read {event_time.isoformat()}, expected at most "
                f"{FUTURE_TOLERANCE.seconds // 60} minutes after its arrival at {arrived_at.isoformat()}"
            )
        if event_time < self.config.oldest_instant:
            return f"{self.model.time_field}: read {event_time.isoformat()}, expected {self.config.oldest} or later"
        return None


def load_streams(settings: Settings) -> dict[str, Stream]:
    """The streams of ``skywatt.yml`` by name. Raises ConfigError on a stream that has no model."""
    path = Path(settings.skywatt_config)
    streams = {}
    for name, config in load_config(path).streams.items():
        if name not in MODELS:
            raise ConfigError(f"{path}: streams.{name}: unknown stream, expected one of {', '.join(MODELS)}")
        streams[name] = Stream(name, MODELS[name], config, settings.prefix)
    return streams
