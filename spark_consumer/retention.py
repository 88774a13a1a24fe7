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
from spark_consumer.sums import market, production

EVERY = timedelta(days=1)
PREDICTIONS = timedelta(days=30)
MARKET_SUMS = timedelta(days=800)
PRODUCTION_SUMS = timedelta(days=4000)
"""As long as Elasticsearch's, which are made again from these: years are compared, the recorded one of 2021 too."""

log = logging.getLogger(__name__)


def remove_expired(database: "Database[Document]", streams: Mapping[str, Stream], now: datetime) -> int:
    """Removes readings that arrived more than the stream's ``mongodb_days`` ago, predictions and forecast errors of
    30 days ago, totals of meters as old as their readings, and sums of the market and of production.

    Gives the number removed. `now` is aware UTC.
    """
    kept = {name: timedelta(days=stream.config.mongodb_days) for name, stream in streams.items()}
    old: list[tuple[str, Document]] = [
        (stream.collection, {"arrived_at": {"$lt": now - kept[name]}}) for name, stream in streams.items()
    ]
    old += [
        ("predictions", {"timestamp": {"$lt": now - PREDICTIONS}}),
        ("forecast_errors", {"until": {"$lt": now - PREDICTIONS}}),
        (market.COLLECTION, {"timestamp": {"$lt": now - MARKET_SUMS}}),
        (production.COLLECTION, {"timestamp": {"$lt": now - PRODUCTION_SUMS}}),
    ]
    if "meter" in kept:
        old.append(("meter_totals", {"timestamp": {"$lt": now - kept["meter"]}}))
    removed = sum(database[collection].delete_many(which).deleted_count for collection, which in old)
    if removed:
        log.info("removed what was kept long enough", extra={"documents": removed})
    return removed
