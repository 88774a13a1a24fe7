"""The ingest in which one partition in twenty fails, before or after it wrote: run by test_exactly_once.

``python -m tests.end_to_end.failing_ingest`` starts the query again and again until it is ended, and says each failure.
"""

import random
from collections.abc import Iterator

import pyarrow as pa
from pyspark.errors import StreamingQueryException

from readings.settings import load_settings
from readings.stream import load_streams
from spark_consumer import ingest
from spark_consumer.session import make_session

SHARE = 0.05
MESSAGES_PER_BATCH = 150
"""Small batches: so that there are many partitions to fail."""

written = ingest.write_partition


def fails_at_random(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """`write_partition`, which in one of twenty fails: in half of those when all is written."""
    chance = random.random()  # noqa: S311 - chance, no secret
    if chance < SHARE / 2:
        raise OSError("failed on purpose, before it wrote")
    yield from written(batches)
    if chance > 1 - SHARE / 2:
        raise OSError("failed on purpose, when it had written")


def main() -> None:
    """Runs until it is ended."""
    ingest.write_partition = fails_at_random
    ingest.MAX_MESSAGES_PER_BATCH = MESSAGES_PER_BATCH
    settings = load_settings()
    session = make_session(settings)
    while True:
        query = ingest.start_ingest(
            session, settings, load_streams(settings), settings.skywatt_data / "failing", lambda _tallies: None
        )
        try:
            query.awaitTermination()
        except StreamingQueryException as error:
            if "on purpose" not in str(error):
                raise
            print("failed on purpose", flush=True)


if __name__ == "__main__":
    main()
