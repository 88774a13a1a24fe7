"""Readings and dead letters as Kafka messages.

A reading is JSON: the fields of its model without the absent ones, instants in UTC with ``Z``; its key is the series.
"""

from dataclasses import dataclass
from datetime import datetime

from readings.dead_letters import TOPIC, DeadLetter, encode_message
from readings.reading import Reading
from readings.stream import Stream


@dataclass(frozen=True)
class Message:
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
    """What a source answered that could not become a reading of the stream, with the reason."""
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
