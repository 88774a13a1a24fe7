"""Delta: the streams' readings appended to a table each in DELTA_PATH, one row a reading of a message. Off without it.

A query of its own reads the topics again: a table is written every half a minute, since each write is a file, while the
stores get a reading at once. What is no reading is left out here; the ingest makes a dead letter of it.

Exactly once: a batch is appended with the checkpoint's id and the batch's number (Delta's ``txnAppId`` and
``txnVersion``), and Delta leaves out one that the table has. A batch that is repeated after a crash reads the same
offsets, so that it is the same rows. A query whose checkpoint was removed is another one: it appends the topics again,
and `topic`, `partition` and `offset` tell which rows are which.
"""

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import col
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.streaming.query import StreamingQuery

from readings.errors import ConfigError
from readings.settings import Settings, load_settings
from readings.stream import Stream, load_streams
from spark_consumer.checkpoint import make_ready
from spark_consumer.documents import Document, make_document
from spark_consumer.kafka_source import read_topics
from spark_consumer.messages import Problem, read_message
from spark_consumer.schemas import TIME, arrow_schema
from spark_consumer.writer import messages_of

NAME = "delta"
TRIGGER = "30 seconds"
MAX_MESSAGES_PER_BATCH = 200_000

BESIDE = (
    pa.field("series", pa.string()),
    pa.field("arrived_at", TIME),
    pa.field("delay_s", pa.float64()),
    pa.field("late", pa.bool_()),
    pa.field("topic", pa.string()),
    pa.field("partition", pa.int32()),
    pa.field("offset", pa.int64()),
)
"""The columns beside a reading's own fields."""

Batches = Iterator[pa.RecordBatch]


def streams_of(settings: Settings, streams: dict[str, Stream]) -> dict[str, Stream]:
    """The streams that go to Delta. Raises ConfigError where DELTA_STREAMS names one that there is not."""
    if settings.delta_path is None:
        return {}
    names = [name.strip() for name in settings.delta_streams.split(",")] if settings.delta_streams else list(streams)
    unknown = [name for name in names if name not in streams]
    if unknown:
        raise ConfigError(f"DELTA_STREAMS: read {', '.join(unknown)}, expected some of {', '.join(streams)}")
    return {name: streams[name] for name in names}


def start_delta(
    session: SparkSession, settings: Settings, streams: dict[str, Stream], checkpoint: Path, trigger: str = TRIGGER
) -> StreamingQuery:
    """Starts the query from its checkpoint (at first: from the topics' beginning).

    What Kafka deleted before it was read is no row, which is said: the readings beside this one go on.
    """
    topics = [stream.topic for stream in streams.values()]
    folder = checkpoint / NAME
    accept_loss = make_ready(settings, NAME, folder, topics, accept_loss=True)
    messages = read_topics(session, settings, topics, MAX_MESSAGES_PER_BATCH, accept_loss=accept_loss)
    root = _absolute(settings.delta_path or "")

    def append(batch: DataFrame, number: int) -> None:
        append_batch(batch, number, _query_id(folder), streams, root)

    return (
        messages.writeStream.queryName(NAME)
        .option("checkpointLocation", str(folder))
        .trigger(processingTime=trigger)
        .foreachBatch(append)
        .start()
    )


def append_batch(batch: DataFrame, number: int, query_id: str, streams: dict[str, Stream], root: str) -> None:
    """Appends a batch of messages to the tables of the streams that it has messages of."""
    batch.persist()
    try:
        topics = {row.topic for row in batch.select("topic").distinct().collect()}
        for name, stream in streams.items():
            if stream.topic in topics:
                schema: Any = from_arrow_schema(schema_of(stream))
                (
                    batch.where(col("topic") == stream.topic)
                    .mapInArrow(_rows_of(name), schema)
                    .coalesce(1)  # a file a batch
                    .write.format("delta")
                    .mode("append")
                    .option("mergeSchema", "true")
                    .option("txnAppId", query_id)
                    .option("txnVersion", number)
                    .save(f"{root}/{name}")
                )
    finally:
        batch.unpersist()


def schema_of(stream: Stream) -> pa.Schema:
    """A table's columns: the model's fields, then `BESIDE`."""
    return pa.schema([*arrow_schema(stream.model), *BESIDE])


def _rows_of(name: str) -> Callable[[Batches], Batches]:
    """For `mapInArrow`: the readings of a stream's messages."""

    def rows(batches: Batches) -> Batches:
        stream = _stream(name)
        schema = schema_of(stream)
        for batch in batches:
            yield pa.RecordBatch.from_pylist(list(_documents(stream, batch)), schema=schema)

    return rows


def _documents(stream: Stream, batch: pa.RecordBatch) -> Iterator[Document]:
    for message in messages_of([batch]):
        for read in read_message(stream, message.value, message.arrived_at):
            if not isinstance(read, Problem):
                place = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
                yield make_document(stream, read, message.arrived_at, message.partition, message.offset) | place


@functools.cache
def _stream(name: str) -> Stream:
    return load_streams(load_settings())[name]


def _absolute(root: str) -> str:
    """A folder of this machine as a whole path; an address of a shared store as it is."""
    return root.rstrip("/") if "://" in root else str(Path(root).expanduser().absolute())


def _query_id(checkpoint: Path) -> str:
    """The id of the checkpoint: the same over restarts, another where the checkpoint is."""
    query_id: str = json.loads((checkpoint / "metadata").read_text())["id"]
    return query_id
