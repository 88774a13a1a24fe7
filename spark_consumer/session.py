"""The Spark session: Kafka's connector from the cache folder, little memory, no network beyond this machine.

With SPARK_MASTER=spark://… the work is done by that cluster's executors. Each of its machines has this clone with its
environment and its settings at the same path (docs/scaling.md).
"""

import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from readings.config import ROOT
from readings.errors import ConfigError
from readings.settings import Settings

CONNECTOR = "spark-kafka-4.2.0"
"""The folder under SKYWATT_HOME that holds the connector's jars: `local_stack` fills it."""
CHECKPOINTS = "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
"""How Spark writes its logs of what was read. Its usual way starts a process (`readlink`) for each look at a file."""
LEAST_SLOTS = 4
"""Tasks at once of ``local[*]``, on fewer cores too: a task of the ingest mostly waits for the stores, and should not
wait for the meters' tasks first."""
DELTA = "spark-delta-4.4.0"
"""Likewise, of Delta's."""
DELTA_OPTIONS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.snapshotPartitions": "2",  # of 50, each a task
}


def make_session(settings: Settings, name: str = "skywatt", *, delta: bool = False) -> SparkSession:
    """A session on SPARK_MASTER, with Delta tables where DELTA_PATH is set or `delta` is.

    Raises ConfigError where the jars are not there.
    """
    delta = delta or settings.delta_path is not None
    jars = _jars(settings, CONNECTOR, "bash run.sh up")
    if delta:
        jars += _jars(settings, DELTA, f"python -m local_stack fetch {DELTA}")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = (
        SparkSession.builder.appName(name)
        .master(_master(settings.spark_master))
        .config("spark.jars", ",".join(map(str, jars)))
        .config("spark.driver.memory", settings.spark_driver_memory)
        .config("spark.driver.extraJavaOptions", _java_options())
        .config("spark.python.daemon.module", "spark_consumer.daemon")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", str(settings.spark_shuffle_partitions))
        .config("spark.sql.adaptive.enabled", "false")
        .config("spark.sql.streaming.metricsEnabled", "false")
        .config(
            "spark.sql.streaming.stateStore.providerClass",
            "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider",
        )
        .config("spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled", "true")
        .config("spark.sql.streaming.checkpointFileManagerClass", CHECKPOINTS)
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "5000")
        .config("spark.sql.execution.arrow.maxBytesPerBatch", str(32 * 1024 * 1024))
        .config("spark.redaction.regex", "(?i)secret|password|token|jaas|(access|api).?key")
    )
    if delta:
        for option, value in DELTA_OPTIONS.items():
            builder = builder.config(option, value)
    if settings.spark_master.startswith("local"):
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
        builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    else:
        builder = builder.config("spark.executorEnv.PYTHONPATH", str(ROOT)).config(
            "spark.executor.memory", settings.spark_executor_memory
        )
    return builder.getOrCreate()


def _master(wanted: str) -> str:
    return f"local[{LEAST_SLOTS}]" if wanted == "local[*]" and (os.cpu_count() or 1) < LEAST_SLOTS else wanted


def _jars(settings: Settings, folder: str, bring: str) -> list[Path]:
    jars = sorted((settings.skywatt_home / folder).glob("*.jar"))
    if not jars:
        raise ConfigError(f"no jars in {settings.skywatt_home / folder}; {bring} fetches them")
    return jars


def _java_options() -> str:
    """A small, patient JVM, and Spark's own log in the same shape as ours."""
    log4j = Path(__file__).with_name("log4j2.properties").as_uri()  # without blanks, at which Spark splits
    return f"-XX:+UseSerialGC -Dlog4j2.configurationFile={log4j}"
