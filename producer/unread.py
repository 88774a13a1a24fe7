"""What of a topic the consumer has not written yet, by what it tells in its heartbeat, and waiting for it."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from pymongo.database import Database

from producer.clock import Clock
from producer.errors import NotRead
from readings import parts
from readings.connections import FIRST_ANSWER_MS, Document, kafka_options
from readings.settings import Settings

LOOK_AGAIN = timedelta(seconds=2)
READ_WITHIN = timedelta(minutes=15)
"""A consumer's first batch, 28 days of all streams, takes minutes on a small machine."""

log = logging.getLogger(__name__)


def check_consumer(database: "Database[Document]", now: datetime) -> None:
    """Raises NotRead where the consumer does not run."""
    _check(_told(database), now)


def topic_ends(settings: Settings, topic: str) -> dict[int, int]:
    """The offset that comes next in each partition; nothing of a topic that there is not. Raises NotRead."""
    try:
        consumer = KafkaConsumer(
            **kafka_options(settings), enable_auto_commit=False, bootstrap_timeout_ms=FIRST_ANSWER_MS
        )
        try:
            wanted = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            return {one.partition: end for one, end in consumer.end_offsets(wanted).items()}
        finally:
            consumer.close()
    except (KafkaError, OSError) as error:
        raise NotRead(f"Kafka does not say how much waits in {topic}: {type(error).__name__}") from error


def wait_until_read(database: "Database[Document]", topic: str, ends: Mapping[int, int], clock: Clock) -> None:
    """Returns when the consumer has written what lies before these ends.

    Raises NotRead after `READ_WITHIN`, or when the consumer runs no more, Stopped when asked to end meanwhile.
    """
    until = clock.now() + READ_WITHIN
    waits = False
    while number := unread(told := _told(database), topic, ends):
        _check(told, clock.now())
        if clock.now() >= until:
            minutes = READ_WITHIN // timedelta(minutes=1)
            raise NotRead(f"the consumer has not read {number} messages of {topic} within {minutes} min")
        if not waits:
            log.info("waits until the consumer has read %d messages of %s", number, topic)
        waits = True
        clock.wait_until(clock.now() + LOOK_AGAIN)


def unread(told: Mapping[str, Any], topic: str, ends: Mapping[int, int]) -> int:
    """How many messages before these ends the consumer has not written yet, by its heartbeat."""
    read = parts.read_by(told).get(parts.INGEST, {})
    return sum(max(end - read.get((topic, partition), 0), 0) for partition, end in ends.items())


def _told(database: "Database[Document]") -> Document:
    return database[parts.COLLECTION].find_one({"_id": parts.CONSUMER}) or {}


def _check(told: Document, now: datetime) -> None:
    if not told or not parts.is_alive(told, now):
        raise NotRead("the consumer does not run, and when it does it writes what waits in Kafka: start it first")
