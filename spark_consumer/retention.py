"""How long MongoDB keeps what: looked after once a day, by the arrival of a reading.

Not by TTL indexes: the local server walks whole collections for them every minute, under its one lock. By arrival and
not by event time, so that a year fetched for the past is not removed as it comes.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from pymongo.database import Database

from readings.connections import Document
from readings.stream import Stream

EVERY = timedelta(days=1)
PREDICTIONS = timedelta(days=30)

log = logging.getLogger(__name__)


def remove_expired(database: "Database[Document]", streams: Mapping[str, Stream], now: datetime) -> int:
    """Removes readings that arrived more than the stream's ``mongodb_days`` ago, predictions and forecast
    errors of 30 days ago, and totals of meters as old as their readings.

    Gives the number removed. `now` is aware UTC.
    """
    filters = {
        stream.collection: {"arrived_at": {"$lt": now - timedelta(days=stream.config.mongodb_days)}}
        for stream in streams.values()
    }
    filters["predictions"] = {"timestamp": {"$lt": now - PREDICTIONS}}
    filters["forecast_errors"] = {"until": {"$lt": now - PREDICTIONS}}
    if meter := streams.get("meter"):
        filters["meter_totals"] = {"timestamp": {"$lt": now - timedelta(days=meter.config.mongodb_days)}}
    removed = sum(database[collection].delete_many(which).deleted_count for collection, which in filters.items())
    if removed:
        log.info("removed what was kept long enough", extra={"documents": removed})
    return removed
