"""Where meters' readings are read from, and their totals written to: MongoDB, and Elasticsearch to show them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice

from elasticsearch import Elasticsearch
from pymongo import DESCENDING
from pymongo.database import Database

from readings import parts
from readings.reading import reading_key
from readings.stored import as_source, find_by_id, remove_from_view
from spark_consumer.documents import Document
from spark_consumer.meters.register import Point
from spark_consumer.meters.state import KEPT_MS, REPEATED_MS, Meters, MeterState, Reading
from spark_consumer.meters.totals import Row
from spark_consumer.sinks import elasticsearch, mongodb
from spark_consumer.waiting import until_answered

Documents = dict[str, Document]
"""By ``_id``."""
COLLECTION = "meter_totals"
FIELDS = {"timestamp": 1, "energy_kwh": 1, "kafka": 1}
TOGETHER = 1000
"""Totals written in one call: a transaction of the local MongoDB-wire server."""
READINGS_BEFORE = 12
"""So many readings before a month tell where a meter's register was when it began."""


class MeterStore:
    """A meter's readings and totals in both stores."""

    def __init__(self, database: "Database[Document]", readings: str, view: Elasticsearch, prefix: str) -> None:
        """`readings` is the collection of the stream, `prefix` what indices' names begin with."""
        self._readings = database[readings]
        self._totals = database[COLLECTION]
        self._view = view
        self._prefix = prefix

    def tell_gone_through(self, query: str, messages: int) -> None:
        """Tells in the consumer's heartbeat that so many messages were gone through."""
        until_answered(parts.add_gone_through)(self._totals.database, parts.CONSUMER, query, messages)

    def begun(self, meters: Meters, sensor: str, first_ms: int, before: Reading | None = None) -> MeterState:
        """The state of a meter from what is stored of it, ready for readings from `first_ms` on.

        It reaches back over the whole month of the last reading before those that a state keeps. With `before`, only
        what the messages before that reading's said is read: what it and those after it say is still to be counted.
        """
        earlier = self._before(sensor, first_ms - KEPT_MS, 1, before)
        since_ms = meters.calendar.month_start_ms(earlier[0].at_ms if earlier else first_ms - KEPT_MS)
        found = self._readings.find({"sensor_id": sensor, "timestamp": {"$gte": _instant(since_ms)}}, FIELDS)
        stored = [_point(document) for document in found.sort("timestamp", 1) if _is_before(document, before)]
        return meters.begun([*self._before(sensor, since_ms, READINGS_BEFORE, before), *stored], since_ms)

    def counted_until(self, meters: Meters, sensor: str, state: MeterState, first_ms: int) -> int:
        """Until when a meter's totals are there, before its first reading; where there are none, the state's beginning.

        A state that is new knows neither which readings were never counted, nor with which values others were.
        Of a meter that is new itself there is nothing. It is asked for day by day: for a span of names or days the
        local server would go through all totals there are.
        """
        if not len(state.at_ms):
            return state.since_ms - 1
        for day in reversed(meters.calendar.days(state.since_ms, first_ms)):
            found = self._totals.find_one(
                {"day": day.name, "sensor_id": sensor, "timestamp": {"$lte": _instant(first_ms)}},
                sort=[("timestamp", DESCENDING)],
            )
            if found:
                until: datetime = found["until"]
                return round(until.timestamp() * 1000)
        return state.since_ms - 1

    def counted_again(self, meters: Meters, sensor: str, oldest_ms: int) -> dict[int, Row]:
        """The totals that a reading of that time may change, from what is stored: all from there to the newest reading.

        For what comes after its month may change, too: shares of a day and a month that began between it and the next
        reading, and a base that moves.
        """
        state = self.begun(meters, sensor, oldest_ms)
        until_ms = oldest_ms if state.newest_ms is None else state.newest_ms
        return meters.rows(state, meters.settled_before(state, oldest_ms), until_ms)

    def lacks(self, sensor: str, readings: Iterable[Reading]) -> bool:
        """Whether one of the readings is not stored yet, in the form of its message or of a later one's."""
        readings = list(readings)
        ids = [_id for one in readings for _id in _ids(sensor, one)]
        found = {document["_id"]: document for document in find_by_id(self._readings, ids)}
        stored = ([found[_id] for _id in _ids(sensor, one) if _id in found] for one in readings)
        return not all(
            any(_place(document) >= one.place or document["energy_kwh"] == one.kwh for document in documents)
            for one, documents in zip(readings, stored, strict=True)
        )

    def put(self, documents: list[Document]) -> None:
        """Writes totals to both stores, over those of the same meter and mark; returns when both have acknowledged.

        Bit by bit: a month that is counted again keeps nobody waiting who writes or asks meanwhile.
        """
        for start in range(0, len(documents), TOGETHER):
            some = documents[start : start + TOGETHER]
            until_answered(mongodb.put)(self._totals, some)
            refused = until_answered(elasticsearch.put)(self._view, some, self._index)
            if refused:
                raise RuntimeError(f"Elasticsearch refused meter totals; run python -m elk.setup: {refused[0].reason}")

    def remove(self, sensors: Iterable[str]) -> None:
        """Removes all totals of those meters from both stores."""
        wanted = list(sensors)
        self._totals.delete_many({"sensor_id": {"$in": wanted}})
        remove_from_view(self._view, f"{self._prefix}totals-meter-*", {"terms": {"sensor_id": wanted}})

    def put_changed(self, documents: list[Document]) -> None:
        """As `put`, but of the totals those alone that one of the stores does not have as they are."""
        for start in range(0, len(documents), TOGETHER):
            some = documents[start : start + TOGETHER]
            stored = until_answered(self._stored)([one["_id"] for one in some])
            shown = until_answered(elasticsearch.sources)(self._view, some, self._index)
            self.put([one for one in some if one != stored.get(one["_id"]) or as_source(one) != shown.get(one["_id"])])

    def _stored(self, ids: list[str]) -> Documents:
        return {document["_id"]: document for document in find_by_id(self._totals, ids)}

    def _before(self, sensor: str, at_ms: int, number: int, before: Reading | None) -> list[Point]:
        """The last readings before an instant, in the order of time."""
        found = self._readings.find({"sensor_id": sensor, "timestamp": {"$lt": _instant(at_ms)}}, FIELDS)
        known = (_point(document) for document in found.sort("timestamp", DESCENDING) if _is_before(document, before))
        return list(islice(known, number))[::-1]

    def _index(self, document: Document) -> str:
        return f"{self._prefix}totals-meter-{document['timestamp']:%Y.%m}"


def documents_of(sensor: str, rows: Mapping[int, Row]) -> list[Document]:
    """The documents of a meter's totals."""
    return [{"_id": reading_key([sensor], row["timestamp"]), "sensor_id": sensor, **row} for row in rows.values()]


def _point(document: Document) -> Point:
    return Point(round(document["timestamp"].timestamp() * 1000), document["energy_kwh"])


def _ids(sensor: str, reading: Reading) -> list[str]:
    """Under which ``_id`` it may be stored."""
    times = [reading.at_ms, reading.at_ms + REPEATED_MS] if reading.repeated_hour else [reading.at_ms]
    return [reading_key([sensor], _instant(at_ms)) for at_ms in times]


def _place(document: Document) -> tuple[int, int, int]:
    kafka = document["kafka"]
    return round(kafka["arrived_at"].timestamp() * 1000), kafka["partition"], kafka["offset"]


def _is_before(document: Document, reading: Reading | None) -> bool:
    return reading is None or _place(document) < reading.place


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
