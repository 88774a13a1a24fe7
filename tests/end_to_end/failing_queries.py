"""The consumer's two queries, in which one partition in twenty fails, before or after it did its work.

``python -m tests.end_to_end.failing_queries`` starts each again and again until it is ended, and says each failure.
"""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pyarrow as pa
from pyspark.errors import StreamingQueryException
from pyspark.sql.streaming.query import StreamingQuery

from readings.connections import connect_mongodb
from readings.parts import INGEST
from readings.settings import load_settings
from readings.stream import load_streams
from spark_consumer import ingest
from spark_consumer.application import make_indexes
from spark_consumer.meters import query as meters
from spark_consumer.session import make_session

SHARE = 0.05
MESSAGES_PER_BATCH = 150
"""Small batches: so that there are many partitions to fail."""
ROUND_S = 1

Batches = Iterator[pa.RecordBatch]


def failing(work: Callable[..., Batches]) -> Callable[..., Batches]:
    """The work on a partition, which in one of twenty fails: in half of those when all is done."""

    def fails_at_random(batches: Batches, *given: object) -> Batches:
        chance = random.random()  # noqa: S311 - chance, no secret
        if chance < SHARE / 2:
            raise OSError("failed on purpose, before its work")
        yield from work(batches, *given)
        if chance > 1 - SHARE / 2:
            raise OSError("failed on purpose, after its work")

    return fails_at_random


def main() -> None:
    """Runs until it is ended."""
    ingest.write_partition = failing(ingest.write_partition)
    meters._read = failing(meters._read)
    meters._write = failing(meters._write)
    ingest.MAX_MESSAGES_PER_BATCH = meters.MAX_MESSAGES_PER_BATCH = MESSAGES_PER_BATCH
    meters.TRIGGER = "0 seconds"
    settings = load_settings()
    streams = load_streams(settings)
    make_indexes(connect_mongodb(settings), streams)
    session = make_session(settings)
    folder = settings.skywatt_data / "failing" / settings.skywatt_namespace
    starts: dict[str, Callable[[], StreamingQuery]] = {
        INGEST: lambda: ingest.start_ingest(session, settings, streams, folder, lambda _tallies: None),
        meters.NAME: lambda: meters.start_meter_totals(session, settings, streams, folder, threading.Event()),
    }
    running: dict[str, StreamingQuery] = {}
    while True:
        for name in starts.keys() - running.keys():
            running[name] = starts[name]()
        with suppress(StreamingQueryException):  # looked at below
            session.streams.awaitAnyTermination(ROUND_S)
        session.streams.resetTerminated()
        for name in [name for name, query in running.items() if not query.isActive]:
            error = running.pop(name).exception()
            if "on purpose" not in str(error):
                raise SystemExit(f"{name}: {error}")
            print(f"{name} failed on purpose", flush=True)


if __name__ == "__main__":
    main()
