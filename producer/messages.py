"""Readings and dead letters as Kafka messages.

A reading is JSON: the fields of its model without the absent ones, instants in UTC with ``Z``; its key is the series.
"""

import logging
from datetime import datetime
from typing import NamedTuple

from producer.recordings import BadLine
from readings.dead_letters import TOPIC, DeadLetter, encode_message
from readings.reading import Reading
from readings.stream import Stream

log = logging.getLogger(__name__)

MOST_KEPT_BYTES = 1024 * 1024
"""Of what could not be read."""


class Message(NamedTuple):
    """One Kafka message."""

    topic: str
    key: bytes
    value: bytes


def reading_message(reading: Reading, topic: str) -> Message:
    """A reading as it travels."""
    return Message(topic, reading.series.encode(), reading.model_dump_json(exclude_none=True).encode())


def dead_letter_message(
    stream: Stream, source: str, series: str, reason: str, message: bytes, arrived_at: datetime
) -> Message:
    """What a source answered that could not become a reading of the stream, with the reason.

    Of a long one the first megabyte is kept.
    """
    if len(message) > MOST_KEPT_BYTES:
        reason, message = f"{reason} (its first {MOST_KEPT_BYTES} bytes are kept)", message[:MOST_KEPT_BYTES]
    text, encoding = encode_message(message)
    letter = DeadLetter(
        stream=stream.name,
        topic=stream.topic,
        source=source,
        reason=f"{series}: {reason}"[:2000],
        message=text,
        encoding=encoding,
        arrived_at=arrived_at,
    )
    return Message(stream.namespace + TOPIC, series.encode(), letter.model_dump_json(exclude_none=True).encode())


def bad_line_message(stream: Stream, source: str, bad: BadLine, now: datetime) -> Message:
    """The dead letter of a file's line; it is logged with its number."""
    where = f"{bad.file}: line {bad.line}"
    log.warning("%s: %s", where, bad.reason, extra={"stream": stream.name})
    return dead_letter_message(stream, source, where, bad.reason, bad.text.encode(), now)
