"""The streaming query of the meters' totals: readings by meter, over a state of 48 hours, to both stores.

It reads the stream's topic itself, beside the ingest, with a checkpoint of its own. A meter's state (`MeterState`) is
in Spark's state store. What a repeated batch works out is the same as before, and overwrites itself by ``_id``.

When the meters go live the checkpoint is begun anew, and what was replayed before counts no more (`checkpoint`).

A meter whose state is new, because the checkpoint is, begins with what MongoDB has of its month, and its totals where
they end; so what Kafka deleted before it was read here is counted, too (`spark_consumer.checkpoint`), where the ingest
has read it in time. A reading that is older than its meter's state, or whose message was sent again (`redrive`), makes
the totals be worked out again from MongoDB, from there to the newest reading: when the batch's totals are written, the
driver waits until the ingest has stored that reading, and counts again. The state's own totals of the month are read
anew from MongoDB, too, when the meter is heard of next.
"""

import functools
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson
import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
from bson.codec_options import CodecOptions
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.streaming.stateful_processor import (
    StatefulProcessor,
    StatefulProcessorHandle,
    TimerValues,
    ValueState,
)

from readings.anew import Anew
from readings.connections import connect_elasticsearch, connect_mongodb
from readings.logs import set_up_logs
from readings.meter import Meter
from readings.settings import Settings, load_settings
from readings.stream import Stream, load_streams
from spark_consumer.checkpoint import make_ready
from spark_consumer.kafka_source import read_topics
from spark_consumer.messages import read_message
from spark_consumer.meters.checkpoint import begin_anew, remove_where_older
from spark_consumer.meters.register import Point, Register
from spark_consumer.meters.state import Meters, MeterState, Reading
from spark_consumer.meters.store import MeterStore, documents_of
from spark_consumer.meters.tariff import Calendar, tariff_of
from spark_consumer.meters.totals import Before
from spark_consumer.meters.totals import Row as TotalsRow
from spark_consumer.waiting import until_answered

STREAM = "meter"
NAME = "meter_totals"
MAX_MESSAGES_PER_BATCH = 50_000
TRIGGER = "4 seconds"
"""Totals are for each five minutes: what a meter sends meanwhile is counted together."""
TELL_EVERY_S = 5.0
"""How often a process that counts tells how many messages it went through: a batch may take longer than alerts wait."""
NICE = 10
"""Of the processes that count: where cores are few, readings are written first."""
WAIT_S = 120
"""So long may the ingest be behind this query before the batch is tried again."""

READINGS = "sensor_id string, reading binary"
"""A `Reading` (JSON): Spark gives each column of each row to Python by itself, which takes longer than to count."""
STATE = "since_ms long, at_ms binary, kwh binary, register string, before string, stale boolean"
TOTALS = "totals binary"
"""Of a meter (BSON): ``sensor_id``, ``documents`` to write, and ``again``, the readings that its state was too young
for, or None."""
AGAIN = "sensor_id string, again binary"
NEVER = Anew()
DOCUMENTS: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)

log = logging.getLogger(__name__)


class NotStoredYet(Exception):
    """The ingest is so far behind that what is to be counted again is not in MongoDB."""


def start_meter_totals(
    session: SparkSession, settings: Settings, streams: dict[str, Stream], checkpoint: Path, stop: threading.Event
) -> StreamingQuery:
    """Starts the query from its checkpoint (at first: from the topic's beginning); `stop` ends its waiting."""
    folder = checkpoint / NAME
    store = _store(settings, streams)
    went_live = until_answered(begin_anew)(folder, store, connect_mongodb(settings))
    remove_where_older(folder)
    topics = [streams[STREAM].topic]
    accept_loss = make_ready(settings, NAME, folder, topics, accept_loss=True, anew_where_lost=True)
    messages = read_topics(session, settings, topics, MAX_MESSAGES_PER_BATCH, accept_loss=accept_loss)
    at_once = messages.coalesce(settings.spark_shuffle_partitions)  # more would keep the ingest's tasks waiting
    totals = (
        at_once.mapInArrow(lambda batches: _read(batches, went_live), READINGS)
        .groupBy("sensor_id")
        .transformWithState(MeterProcessor(), TOTALS, "Update", "None")
    )
    meters = make_meters(settings)

    def write(batch: DataFrame, _batch_id: int) -> None:
        for row in batch.mapInArrow(_write, AGAIN).collect():
            _count_again(store, meters, row["sensor_id"], _readings(row["again"]), stop)

    return (
        totals.writeStream.queryName(NAME)
        .option("checkpointLocation", str(folder))
        .trigger(processingTime=TRIGGER)
        .outputMode("update")
        .foreachBatch(write)
        .start()
    )


