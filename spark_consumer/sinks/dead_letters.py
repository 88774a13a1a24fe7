"""The topic ``dead-letters``: what could not become a reading is sent there, and from there to Elasticsearch."""

from datetime import datetime

from kafka import KafkaProducer

from readings import dead_letters
from readings.connections import kafka_options
from readings.dead_letters import DeadLetter
from readings.settings import Settings


def make_producer(settings: Settings) -> KafkaProducer:
    """A producer for dead letters: acknowledged by all replicas, large enough messages, compressed."""
    return KafkaProducer(
        **kafka_options(settings),
        acks="all",
        compression_type="zstd",
        max_request_size=dead_letters.MAX_BYTES,
    )


def send(producer: KafkaProducer, topic: str, letters: list[DeadLetter]) -> None:
    """Sends the letters and waits until the brokers have them. Sent again, they overwrite themselves in the index."""
    sent = [
        producer.send(topic, key=letter.key.encode(), value=letter.model_dump_json().encode()) for letter in letters
    ]
    producer.flush()
    for future in sent:
        future.get(timeout=0)


def index(prefix: str, arrived_at: datetime) -> str:
    """The Elasticsearch index of a dead letter, by the month of its arrival."""
    return f"{prefix}{dead_letters.TOPIC}-{arrived_at:%Y.%m}"
