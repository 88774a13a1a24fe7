"""Forecasts of the weather: which places are due, their history to the forecaster, its answer to both stores.

A place is due when its newest reading lies in a later hour than its last forecast was issued. What is newest and what
was issued is read from the stores at the start and kept up from the batches, so a forecaster that was down, or a
consumer that was killed, leaves nothing to be remembered: the next round makes it up. ``issued_at`` is the time of
the newest reading that a forecast was made from, so that a forecast made twice is written once.
"""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import requests
from elasticsearch import Elasticsearch
from pymongo import UpdateOne
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from readings.reading import reading_key
from readings.settings import Settings
from readings.stream import Stream
from spark_consumer.documents import Document
from spark_consumer.sinks import elasticsearch, mongodb

HISTORY = timedelta(days=29)
"""The forecaster takes 28 days, and fewer where the first of them is not whole."""
CONCURRENT_CALLS = 4
TIMEOUT_S = 30

log = logging.getLogger(__name__)


class ForecasterDown(Exception):
    """The forecaster cannot be reached, or answers with an error of its own."""


@dataclass(frozen=True)
class Due:
    """A place whose forecast is to be made, from its reading at `issued_at`."""

    region: str
    issued_at: datetime


class Forecasts:
    """Makes the forecasts that are due, in one thread; the batches tell of new readings from another."""

    def __init__(self, settings: Settings, stream: Stream, database: "Database[Document]", view: Elasticsearch) -> None:
        self._url = f"{settings.forecaster_address}/predict/"
        self._prefix = settings.prefix
        self._readings = database[stream.collection]
        self._predictions = database["predictions"]
        self._elasticsearch = view
        self._session = requests.Session()
        self._lock = threading.Lock()
        self._last: dict[str, datetime] = {}
        self._issued: dict[str, datetime] = {}

    def restore(self) -> None:
        """Reads from MongoDB what is newest and what was issued, by place."""
        for region in self._readings.distinct("region"):
            self.note(region, self._newest(self._readings, region, "timestamp"))
            if self._predictions.find_one({"region": region}):
                self._issued[region] = self._newest(self._predictions, region, "issued_at")

    def note(self, region: str, newest: datetime) -> None:
        """Tells of a reading of a place. Any thread may."""
        with self._lock:
            self._last[region] = max(newest, self._last.get(region, newest))

    def newest(self) -> dict[str, datetime]:
        """The time of each place's newest reading."""
        with self._lock:
            return dict(self._last)

    def make_due(self) -> int:
        """Makes the forecasts that are due and gives their number. Raises ForecasterDown, and what the stores raise."""
        with self._lock:
            due = [Due(region, newest) for region, newest in self._last.items() if self._is_due(region, newest)]
        if not due:
            return 0
        with ThreadPoolExecutor(CONCURRENT_CALLS, thread_name_prefix="forecast") as calls:
            answers = list(calls.map(self._ask, due))
        documents = [document for answer in answers for document in answer]
        if documents:
            self._write(documents)
        self._issued |= {one.region: one.issued_at for one in due}
        return sum(bool(answer) for answer in answers)

    def _is_due(self, region: str, newest: datetime) -> bool:
        return region not in self._issued or _hour(newest) > _hour(self._issued[region])

    def _newest(self, collection: "Collection[Document]", region: str, field: str) -> datetime:
        found = collection.find_one({"region": region}, {field: 1}, sort=[(field, -1)])
        newest: datetime = found[field] if found else datetime.min.replace(tzinfo=UTC)
        return newest

    def _ask(self, due: Due) -> list[Document]:
        history = list(
            self._readings.find(
                {"region": due.region, "timestamp": {"$gt": due.issued_at - HISTORY, "$lte": due.issued_at}},
                {"timestamp": 1, "temperature_c": 1, "location": 1},
            ).sort("timestamp", 1)
        )
        if not history:  # it was removed meanwhile: what was replayed, when the place went live
            return []
        location = history[-1].get("location") or {"lat": None, "lon": None}
        hourly = {_hour(reading["timestamp"]): reading for reading in history}  # the last one of each hour
        body = {
            "latitude": location["lat"],
            "longitude": location["lon"],
            "data": [{"ds": one["timestamp"].isoformat(), "y": one["temperature_c"]} for one in hourly.values()],
        }
        try:
            answer = self._session.post(self._url, json=body, timeout=TIMEOUT_S)
        except requests.RequestException as error:
            raise ForecasterDown(f"{self._url}: {type(error).__name__}") from error
        if answer.status_code == requests.codes.unprocessable_entity:
            log.info("no forecast", extra={"stream": "weather", "series": due.region, "reason": answer.text[:500]})
            return []  # too little is known of the place: it is due again in its next hour
        if not answer.ok:
            raise ForecasterDown(f"{self._url}: answered {answer.status_code}")
        return [_document(due, one) for one in answer.json()["predictions"]]

    def _write(self, documents: list[Document]) -> None:
        """Every issue goes to Elasticsearch; the newest of each place and time to MongoDB, which is written last."""
        issues = [{**one, "_id": f"{one['_id']}|{one['issued_at'].isoformat()}"} for one in documents]
        refused = elasticsearch.put(
            self._elasticsearch, issues, lambda one: f"{self._prefix}forecasts-weather-{one['timestamp']:%Y.%m}"
        )
        if refused:
            raise RuntimeError(f"Elasticsearch refused forecasts; run python -m elk.setup: {refused[0].reason}")
        newer = [
            UpdateOne(
                {"_id": one["_id"], "issued_at": {"$lte": one["issued_at"]}},
                {"$set": {field: value for field, value in one.items() if field != "_id"}},
                upsert=True,
            )
            for one in documents
        ]
        try:
            self._predictions.bulk_write(newer, ordered=False)
        except BulkWriteError as error:
            mongodb.duplicates(error, documents)  # a duplicate is a newer issue that stands there already


def _document(due: Due, prediction: dict[str, Any]) -> Document:
    timestamp = datetime.fromisoformat(prediction["timestamp"]).astimezone(UTC)
    document = {
        "_id": reading_key([due.region], timestamp),
        "region": due.region,
        "timestamp": timestamp,
        "temperature_c": prediction["temperature"],
        "issued_at": due.issued_at,
        "horizon_h": ceil((timestamp - due.issued_at) / timedelta(hours=1)),
    }
    for bound in ("lower", "upper"):
        if prediction.get(bound) is not None:
            document[f"{bound}_c"] = prediction[bound]
    return document


def _hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)
