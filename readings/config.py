"""``skywatt.yml``: what each stream's topic, source, cadence, allowed delay, series and retention are.

Addresses and secrets are not here but in `readings.settings`.
"""

import functools
import json
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from readings.durations import Duration
from readings.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
SCHEMA_FILE = ROOT / "readings" / "skywatt.schema.json"
"""The JSON Schema of ``skywatt.yml`` for editors: ``python -m readings.config`` writes it, a test keeps it equal."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Place(_Part):
    """A place of ``regions.json``."""

    name: str = Field(description="the region's name in every reading", min_length=1, max_length=100)
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    area: str | None = Field(None, description="the energy area it belongs to, e.g. NO5 or NSW1")
    title: str | None = Field(None, description="what people call it, e.g. Bayswater", max_length=200)
    fuel_groups: tuple[str, ...] = Field((), description="what a facility runs on, the largest first, e.g. coal")
    capacity_mw: float | None = Field(None, gt=0, description="what a facility can feed in")


class StreamConfig(_Part):
    """One stream's entry under ``streams``."""

    topic: str = Field(description="its Kafka topic", pattern=r"^[a-zA-Z0-9._-]{1,200}$")
    sources: list[str] = Field(
        min_length=1, description="its live sources; the first one whose variables are set feeds it"
    )
    recording: Path | None = Field(None, description="what is replayed while the source's variables are not set")
    archive: Path | None = Field(
        None, description="recorded readings of another year, played once with their own times"
    )
    cadence: Duration = Field(description="how often each series is read")
    allowed_delay: Duration = Field(description="a live reading that arrives later than this is late")
    series: list[str] | Path = Field(description="the declared series: their names, or a file of places")
    oldest: date = Field(date(2010, 1, 1), description="readings before this day are dead letters")
    partitions: int = Field(2, ge=1, le=1000, description="of its Kafka topic, when it is made")
    kafka_days: int = Field(7, ge=1, description="days Kafka keeps a message")
    mongodb_days: int = Field(800, ge=1, description="days MongoDB keeps a reading, from its arrival")

    @functools.cached_property
    def oldest_instant(self) -> datetime:
        """`oldest` as an aware UTC instant."""
        return datetime.combine(self.oldest, time(), UTC)

    def places(self) -> list[Place]:
        """The places of the file that `series` names; none where `series` lists names."""
        if not isinstance(self.series, Path):
            return []
        path = ROOT / self.series
        try:
            return [Place.model_validate(place) for place in json.loads(path.read_text(encoding="utf-8"))]
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: expected a JSON list of places: {error}") from error

    def series_names(self) -> list[str]:
        """The names of the declared series."""
        return [place.name for place in self.places()] if isinstance(self.series, Path) else list(self.series)


LEAST_MONGODB_DAYS = {"weather": 28, "production": 65, "meter": 65, "market": 8}
"""A forecast is made of 28 days. A day's and a month's totals are worked out again from all of the month, where a
reading of it is late or revised within a month after it. A price is a spike beside those of seven days.
"""


class Config(_Part):
    """The whole of ``skywatt.yml``."""

    streams: dict[str, StreamConfig]


def load_config(path: Path) -> Config:
    """Reads and checks a ``skywatt.yml``. Raises ConfigError naming the file and key, what was read and expected."""
    try:
        read: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); SKYWATT_CONFIG names the file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not YAML: {error}") from error
    try:
        config = Config.model_validate(read)
    except ValidationError as error:
        lines = [
            f"{path}: {'.'.join(str(part) for part in problem['loc']) or 'the file'}: "
            f"{problem['msg']} (read {problem['input']!r})"
            for problem in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from error
    short = [
        f"{path}: streams.{name}.mongodb_days: read {stream.mongodb_days}, expected at least {LEAST_MONGODB_DAYS[name]}"
        ": from what is stored of so many days its sums and forecasts are worked out"
        for name, stream in config.streams.items()
        if stream.mongodb_days < LEAST_MONGODB_DAYS.get(name, 1)
    ]
    if short:
        raise ConfigError("\n".join(short))
    return config


def json_schema() -> str:
    """The JSON Schema of ``skywatt.yml``, as `SCHEMA_FILE` holds it."""
    return json.dumps(Config.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(json_schema())
