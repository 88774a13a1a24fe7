"""MongoDB as the dashboard reads it: never written to, and never asked without a bound.

The local server reads whatever a filter selects before it sorts or counts, so each question names a span of time that
an index serves.
"""

import functools
from dataclasses import dataclass

from pymongo.database import Database

from readings.connections import Document, connect_mongodb
from readings.settings import Settings, load_settings
from readings.stream import Stream, load_streams

TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Store:
    """Where the readings are, and what the streams are."""

    settings: Settings
    database: "Database[Document]"
    streams: dict[str, Stream]

    def has(self, *streams: str) -> bool:
        """Whether ``skywatt.yml`` has each of these streams."""
        return self.streams.keys() >= set(streams)


@functools.cache
def store() -> Store:
    """This process's store; it connects when first asked. Raises ConfigError."""
    settings = load_settings()
    database = connect_mongodb(settings, TIMEOUT_S, timeoutMS=int(2 * TIMEOUT_S * 1000))
    return Store(settings, database, load_streams(settings))
