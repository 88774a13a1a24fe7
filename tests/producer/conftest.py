from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bson
import orjson
import pytest

from producer.cursor import UnkeptCursor
from producer.errors import Stopped
from producer.messages import Message
from readings.config import load_config
from readings.stream import MODELS, Stream

ROOT = Path(__file__).resolve().parent.parent.parent
NOW = datetime(2026, 11, 24, 12, 34, 20, tzinfo=UTC)


class TurnedClock:
    """A clock that stands still but for waiting, and ends the process at `end`."""

    def __init__(self, now: datetime = NOW, end: datetime | None = None) -> None:
        self.time = now
        self.end = end

    def now(self) -> datetime:
        return self.time

    def wait_until(self, instant: datetime) -> None:
        if self.end is not None and instant > self.end:
            raise Stopped("the test's time is over")
        self.time = max(self.time, instant)


class Kept:
    """Where messages go, with the time at which they were sent."""

    def __init__(self, clock: TurnedClock) -> None:
        self._clock = clock
        self.messages: list[tuple[datetime, Message]] = []

    def publish(self, messages: Sequence[Message]) -> None:
        self.messages += [(self._clock.now(), message) for message in messages]

    def readings(self, topic: str = "openweathermap") -> Iterator[tuple[datetime, dict[str, Any]]]:
        for at, message in self.messages:
            if message.topic == topic:
                yield at, orjson.loads(message.value)


class MeasuredCursor(UnkeptCursor):
    """A cursor that knows how large it was: it is one document of MongoDB, which takes 16 MB."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = 0
        self.saved = b""
        """What MongoDB has of it."""

    def move(self, until: Mapping[str, datetime]) -> None:
        super().move(until)
        self.largest = max(self.largest, len(bson.encode({"facts": self.facts})))
        self.saved = bson.encode({"facts": self.facts, "until": self.until})


class Heard:
    """What a feed says of itself."""

    def __init__(self) -> None:
        self.state = "running"
        self.why: str | None = None
        self.counts: dict[str, float] = {}

    def running(self) -> None:
        self.state, self.why = "running", None

    def waiting(self, what: str) -> None:
        self.state, self.why = "waiting", what

    def failed(self, why: str) -> None:
        self.state, self.why = "failed", why

    def count(self, **counts: float) -> None:
        for name, number in counts.items():
            self.counts[name] = self.counts.get(name, 0) + number


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def kept(clock: TurnedClock) -> Kept:
    return Kept(clock)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture(scope="session")
def weather() -> Stream:
    return Stream("weather", MODELS["weather"], load_config(ROOT / "skywatt.yml").streams["weather"], "")


def write_recording(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """A recording of weather with the columns of its first row."""
    names = list(rows[0])
    lines = [",".join(names)] + [",".join(str(row[name]) for name in names) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def hourly(region: str, first: datetime, hours: int, start_c: float = 0.0) -> list[dict[str, object]]:
    """One reading an hour, each a degree warmer."""
    return [
        {"region": region, "timestamp": (first + timedelta(hours=hour)).isoformat(), "temperature_c": start_c + hour}
        for hour in range(hours)
    ]
