"""Spark's Kafka source: its options from the same settings as kafka-python's, and the columns that are used of it."""

from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql.functions import expr

from readings.connections import kafka_options
from readings.settings import Settings


def with_arrival(messages: DataFrame) -> DataFrame:
    """The source's topic, partition, offset and value, and as `arrived_ms` when the broker appended each message."""
    return messages.select("topic", "partition", "offset", expr("unix_millis(timestamp)").alias("arrived_ms"), "value")


def spark_kafka_options(settings: Settings) -> dict[str, str]:
    """The options of Spark's Kafka source, from the same settings as kafka-python's."""
    options = kafka_options(settings)
    translated = {
        "kafka.bootstrap.servers": ",".join(options["bootstrap_servers"]),
        "kafka.security.protocol": options["security_protocol"],
    }
    if "sasl_mechanism" in options:
        mechanism = options["sasl_mechanism"]
        kind = "plain.PlainLoginModule" if mechanism == "PLAIN" else "scram.ScramLoginModule"
        user, password = (_quoted(options[f"sasl_plain_{part}"] or "") for part in ("username", "password"))
        translated["kafka.sasl.mechanism"] = mechanism
        translated["kafka.sasl.jaas.config"] = (
            f"org.apache.kafka.common.security.{kind} required username={user} password={password};"
        )
    if "ssl_cafile" in options:
        translated |= {
            "kafka.ssl.truststore.type": "PEM",
            "kafka.ssl.truststore.certificates": Path(options["ssl_cafile"]).read_text(),
        }
    return translated


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
