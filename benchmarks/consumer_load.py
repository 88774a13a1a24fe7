"""Messages to measure the consumer with: made-up readings, each of another series and time, as large as real ones."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import orjson
from confluent_kafka import Producer

from readings.connections import kafka_options
from readings.settings import Settings
from readings.stream import Stream

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
APART = timedelta(days=20)
"""So far a round's readings are from those of the round before."""


def weather(number: int, series: int, round_number: int) -> list[bytes]:
    """Weather of as many places as `series`, a reading of each a minute; no two rounds have a reading in common."""
    start = FIRST + APART * round_number
    return [
        orjson.dumps(
            {
                "source": "benchmark",
                "mode": "backfill",
                "region": f"place-{i % series}",
                "timestamp": start + timedelta(seconds=60 * (i // series)),
                "temperature_c": round(i % 400 / 10 - 10, 1),
                "humidity_pct": i % 100,
                "wind_speed_ms": i % 30,
            },
            option=orjson.OPT_UTC_Z,
        )
        for i in range(number)
    ]


def send(settings: Settings, stream: Stream, values: Sequence[bytes]) -> None:
    """Puts the messages on the stream's topic, evenly on its partitions; returns when all are acknowledged."""
    producer = make_producer(settings, len(values))
    for i, value in enumerate(values):
        producer.produce(stream.topic, value=value, partition=i % stream.config.partitions)
    if left := producer.flush(120):
        raise SystemExit(f"Kafka did not acknowledge {left} messages")


def make_producer(settings: Settings, most: int) -> Producer:
    """A producer that holds at most so many messages."""
    return Producer(
        confluent_options(settings)
        | {"acks": "all", "compression.type": "zstd", "linger.ms": 20, "queue.buffering.max.messages": max(most, 1000)}
    )


def confluent_options(settings: Settings) -> dict[str, object]:
    """How confluent-kafka's clients reach Kafka."""
    options = kafka_options(settings)
    names = {
        "bootstrap_servers": "bootstrap.servers",
        "security_protocol": "security.protocol",
        "sasl_mechanism": "sasl.mechanism",
        "sasl_plain_username": "sasl.username",
        "sasl_plain_password": "sasl.password",
        "ssl_cafile": "ssl.ca.location",
    }
    options["bootstrap_servers"] = ",".join(options["bootstrap_servers"])
    return {names[name]: value for name, value in options.items()}


def chunks(values: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    """The values in pieces of a size, the last one smaller."""
    for i in range(0, len(values), size):
        yield values[i : i + size]
