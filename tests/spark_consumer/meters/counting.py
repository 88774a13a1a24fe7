"""The query of the meters' totals without Spark and without servers: batches of one meter over stores in memory."""

import threading
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from readings.reading import reading_key
from spark_consumer.meters import query
from spark_consumer.meters.register import Point
from spark_consumer.meters.state import Meters, Reading
from spark_consumer.meters.store import MeterStore
from spark_consumer.meters.tariff import DEFAULT_FILE, Calendar, load_tariff
from spark_consumer.meters.totals import Row
from tests.spark_consumer.stand_in import View, database

CALENDAR = Calendar(load_tariff(DEFAULT_FILE))
METER = "home"


class ValueState:
    """Spark's, of one meter."""

    def __init__(self) -> None:
        self.value: Any = None

    def get(self) -> Any:
        return self.value

    def update(self, value: Any) -> None:
        self.value = value


class Counting:
    """A meter's readings as the ingest stores them and as the query counts them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, max_kw: float | None = None) -> None:
        self.meters = Meters(CALENDAR, max_kw)
        self.database, self.view = database(), View()
        view: Any = self.view
        self.store = MeterStore(self.database, "meter", view, "")
        self.sent: list[Reading] = []
        self.state: Any = ValueState()
        monkeypatch.setattr(query, "_worker", lambda: (None, self.meters, self.store))
        monkeypatch.setattr(query, "WAIT_S", 0)  # the ingest is never behind here

    def send(self, points: Iterable[tuple[datetime, float]], arrived_ms: int | None = None) -> None:
        """One batch; with an arrival its messages are sent again, having come first then."""
        fresh = []
        for at, kwh in points:
            number = len(self.sent)
            arrived = 1000 * number if arrived_ms is None else arrived_ms
            one = Reading(round(at.timestamp() * 1000), kwh, arrived, 0, number, redriven=arrived_ms is not None)
            self.sent.append(one)
            fresh.append(one)
            self.store_reading(one)
        self.count(fresh)

    def store_only(self, points: Iterable[tuple[datetime, float]]) -> None:
        """Messages that the ingest has read and the query never sees."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self, "count", lambda _: None)
            self.send(points)

    def count(self, fresh: Sequence[Reading]) -> None:
        """What the query does with a batch."""
        totals = query.count(METER, list(fresh), self.state)
        batch = pa.RecordBatch.from_pydict({"totals": [totals] if totals else []})
        for row in (row for again in query._write(iter([batch])) for row in again.to_pylist()):
            readings = query._readings(row["again"])
            query._count_again(self.store, self.meters, row["sensor_id"], readings, threading.Event())

    def totals(self) -> dict[datetime, Row]:
        """In MongoDB, by mark."""
        return {one["timestamp"]: one for one in self.database["meter_totals"].find()}

    def store_reading(self, one: Reading) -> None:
        """As the ingest does."""
        at = datetime.fromtimestamp(one.at_ms / 1000, UTC)
        _id = reading_key([METER], at)
        kafka = {
            "arrived_at": datetime.fromtimestamp(one.arrived_ms / 1000, UTC),
            "partition": one.partition,
            "offset": one.offset,
        }
        known = self.database["meter"].documents.get(_id)
        if known is None or (known["energy_kwh"] != one.kwh and _place(known) < one.place):
            document = {"_id": _id, "sensor_id": METER, "timestamp": at, "energy_kwh": one.kwh, "kafka": kafka}
            self.database["meter"].documents[_id] = document


def _place(document: Row) -> tuple[int, int, int]:
    kafka = document["kafka"]
    return round(kafka["arrived_at"].timestamp() * 1000), kafka["partition"], kafka["offset"]


def at_once(meters: Meters, readings: Iterable[Reading]) -> dict[datetime, Row]:
    """The totals of all readings as one batch, by mark: of a time the reading that arrived last counts."""
    known = {one.at_ms: one.kwh for one in sorted(readings, key=lambda one: one.place)}
    state = meters.begun([Point(at_ms, known[at_ms]) for at_ms in sorted(known)], 0)
    rows = meters.rows(state, min(known) - 1, max(known))
    return {row["timestamp"]: row for row in rows.values()}


def difference(found: dict[datetime, Row], expected: dict[datetime, Row]) -> str | None:
    """The first that is not as expected, if any."""
    if found.keys() != expected.keys():
        return f"{len(found)} marks instead of {len(expected)}"
    for mark, row in sorted(expected.items()):
        for name, value in row.items():
            got = found[mark].get(name)
            if got != value and not _equal(got, value):
                return f"{name} at {mark}: {got}, expected {value}"
        if found[mark].get("flags") != row.get("flags"):
            return f"flags at {mark}: {found[mark].get('flags')}, expected {row.get('flags')}"
    return None


def _equal(got: Any, expected: Any) -> bool:
    if isinstance(expected, float):
        return abs(got - expected) < 3e-6
    if isinstance(expected, list) and expected and isinstance(expected[0], float):
        return len(got) == len(expected) and all(map(_equal, got, expected))
    return bool(got == expected)
