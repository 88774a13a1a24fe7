"""The ingest and the meters' totals in which one partition in twenty fails, before or after it wrote.

``python -m tests.end_to_end.failing_ingest`` starts the queries again and again until it is ended, and says each
failure: run by test_exactly_once.
"""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pyarrow as pa
from pyspark.errors import StreamingQueryException
from pyspark.sql.streaming.query import StreamingQuery

from readings.settings import load_settings
from readings.stream import load_streams
from spark_consumer import ingest
from spark_consumer.meters import query as totals
from spark_consumer.session import make_session

SHARE = 0.05
MESSAGES_PER_BATCH = 150
READINGS_PER_BATCH = 2
"""Small batches: so that there are many partitions to fail."""

Partitions = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def failing(written: Partitions) -> Partitions:
    """What is done with a partition, which in one of twenty fails: in half of those when all is written."""

    def fails_at_random(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        chance = random.random()  # noqa: S311 - chance, no secret
        if chance < SHARE / 2:
            raise OSError("failed on purpose, before it wrote")
        yield from written(batches)
        if chance > 1 - SHARE / 2:
            raise OSError("failed on purpose, when it had written")

    return fails_at_random


def main() -> None:
    """Runs until it is ended."""
    ingest.write_partition = failing(ingest.write_partition)
    totals._write = failing(totals._write)
    ingest.MAX_MESSAGES_PER_BATCH, totals.MAX_MESSAGES_PER_BATCH = MESSAGES_PER_BATCH, READINGS_PER_BATCH
    totals.TRIGGER = "100 milliseconds"
    settings = load_settings()
    session, streams, stop = make_session(settings), load_streams(settings), threading.Event()
    folder = settings.skywatt_data / "failing"
    starts: dict[str, Callable[[], StreamingQuery]] = {
        "ingest": lambda: ingest.start_ingest(session, settings, streams, folder, lambda _tallies: None),
        "meter_totals": lambda: totals.start_meter_totals(session, settings, streams, folder, stop),
    }
    running = {name: start() for name, start in starts.items()}
    while True:
        with suppress(StreamingQueryException):  # looked at below
            session.streams.awaitAnyTermination(1)
        session.streams.resetTerminated()
        for name, query in running.items():
            if query.isActive:
                continue
            if "on purpose" not in str(query.exception()):
                raise RuntimeError(name) from query.exception()
            print(f"{name} failed on purpose", flush=True)
            running[name] = starts[name]()


if __name__ == "__main__":
    main()
