"""The one ingest query: all streams' topics and the dead letters are read from Kafka once, and written as they come.

Five queries, one a stream, were measured at a p95 of 3.3–7.2 s from append to searchable on two cores, one at 1.3 s.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.streaming.query import StreamingQuery

from readings import dead_letters
from readings.parts import INGEST
from readings.settings import Settings
from readings.stream import Stream
from spark_consumer.checkpoint import make_ready
from spark_consumer.kafka_source import read_topics
from spark_consumer.writer import CHUNK_MESSAGES, TALLY_SCHEMA, write_partition

MAX_MESSAGES_PER_BATCH = 100_000
"""A micro-batch costs about 0.8 s whatever its size, so one that catches up is large. What was there before the first
start fits into one, so that the first forecasts know all of it."""

TRIGGER = "500 milliseconds"
"""How often Kafka is asked for more. Without it Spark asks a hundred times a second, all night."""

Tallies = list[dict[str, Any]]


def start_ingest(
    session: SparkSession,
    settings: Settings,
    streams: dict[str, Stream],
    checkpoint: Path,
    on_batch: Callable[[Tallies], None],
) -> StreamingQuery:
    """Starts the query from its checkpoint (at first: from the topics' beginning). Raises DataLost.

    `on_batch` is told after each batch, in the driver, what was written of each stream.
    """
    topics = [stream.topic for stream in streams.values()] + [settings.prefix + dead_letters.TOPIC]
    folder = checkpoint / INGEST
    accept_loss = make_ready(settings, INGEST, folder, topics, accept_loss=settings.skywatt_accept_data_loss)
    messages = read_topics(session, settings, topics, MAX_MESSAGES_PER_BATCH, accept_loss=accept_loss)

    tally_schema = from_arrow_schema(TALLY_SCHEMA)

    handled = MAX_MESSAGES_PER_BATCH  # in the batch before: this one has about as many

    def write(batch: DataFrame, _batch_id: int) -> None:
        nonlocal handled
        tasks = tasks_of(handled, session.sparkContext.defaultParallelism)
        tallies = [row.asDict() for row in batch.coalesce(tasks).mapInArrow(write_partition, tally_schema).collect()]
        handled = sum(tally["written"] + tally["dead_letters"] for tally in tallies)
        on_batch(tallies)

    return (
        messages.writeStream.queryName(INGEST)
        .option("checkpointLocation", str(folder))
        .trigger(processingTime=TRIGGER)
        .foreachBatch(write)
        .start()
    )


def tasks_of(messages: int, most: int) -> int:
    """Into how many tasks a batch is put: one a chunk of messages, since a task costs more than those of a chunk."""
    return min(max(1, math.ceil(messages / CHUNK_MESSAGES)), most)
