"""Spark's Kafka source: its options from the same settings as kafka-python's, and the columns that are used of it."""

from collections.abc import Iterable
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import expr

from readings.connections import kafka_options
from readings.settings import Settings

ARRIVED_HEADER = "arrived_ms"
"""Of a message that is sent again: when it came first, Unix milliseconds as text."""
FETCH_WAIT_MS = 20
"""So long the broker holds back an answer to who has read all. What Spark reads is there already, but an answer to what
was asked in advance, after the last batch, comes first: with Kafka's 500 ms the last messages of a burst waited 2.6 s
for five partitions."""
_HEADERS = f"filter(headers, one -> one.key = '{ARRIVED_HEADER}')"
_ARRIVED_FIRST = (
    f"get(filter(transform({_HEADERS}, one -> try_cast(cast(one.value as string) as bigint)), ms -> ms >= 0), 0)"
)
"""Null where no such header is a time since 1970: anyone may send one."""


def read_topics(
    session: SparkSession, settings: Settings, topics: Iterable[str], most: int, *, accept_loss: bool
) -> DataFrame:
    """A stream of the topics' messages from their beginning, at most so many a batch, as `with_arrival` has them."""
    return with_arrival(
        session.readStream.format("kafka")
        .options(**spark_kafka_options(settings))
        .option("subscribe", ",".join(topics))
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", most)
        .option("failOnDataLoss", str(not accept_loss).lower())
        .option("includeHeaders", "true")
        .load()
    )


def with_arrival(messages: DataFrame) -> DataFrame:
    """The source's topic, partition, offset and value, and as `arrived_ms` when the broker appended each message.

    Of one that was sent again (`redriven`) when it was appended first, as its header says; never later than now.
    """
    return messages.select(
        "topic",
        "partition",
        "offset",
        expr(f"least({_ARRIVED_FIRST}, unix_millis(timestamp))").alias("arrived_ms"),
        "value",
        expr(f"{_ARRIVED_FIRST} is not null").alias("redriven"),
    )


def spark_kafka_options(settings: Settings) -> dict[str, str]:
    """The options of Spark's Kafka source, from the same settings as kafka-python's."""
    options = kafka_options(settings)
    translated = {
        "kafka.bootstrap.servers": ",".join(options["bootstrap_servers"]),
        "kafka.security.protocol": options["security_protocol"],
        "kafka.fetch.max.wait.ms": str(FETCH_WAIT_MS),
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
