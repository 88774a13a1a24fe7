"""The sums that are due, worked out from what is stored and written to both stores."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from elasticsearch import Elasticsearch
from pymongo.database import Database

from readings import anew
from readings.stored import remove_from_view
from readings.stream import Stream
from spark_consumer.sinks import elasticsearch, mongodb
from spark_consumer.sums import due, market, production
from spark_consumer.sums.due import Document

MOST_AT_ONCE = 288
"""Sums of a stream in a round: a day of five minutes."""

WorkedOut = tuple[str, str, Callable[["Database[Document]", str, list[str]], list[Document]]]
SUMS: Mapping[str, WorkedOut] = {
    "production": (production.COLLECTION, "totals-production", production.sums),
    "facility": (market.COLLECTION, "totals-market", market.fuel_sums),
    "market": (market.COLLECTION, "totals-market", market.region_sums),
}
"""By stream: the collection, the index's name, and how documents are made of the sums that are due."""
ALL_OF: Mapping[str, tuple[Document, Document]] = {
    "production": ({}, {"match_all": {}}),
    "facility": ({"fuel_group": {"$exists": True}}, {"exists": {"field": "fuel_group"}}),
    "market": ({"fuel_group": {"$exists": False}}, {"bool": {"must_not": {"exists": {"field": "fuel_group"}}}}),
}
"""By stream: what asks MongoDB and Elasticsearch for all its sums."""

log = logging.getLogger(__name__)


class Round(NamedTuple):
    """What was done of what was due."""

    written: int
    """Sums."""
    more: bool
    """Whether of a stream so many were due that others wait."""


class Sums:
    """Works out sums, in one thread."""

    def __init__(
        self, prefix: str, streams: Mapping[str, Stream], database: "Database[Document]", view: Elasticsearch
    ) -> None:
        """`prefix` is what indices' names begin with."""
        self._prefix = prefix
        self._streams = streams
        self._database = database
        self._view = view

    def make_due(self) -> Round:
        """Works out a round of what is due. Raises what the stores raise."""
        written, more = 0, False
        for stream in SUMS.keys() & self._streams.keys():
            collection, index, worked_out = SUMS[stream]
            found = due.noted(self._database, stream, MOST_AT_ONCE)
            documents = worked_out(self._database, self._streams[stream].collection, [one.name for one in found])
            if documents:
                self._write(collection, index, documents)
            due.strike_off(self._database, found)
            written += len(documents)
            more |= len(found) == MOST_AT_ONCE
        return Round(written, more)

    def begin_anew(self) -> None:
        """Where a stream went live: removes its sums, and notes what is stored as due. Raises what the stores raise."""
        for stream in SUMS.keys() & self._streams.keys() & anew.due(self._database):
            asked = anew.asked(self._database, stream)
            log.info("the stream went live: its sums begin anew", extra={"stream": stream})
            collection, index, _ = SUMS[stream]
            in_database, in_view = ALL_OF[stream]
            self._database[collection].delete_many(in_database)
            remove_from_view(self._view, f"{self._prefix}{index}-*", in_view)
            of = self._streams[stream]
            due.note(self._database, stream, self._database[of.collection].find({}, {of.model.time_field: 1}))
            anew.done(self._database, stream, asked)

    def _write(self, collection: str, index: str, documents: list[Document]) -> None:
        def month(document: Document) -> str:
            at: datetime = document["timestamp"]
            return f"{self._prefix}{index}-{at:%Y.%m}"

        mongodb.put(self._database[collection], documents)
        refused = elasticsearch.put(self._view, documents, month)
        if refused:
            raise RuntimeError(f"Elasticsearch refused sums; run python -m elk.setup: {refused[0].reason}")
