"""The Spark session: Kafka's connector from the cache folder, little memory, no network beyond this machine."""

import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from readings.config import ROOT
from readings.errors import ConfigError
from readings.settings import Settings

CONNECTOR = "spark-kafka-4.2.0"
"""The folder under SKYWATT_HOME that holds the connector's jars: `local_stack` fills it."""


def make_session(settings: Settings, name: str = "skywatt") -> SparkSession:
    """A session on SPARK_MASTER. Raises ConfigError where the connector's jars are not there."""
    jars = sorted((settings.skywatt_home / CONNECTOR).glob("*.jar"))
    if not jars:
        raise ConfigError(f"no jars in {settings.skywatt_home / CONNECTOR}; bash run.sh up fetches them")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    os.environ["PYSPARK_PYTHON"] = sys.executable
    local = settings.spark_master.startswith("local")
    builder = (
        SparkSession.builder.appName(name)
        .master(settings.spark_master)
        .config("spark.jars", ",".join(map(str, jars)))
        .config("spark.driver.memory", settings.spark_driver_memory)
        .config("spark.driver.extraJavaOptions", _java_options())
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.adaptive.enabled", "false")
        .config("spark.sql.streaming.metricsEnabled", "false")
        .config(
            "spark.sql.streaming.stateStore.providerClass",
            "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider",
        )
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "5000")
        .config("spark.sql.execution.arrow.maxBytesPerBatch", str(32 * 1024 * 1024))
        .config("spark.redaction.regex", "(?i)secret|password|token|jaas|access.?key")
    )
    if local:
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
        builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    return builder.getOrCreate()


def _java_options() -> str:
    """A small, patient JVM, and Spark's own log in the same shape as ours."""
    log4j = Path(__file__).with_name("log4j2.properties")
    return f"-XX:+UseSerialGC -Dlog4j2.configurationFile=file:{log4j}"
