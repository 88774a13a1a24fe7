"""The application: starts the queries and the forecasts, keeps them going, tells how they are."""

import json
import logging
import queue
import re
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import requests
from elasticsearch import ApiError, TransportError
from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database
from pymongo.errors import PyMongoError
from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from readings import anew
from readings.connections import Document, connect_elasticsearch, connect_mongodb, make_topics
from readings.parts import CONSUMER, INGEST, Part
from readings.settings import Settings
from readings.stream import Stream, load_streams
from spark_consumer import retention
from spark_consumer.forecast_errors import ForecastErrors
from spark_consumer.forecasts import ForecasterDown, Forecasts
from spark_consumer.ingest import Tallies, start_ingest
from spark_consumer.meters import query as meters
from spark_consumer.meters.tariff import tariff_of
from spark_consumer.session import make_session
from spark_consumer.sinks import delta, elasticsearch
from spark_consumer.sums.sums import Sums
from spark_consumer.waiting import Stopped, stopping, until_answered
from spark_consumer.writer import connect_cassandra

FORECAST = "weather"
"""The stream whose series are forecast, where `skywatt.yml` has it."""
ROUND_S = 5
"""How often what is waited for is looked at, and forecasts that could not be made are tried again."""

log = logging.getLogger(__name__)


class Application:
    """The consumer of one machine: one Spark driver, the ingest and the queries behind it, one forecasting thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._streams = load_streams(settings)
        tariff = tariff_of(settings)  # a wrong one is refused at the start
        self._database = connect_mongodb(settings)
        self._view = connect_elasticsearch(settings)
        weather = self._streams.get(FORECAST)
        self._forecasts = Forecasts(settings, weather, self._database, self._view) if weather else None
        self._forecast_errors = ForecastErrors(
            settings.prefix, self._database[FORECAST], self._database["forecast_errors"], self._view
        )
        self._sums = Sums(settings.prefix, self._streams, self._database, self._view)
        self._stop = stopping
        self._new_readings = threading.Event()
        self._written: queue.SimpleQueue[str] = queue.SimpleQueue()
        """Streams of which a batch has written readings that nobody can search for yet."""
        self._first_batch = threading.Event()
        self._caught_up = threading.Event()
        """Set when the ingest has gone through its first batch and its forecasts are made, or cannot be: totals and
        sums wait until then, since after a start all of them would catch up at once and keep the readings waiting."""
        self._looking_after: list[Future[None]]
        self._part = Part(self._database, CONSUMER)
        self._part.note(tariff_zone=tariff.zone)

    @property
    def checkpoint(self) -> Path:
        """Where the queries keep what they have read."""
        return self._settings.skywatt_data / "checkpoints" / (self._settings.skywatt_namespace or "main")

    def run(self) -> None:
        """Runs until SIGTERM or SIGINT. Raises DataLost; anything else that ends a query starts it again."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        with self._part, suppress(Stopped):
            with self._part.waits("kafka"):
                until_answered(make_topics)(self._settings, self._streams)
            with self._part.waits("mongodb"):
                until_answered(make_indexes)(self._database, self._streams)
            if self._settings.cassandra_is_on:
                with self._part.waits("cassandra"):
                    connect_cassandra(self._settings).close()
            session = make_session(self._settings)
            works = [self._make_sums, self._make_searchable, self._remove_expired]
            if self._forecasts:
                works.append(partial(self._make_forecasts, self._forecasts))
            behind = ThreadPoolExecutor(len(works), thread_name_prefix="behind")
            self._looking_after = [behind.submit(work) for work in works]
            try:
                self._read_on(self._queries(session))
            finally:
                self._stop.set()  # those behind end, too: the process would never end otherwise
            session.stop()

    def _read_on(self, starts: dict[str, Callable[[], StreamingQuery]]) -> None:
        """Keeps the queries running until `_stop` is set."""
        running: dict[str, StreamingQuery] = {}
        with suppress(Stopped):  # by what waits for a server, here or behind
            while not self._stop.is_set():
                if meters.NAME in running and self._meters_went_live():
                    running.pop(meters.NAME).stop()  # it begins anew when it starts
                for name in (starts.keys() if self._caught_up.is_set() else {INGEST}) - running.keys():
                    running[name] = starts[name]()
                    log.info("reading", extra={"query": name})
                with suppress(StreamingQueryException):  # looked at below, like those of the other queries
                    running[INGEST].awaitTermination(ROUND_S)
                self._look_at(running)
        for query in running.values():
            query.stop()

    def _queries(self, session: SparkSession) -> dict[str, Callable[[], StreamingQuery]]:
        """How each query is started, by name."""
        settings, streams, checkpoint = self._settings, self._streams, self.checkpoint
        starts: dict[str, Callable[[], StreamingQuery]] = {
            INGEST: lambda: start_ingest(session, settings, streams, checkpoint, self._on_batch),
        }
        if meters.STREAM in streams:
            starts[meters.NAME] = lambda: meters.start_meter_totals(session, settings, streams, checkpoint, self._stop)
        if to_delta := delta.streams_of(settings, streams):
            starts[delta.NAME] = lambda: delta.start_delta(session, settings, to_delta, checkpoint)
        return starts

    def _meters_went_live(self) -> bool:
        with suppress(PyMongoError):  # looked at again in the next round
            return meters.STREAM in anew.due(self._database)
        return False

    def _look_at(self, running: dict[str, StreamingQuery]) -> None:
        """Tells how the part is, and forgets the queries that ended, so that they are started again."""
        ended = {name: query.exception() for name, query in running.items() if not query.isActive}
        for name, error in ended.items():
            del running[name]
            if self._stop.is_set():
                continue
            why = _cause(error) if error else "without an error"
            log.error("the query stopped and is started again: %s", why, extra={"query": name})
        for work in self._looking_after:
            if work.done():
                work.result()  # raises what ended it: the supervisor starts the part again
        missing = self._missing() or (f"{', '.join(ended)} to start again" if ended else None)
        if missing:
            self._part.waiting(missing)
        else:
            self._part.running()
        if INGEST in running and running[INGEST].lastProgress:
            self._first_batch.set()
            if not self._forecasts:
                self._caught_up.set()
        read = {name: query.lastProgress for name, query in running.items()}
        self._part.note(offsets=[one for name, told in read.items() if told for one in offsets_read(name, dict(told))])
        if ended:
            self._stop.wait(ROUND_S)

    def _missing(self) -> str | None:
        """The names of the servers that do not answer, if any."""
        missing = []
        try:
            self._database.command("ping")
        except PyMongoError:
            missing.append("mongodb")
        try:
            self._view.options(request_timeout=3).cluster.health()
        except (ApiError, TransportError):
            missing.append("elasticsearch")
        if self._forecasts:
            try:
                requests.get(f"{self._settings.forecaster_address}/health", timeout=3).raise_for_status()
            except requests.RequestException:
                missing.append("forecaster (readings go on)")
        return ", ".join(missing) or None

    def _on_batch(self, tallies: Tallies) -> None:
        for tally in tallies:
            self._written.put(tally["stream"])
            self._part.count(**{name: tally[name] for name in ("written", "late", "dead_letters")})
            if self._forecasts and tally["stream"] == FORECAST:
                for region, newest in tally["newest"].items():
                    self._forecasts.note(region, newest.replace(tzinfo=UTC) if newest.tzinfo is None else newest)
                self._new_readings.set()

    def _make_forecasts(self, forecasts: Forecasts) -> None:
        until_answered(forecasts.restore)()
        said_down = False
        while not self._stop.is_set():
            self._new_readings.wait(ROUND_S)
            self._new_readings.clear()
            first_batch_is_done = self._first_batch.is_set()
            try:
                made = until_answered(forecasts.make_due)()
                self._part.count(forecasts=made)
                said_down = False
            except ForecasterDown as error:
                if not said_down:
                    log.warning("forecasts wait: %s", error)
                said_down = True
            if first_batch_is_done:
                self._caught_up.set()
            until_answered(self._forecast_errors.settle)(forecasts.newest())

    def _wait_until_caught_up(self) -> None:
        while not self._caught_up.wait(ROUND_S) and not self._stop.is_set():
            pass

    def _remove_expired(self) -> None:
        self._wait_until_caught_up()
        while not self._stop.is_set():
            until_answered(retention.remove_expired)(self._database, self._streams, datetime.now(UTC))
            self._stop.wait(retention.EVERY.total_seconds())

    def _make_sums(self) -> None:
        self._wait_until_caught_up()
        while not self._stop.is_set():
            until_answered(self._sums.begin_anew)()
            made = until_answered(self._sums.make_due)()
            self._part.count(sums=made.written)
            if not made.more:  # what comes meanwhile belongs to the same sums, mostly
                self._stop.wait(ROUND_S)

    def _make_searchable(self) -> None:
        """Refreshes what a batch has written, beside the next batch: sooner and less often than by the clock."""
        while not self._stop.is_set():
            with suppress(queue.Empty):
                written = {self._written.get(timeout=ROUND_S)}
                while not self._written.empty():
                    written.add(self._written.get())
                until_answered(elasticsearch.refresh)(self._view, [self._streams[name] for name in written])

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        log.info("stopping on %s", signal.Signals(number).name)
        self._stop.set()