def make_meters(settings: Settings) -> Meters:
    """How meters are counted here. Raises ConfigError where the tariff file is wrong."""
    return Meters(Calendar(tariff_of(settings)), settings.meter_max_kw)


def _store(settings: Settings, streams: dict[str, Stream]) -> MeterStore:
    view = connect_elasticsearch(settings, http_compress=False)
    return MeterStore(connect_mongodb(settings), streams[STREAM].collection, view, settings.prefix)


@functools.cache
def _worker() -> tuple[Stream, Meters, MeterStore]:
    """What a Python worker keeps from batch to batch."""
    settings = load_settings()
    set_up_logs(settings, "consumer")
    streams = load_streams(settings)
    return streams[STREAM], make_meters(settings), _store(settings, streams)


def _read(batches: Iterator[pa.RecordBatch], went_live: Anew = NEVER) -> Iterator[pa.RecordBatch]:
    """Messages → readings, without those replayed before the meters went live. What is none is the ingest's to make
    dead letters of.
    """
    stream, _, _ = _worker()
    for batch in batches:
        columns = [
            batch.column(name).to_pylist() for name in ("partition", "offset", "arrived_ms", "value", "redriven")
        ]
        readings = [
            (
                one.sensor_id,
                orjson.dumps(
                    (_ms(one), one.energy_kwh, arrived_ms, partition, offset, bool(one.repeated_hour), redriven)
                ),
            )
            for partition, offset, arrived_ms, value, redriven in zip(*columns, strict=True)
            for arrived_at in [pd.Timestamp(arrived_ms, unit="ms", tz="UTC").to_pydatetime()]
            for one in read_message(stream, value, arrived_at)
            if isinstance(one, Meter) and not went_live.leaves_out(one.source, arrived_at)
        ]
        sensors, packed = zip(*readings, strict=True) if readings else ((), ())
        arrays = [pa.array(sensors, pa.string()), pa.array(packed, pa.binary())]
        yield pa.RecordBatch.from_arrays(arrays, ["sensor_id", "reading"])


class MeterProcessor(StatefulProcessor):
    """Counts a meter's readings of a batch; its state is a `MeterState`."""

    def init(self, handle: StatefulProcessorHandle) -> None:
        """Before the first meter of a batch, in a process of Spark's that counts meters and nothing else."""
        os.setpriority(os.PRIO_PROCESS, 0, max(NICE, os.getpriority(os.PRIO_PROCESS, 0)))
        self._stored = handle.getValueState("meter", STATE)
        self._gone_through, self._told_at = 0, time.monotonic()

    def handleInputRows(
        self,
        key: Any,
        rows: Iterator[Any],
        timerValues: TimerValues,  # noqa: ARG002 - as Spark has it
    ) -> Iterator[Row]:
        """One meter, whose `READINGS` the rows are → `TOTALS`."""
        (sensor,) = key
        readings = [Reading(*orjson.loads(row["reading"])) for row in rows]
        if changed := count(sensor, readings, self._stored):
            yield Row(totals=changed)
        self._gone_through += len(readings)
        if time.monotonic() - self._told_at > TELL_EVERY_S:
            _worker()[2].tell_gone_through(NAME, self._gone_through)
            self._gone_through, self._told_at = 0, time.monotonic()

    def close(self) -> None:
        """Nothing is open."""


