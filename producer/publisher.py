"""Messages → Kafka: ``acks=all``, idempotent, compressed. A message counts as sent when Kafka has acknowledged it."""

import logging
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any, Protocol, TextIO

from kafka import KafkaProducer
from kafka.errors import (
    AuthorizationError,
    InvalidTopicError,
    KafkaConfigurationError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.partitioner.default import murmur2

from producer.clock import WallClock
from producer.errors import Stopped
from producer.messages import Message
from producer.states import State
from readings.connections import kafka_options, make_topics
from readings.dead_letters import MAX_BYTES
from readings.settings import Settings
from readings.stream import Stream

PAUSE = timedelta(seconds=2)
SAID_AFTER_S = 3.0
"""An acknowledgement that takes longer is said to be waited for."""

FINAL = (
    MessageSizeTooLargeError,
    InvalidTopicError,
    AuthorizationError,
    KafkaConfigurationError,
    UnsupportedSaslMechanismError,
)
"""What trying again does not mend."""

log = logging.getLogger(__name__)


def producer_options() -> dict[str, Any]:
    """How kafka-python sends: nothing is lost, nothing is kept twice, much travels together."""
    return {
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": "zstd",
        "linger_ms": 20,
        "batch_size": 128 * 1024,
        "max_request_size": MAX_BYTES,
        "allow_auto_create_topics": False,
        "bootstrap_timeout_ms": 4_000,
        "max_block_ms": 10_000,
        "request_timeout_ms": 10_000,
        "delivery_timeout_ms": 60_000,
        "reconnect_backoff_max_ms": 2_000,
    }


class Publishes(Protocol):
    """Where a source's messages go."""

    def publish(self, messages: Sequence[Message]) -> None:
        """Returns when all messages are safe."""


@lru_cache(maxsize=10_000)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, as Kafka's clients agree on it: keys are few and come again and again."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


class Publisher:
    """Sends messages to Kafka, for one or several threads. Use as a context manager."""

    def __init__(self, settings: Settings, streams: dict[str, Stream], clock: WallClock, state: State) -> None:
        self._settings = settings
        self._streams = streams
        self._clock = clock
        self._state = state
        self._lock = threading.Lock()
        self._producer: Any = None  # kafka-python has no types

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(self, *exception: object) -> None:
        self._close(timeout_s=5)

    def publish(self, messages: Sequence[Message]) -> None:
        """Returns when Kafka has acknowledged all messages, however long that takes; their order is kept.

        A message may be sent twice where an acknowledgement was lost. Raises Stopped when asked to end while it
        waits, and KafkaError for what will not mend itself, as a message that is too large.
        """
        with self._lock:
            left = list(messages)
            while left:
                try:
                    left = self._send(left)
                except KafkaError as error:
                    if not _mends_itself(error):
                        raise
                    log.warning("kafka: %s, trying again", _shown(error))
                    refused = isinstance(error, SaslAuthenticationFailedError)
                    self._state.waiting("kafka (it refuses KAFKA_USERNAME or KAFKA_PASSWORD)" if refused else "kafka")
                    self._close(timeout_s=0)
                    self._clock.wait_until(self._clock.now() + PAUSE)
            self._state.running()

    def _send(self, messages: list[Message]) -> list[Message]:
        """Sends messages once and gives those that Kafka did not acknowledge."""
        producer = self._connected()
        sizes = {topic: len(producer.partitions_for(topic)) for topic in {message.topic for message in messages}}
        sent = []
        for message in messages:
            partition = partition_of(message.key, sizes[message.topic])
            sent.append((message, producer.send(message.topic, message.value, message.key, partition=partition)))
        self._flush(producer)
        failed = [(message, future.exception) for message, future in sent if not future.succeeded()]
        if failed:
            error = failed[0][1]
            if not _mends_itself(error):
                raise error
            log.warning("kafka: %d messages were not acknowledged (%s), sending them again", len(failed), _shown(error))
            self._close(timeout_s=0)  # an idempotent producer must not be used after a failure: its sequence has a hole
        return [message for message, _ in failed]

    def _flush(self, producer: Any) -> None:
        began = time.monotonic()
        while True:
            try:
                producer.flush(timeout=1)
                return
            except KafkaTimeoutError:
                if time.monotonic() - began > SAID_AFTER_S:
                    self._state.waiting("kafka")
                if self._clock.stopping.is_set():
                    raise Stopped("asked to end while Kafka had not acknowledged") from None

    def _connected(self) -> Any:
        if self._producer is None:
            self._producer = KafkaProducer(**kafka_options(self._settings), **producer_options())
            make_topics(self._settings, self._streams)
        return self._producer

    def _close(self, timeout_s: float) -> None:
        if self._producer is not None:
            self._producer.close(timeout=timeout_s)
            self._producer = None


class Printer:
    """Where a dry run's messages go: one a line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def publish(self, messages: Sequence[Message]) -> None:
        """Prints them."""
        for message in messages:
            self._out.write(f"{message.value.decode()}\n")
        self._out.flush()


def _mends_itself(error: Exception) -> bool:
    """Whether trying again may help: the broker is away, starts, or has lost the topic or the producer's id."""
    return not isinstance(error, FINAL)


def _shown(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]