def offsets_read(query: str, progress: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Which offset comes next in each partition, from a query's progress: told to `alerts`, which sees a lag grow."""
    return [
        {"query": query, "topic": topic, "partition": int(partition), "offset": offset}
        for source in progress["sources"]
        for topic, partitions in (json.loads(source["endOffset"] or "null") or {}).items()
        for partition, offset in partitions.items()
    ]


def make_indexes(database: "Database[Document]", streams: dict[str, Stream]) -> None:
    """Makes MongoDB's indexes: a series' readings in time, a place's predictions by issue, a day's totals."""
    for stream in streams.values():
        fields = [*stream.model.series_fields, stream.model.time_field]
        database[stream.collection].create_index([(field, ASCENDING) for field in fields])
    database["predictions"].create_index([("region", ASCENDING), ("issued_at", DESCENDING)])
    by_time = ((name, "timestamp") for name in ("facility", "market", "market_sums"))
    for collection, field in (*by_time, ("production", "start_time")):
        database[collection].create_index([(field, ASCENDING)])
    database["sums_due"].create_index([("stream", ASCENDING), ("name", ASCENDING)])
    database["meter_totals"].create_index([("day", ASCENDING), ("sensor_id", ASCENDING), ("timestamp", ASCENDING)])


def _cause(error: Exception) -> str:
    """The last line of a Python worker's traceback, else the first of the error: without Java's stack."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    raised = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Down|Interrupt)\b", line)]
    return (raised or lines)[-1 if raised else 0][:1000]
