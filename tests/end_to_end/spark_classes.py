"""The classes of Spark as Java keeps them for a quicker start (class data sharing), made once for an environment.

Tests start some fifty drivers. One takes 8 to 10 s of Java's processor time with it until its first write, 18 to 20 s
without. ``python -m tests.end_to_end.spark_classes`` is the driver whose classes are kept.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame

from local_stack.locks import alone
from readings.config import ROOT
from readings.settings import load_settings
from spark_consumer.session import make_session

ARCHIVE = Path(sys.prefix) / "spark-classes.jsa"


def use() -> None:
    """Makes the archive where it is not there yet; drivers that are started from now on use it."""
    with alone(ARCHIVE.parent):
        if not ARCHIVE.exists():
            with tempfile.TemporaryDirectory(dir=ARCHIVE.parent) as folder:
                made = Path(folder) / ARCHIVE.name
                command = [sys.executable, "-m", "tests.end_to_end.spark_classes"]
                options = {"SPARK_SUBMIT_OPTS": f"-XX:ArchiveClassesAtExit={made}"}
                subprocess.run(command, cwd=ROOT, env={**os.environ, **options}, check=True, capture_output=True)
                made.rename(ARCHIVE)
    os.environ["SPARK_SUBMIT_OPTS"] = f"-XX:SharedArchiveFile={ARCHIVE}"


def main() -> None:
    """What the consumer's queries do: a stream, batch by batch, through Python workers that speak Arrow."""
    session = make_session(load_settings())

    def same(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from batches

    def write(batch: DataFrame, _number: int) -> None:
        batch.mapInArrow(same, batch.schema).collect()

    stream = session.readStream.format("rate-micro-batch").option("rowsPerBatch", 10).load()
    with tempfile.TemporaryDirectory() as checkpoint:
        counted = stream.selectExpr("value % 3 as of", "value").groupBy("of").count().writeStream.outputMode("update")
        query = counted.foreachBatch(write).option("checkpointLocation", checkpoint).start()
        while query.isActive and not query.recentProgress:
            query.awaitTermination(1)
        query.stop()
    driver = session.sparkContext._gateway.proc
    session.stop()
    driver.stdin.close()  # ends it
    driver.wait(120)


if __name__ == "__main__":
    main()