def count(sensor: str, fresh: list[Reading], stored: ValueState) -> bytes | None:
    """Counts a meter's readings of a batch and updates its state. Gives its `TOTALS`, where some change."""
    _, meters, store = _worker()
    in_turn = [one for one in fresh if not one.redriven]
    too_old = len(in_turn) < len(fresh)
    rows: dict[int, TotalsRow] = {}
    known = stored.get()
    if in_turn:
        state = _restored(known, meters, store, sensor, in_turn)
        young = [one for one in in_turn if one.at_ms >= state.since_ms]
        too_old |= len(young) < len(in_turn)
        anew_ms = None if known else store.counted_until(meters, sensor, state, min(one.at_ms for one in young))
        state, rows = meters.updated(state, young, anew_ms=anew_ms)
        stored.update(_packed(state, stale=too_old))
    elif known:
        stored.update(_packed(_unpacked(known)[0], stale=True))
    again = orjson.dumps(fresh, default=tuple) if too_old else None
    if not rows and not again:
        return None
    return bson.encode({"sensor_id": sensor, "documents": documents_of(sensor, rows), "again": again})


def _restored(
    known: tuple[Any, ...] | None, meters: Meters, store: MeterStore, sensor: str, fresh: list[Reading]
) -> MeterState:
    first = min(fresh, key=lambda one: one.place)
    if known is None:
        return store.begun(meters, sensor, min(one.at_ms for one in fresh), first)
    state, stale = _unpacked(known)
    if not stale:
        return state
    begun = store.begun(meters, sensor, state.since_ms, first)
    since = set(begun.at_ms.tolist())
    kept = [
        Reading(int(at_ms), float(kwh))
        for at_ms, kwh in zip(state.at_ms, state.kwh, strict=True)
        if at_ms not in since  # a later message changed it, which is still to be counted
    ]
    return meters.updated(begun, kept)[0]


def _packed(state: MeterState, *, stale: bool) -> tuple[Any, ...]:
    register = orjson.dumps([state.register.last, state.register.waiting], default=tuple).decode()
    before = orjson.dumps(state.before).decode()
    return state.since_ms, state.at_ms.tobytes(), state.kwh.tobytes(), register, before, stale


def _unpacked(columns: tuple[Any, ...]) -> tuple[MeterState, bool]:
    since_ms, at_ms, kwh, register, before, stale = columns
    last, waiting = orjson.loads(register)
    state = MeterState(
        since_ms,
        np.frombuffer(at_ms, dtype=np.int64),
        np.frombuffer(kwh, dtype=np.float64),
        Register(Point(*last) if last else None, tuple(Point(*one) for one in waiting)),
        _before(orjson.loads(before)),
    )
    return state, stale


def _before(known: dict[str, Any]) -> Before:
    """As it was packed; of an older version without the fields that this one adds."""
    costs, flags = known.pop("minute_costs_eur", ()), known.pop("flags", ())
    return Before(**known, minute_costs_eur=tuple(costs), flags=tuple((at_ms, flag) for at_ms, flag in flags))


def _write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Writes totals; gives on what is to be counted again."""
    _, _, store = _worker()
    for batch in batches:
        changed = [bson.decode(totals, DOCUMENTS) for totals in batch.column("totals").to_pylist()]
        documents = [document for one in changed for document in one["documents"]]
        if documents:
            store.put(documents)
        again = [one for one in changed if one["again"]]
        schema = pa.schema([("sensor_id", pa.string()), ("again", pa.binary())])
        yield pa.RecordBatch.from_pylist(again, schema)


def _count_again(store: MeterStore, meters: Meters, sensor: str, fresh: list[Reading], stop: threading.Event) -> None:
    """Counts a meter again from the oldest of its readings that came."""
    deadline = time.monotonic() + WAIT_S
    while store.lacks(sensor, fresh):
        if time.monotonic() > deadline or stop.wait(0.5):
            raise NotStoredYet(f"readings of {sensor} that are to be counted again are not in MongoDB")
    oldest_ms = min(one.at_ms for one in fresh)
    rows = store.counted_again(meters, sensor, oldest_ms)
    log.info("counted again, for a reading that came after its state", extra={"stream": STREAM, "series": sensor})
    store.put_changed(documents_of(sensor, rows))


def _readings(packed: bytes) -> list[Reading]:
    return [Reading(*one) for one in orjson.loads(packed)]


def _ms(reading: Meter) -> int:
    return round(reading.timestamp.timestamp() * 1000)
