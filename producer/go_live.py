"""``python -m producer go-live STREAM``: what the replay wrote is removed, and the live source is declared.

The order matters: first the declaration changes, which ends a replay that still plays before its next reading, then
what is in the stores is removed, again and again until the consumer has read all that is in Kafka and nothing came.
Totals are the consumer's, which may be working them out meanwhile: it is asked to begin them anew (`readings.anew`).
"""

import functools
import logging
from dataclasses import asdict, dataclass
from datetime import timedelta

from elasticsearch import Elasticsearch
from pymongo.database import Database

from producer.archive import ARCHIVE
from producer.clock import Clock
from producer.cursor import forget
from producer.errors import NotRead
from producer.feed import cursor_name
from producer.replay import INTERPOLATED, SOURCE
from producer.sources import LIVE, check_sources, chosen_source, missing_variables
from producer.unread import check_consumer, topic_ends, wait_until_read
from readings import anew
from readings.connections import Document
from readings.declared import declare, declared, hand_on, withdraw
from readings.errors import ConfigError
from readings.settings import Settings
from readings.stored import remove_from_view
from readings.stream import Stream

REPLAYED = [SOURCE, INTERPOLATED]
ON_THE_WAY = timedelta(seconds=5)
"""How long a replay may take to send what it has begun to; a pass so long after the last must find nothing."""
MOST_PASSES = 20

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """How much of a replay is in the stores."""

    mongodb_readings: int
    elasticsearch_readings: int
    predictions: int
    forecasts: int

    def __bool__(self) -> bool:
        return any(asdict(self).values())

    def __add__(self, other: "Found") -> "Found":
        return Found(
            *(mine + theirs for mine, theirs in zip(asdict(self).values(), asdict(other).values(), strict=True))
        )

    def __str__(self) -> str:
        return (
            f"{self.mongodb_readings} readings in MongoDB, {self.elasticsearch_readings} in Elasticsearch, "
            f"{self.predictions} predictions and {self.forecasts} forecasts made from them"
        )


class Replayed:
    """What the replay of one stream wrote."""

    def __init__(self, settings: Settings, stream: Stream, database: "Database[Document]", view: Elasticsearch) -> None:
        self._stream = stream
        self._database = database
        self._view = view
        self._readings_query = {"terms": {"source": REPLAYED}}
        self._known = known = declared(database, stream)
        """As it is before it changes."""
        self.live_since = None if known.source == SOURCE else known.since
        """Forecasts that were issued from then on were made from live readings."""
        self._is_forecast = stream.name == "weather"
        self._forecast_indices = f"{settings.prefix}forecasts-weather-*"

    def series(self) -> set[str]:
        """The names of the series that were replayed."""
        readings = self._database[self._stream.collection]
        return {
            *(self._known.series if self._known.source == SOURCE else ()),
            *readings.distinct("series", {"source": {"$in": REPLAYED}}),
        }

    def find(self) -> Found:
        """Counts it."""
        readings = self._database[self._stream.collection]
        return Found(
            readings.count_documents({"source": {"$in": REPLAYED}}),
            self._count(f"{self._stream.index_prefix}*", self._readings_query),
            self._database["predictions"].count_documents(self._predictions_query()) if self._is_forecast else 0,
            self._count(self._forecast_indices, self._forecasts_query()) if self._is_forecast else 0,
        )

    def remove(self) -> Found:
        """Removes it, and gives how much it was."""
        readings = self._database[self._stream.collection].delete_many({"source": {"$in": REPLAYED}})
        predictions = (
            self._database["predictions"].delete_many(self._predictions_query()) if self._is_forecast else None
        )
        return Found(
            readings.deleted_count,
            remove_from_view(self._view, f"{self._stream.index_prefix}*", self._readings_query),
            predictions.deleted_count if predictions else 0,
            remove_from_view(self._view, self._forecast_indices, self._forecasts_query()) if self._is_forecast else 0,
        )

    def _predictions_query(self) -> Document:
        """Where the stream is live already, those that were issued before, of all places but those that others fed."""
        if self.live_since is None:
            return {"region": {"$in": list(self._known.series)}}
        return {"issued_at": {"$lt": self.live_since}, "region": {"$nin": self._fed_by_others}}

    def _forecasts_query(self) -> Document:
        if self.live_since is None:
            return {"terms": {"region": list(self._known.series)}}
        since = {"range": {"issued_at": {"lt": self.live_since.isoformat()}}}
        return {"bool": {"filter": [since], "must_not": [{"terms": {"region": self._fed_by_others}}]}}

    @functools.cached_property
    def _fed_by_others(self) -> list[str]:
        """The places that had readings of another source before the stream was live."""
        others = {"source": {"$nin": REPLAYED}, "arrived_at": {"$lt": self.live_since}}
        return list(self._database[self._stream.collection].distinct("series", others))

    def _count(self, indices: str, query: Document) -> int:
        self._view.indices.refresh(index=indices)
        return int(self._view.count(index=indices, query=query)["count"])


def change_over(
    settings: Settings, stream: Stream, database: "Database[Document]", view: Elasticsearch, clock: Clock
) -> Found:
    """Declares the live source, removes what the replay wrote until nothing comes any more, asks for totals anew.

    Raises NotRead where the consumer does not run, before anything is changed, or has not read in time what waits in
    Kafka: then this is to be called again.
    """
    check_consumer(database, clock.now())
    replayed = Replayed(settings, stream, database, view)
    source = check_live(stream, settings)
    if stream.name in anew.STREAMS:
        anew.note(database, stream.name, replayed.series())
    series, cadence = LIVE[source].declaration(stream, settings)
    if replayed.live_since is None:
        withdraw(database, stream)
    else:
        hand_on(database, stream, source)
    declare(database, stream, source, series, cadence)
    forget(database, cursor_name(SOURCE, stream))
    forget(database, cursor_name(ARCHIVE, stream))
    removed = replayed.remove()
    for _ in range(MOST_PASSES):
        clock.wait_until(clock.now() + ON_THE_WAY)
        try:
            wait_until_read(database, stream.topic, topic_ends(settings, stream.topic), clock)
        except NotRead as error:
            again = f"{stream.name} is declared live, and some of the replay may come yet: call go-live again"
            raise NotRead(f"{error}\n  → {again}") from error
        more = replayed.remove()
        removed += more
        if not more:
            break
        log.info("more of the replay came from Kafka and was removed: %s", more, extra={"stream": stream.name})
    anew.ask(database, stream.name, REPLAYED, clock.now())
    return removed


def check_live(stream: Stream, settings: Settings) -> str:
    """The source that feeds the stream when it is live. Raises ConfigError where a variable is lacking."""
    check_sources(stream)
    source = chosen_source(stream, settings)
    if source is None:
        missing = missing_variables(stream, settings)
        raise ConfigError(f"{missing}: is not set; {stream.name} can go live when it is (in .env or the environment)")
    return source


def check_variables(stream: Stream, source: str, settings: Settings) -> None:
    """Raises ConfigError where a variable is lacking that a source needs."""
    missing = LIVE[source].missing(settings)
    if missing is not None:
        raise ConfigError(f"{missing}: is not set, expected it for {source}, which feeds {stream.name}")
