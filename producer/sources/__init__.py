"""The live sources, one module each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from producer.feed import Feed
from producer.sources import elhub, openweathermap
from readings.errors import ConfigError
from readings.settings import Settings
from readings.stream import Stream


class Round(Protocol):
    """What came of a round."""

    @property
    def sent(self) -> int:
        """How many readings went out."""


@dataclass(frozen=True)
class Live:
    """How a stream is fed by a live source."""

    missing: Callable[[Settings], str | None]
    """The variable that must be set before it can be live."""
    declaration: Callable[[Stream, Settings], tuple[list[str], timedelta]]
    """The series that it feeds, and how often."""
    feed: Callable[[Feed, Settings, bool], None]
    """Feeds until the process ends or another source is declared; the last argument says whether it is a dry run."""
    once: Callable[[Feed, Settings, bool], Round | None]
    """One round."""


LIVE: Mapping[str, Live] = {
    "openweathermap": Live(
        openweathermap.missing, openweathermap.declaration, openweathermap.feed_live, openweathermap.feed_once
    ),
    "elhub": Live(elhub.missing, elhub.declaration, elhub.feed_live, elhub.feed_once),
}
"""By the name that ``skywatt.yml`` and the readings give as `source`."""


def live_source(stream: Stream) -> Live:
    """The live source of a stream. Raises ConfigError where ``skywatt.yml`` names one that is not known."""
    name = stream.config.source
    if name not in LIVE:
        raise ConfigError(
            f"skywatt.yml: streams.{stream.name}.source: read {name!r}, expected one of {', '.join(sorted(LIVE))}"
        )
    return LIVE[name]
