"""Kafka messages → readings, and for what is none the reason why.

A message is one reading as JSON, or an array of readings; a stream may know further shapes (see `streams`).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import orjson
from pydantic import ValidationError

from readings.problems import reason_of, shown
from readings.reading import Reading
from readings.spellings import FACILITY, MARKET, renamed
from readings.stream import Stream
from spark_consumer.streams import meter, weather

Record = Mapping[str, Any]

CONVERTERS: Mapping[str, Callable[[Record], Record]] = {
    "weather": weather.canonical,
    "production": dict,
    "meter": meter.canonical,
    "facility": partial(renamed, spellings=FACILITY, source="mqtt"),
    "market": partial(renamed, spellings=MARKET, source="mqtt"),
}
"""By stream: turns the further shapes of its records into the canonical one, and leaves that as it is."""

MAX_REASON = 1000


@dataclass(frozen=True)
class Problem:
    """A message, or an element of one, that is no reading."""

    position: int
    """Its place in the array; 0 where the message is no array."""
    reason: str
    message: bytes


def read_message(stream: Stream, value: bytes | None, arrived_at: datetime) -> Iterator[Reading | Problem]:
    """The readings of a message that arrived then, in order, and a `Problem` for each thing in it that is none.

    Raises nothing, whatever the message.
    """
    if not value:
        yield Problem(0, "the message is empty, expected a reading as JSON", b"")
        return
    try:
        reading = stream.model.model_validate_json(value)
    except ValidationError:
        yield from _read_otherwise(stream, value, arrived_at)
    else:
        yield _in_time(stream, reading, arrived_at, 0, value)


def _read_otherwise(stream: Stream, value: bytes, arrived_at: datetime) -> Iterator[Reading | Problem]:
    try:
        message = _loads(value)
    except ValueError as error:
        yield Problem(0, f"not JSON: {error}", value)
        return
    if not isinstance(message, list):
        yield _read_record(stream, message, arrived_at, 0, value)
    elif not message:
        yield Problem(0, "the array is empty, expected readings", value)
    else:
        for position, record in enumerate(message):
            yield _read_record(stream, record, arrived_at, position, orjson.dumps(record))


def _loads(value: bytes) -> object:
    """JSON, and what Python's ``json`` writes beside it: NaN, which pandas puts where a value is absent.

    Raises ValueError, also for what cannot be written again, as other shapes and dead letters are: more than 254
    levels and, beside NaN, an integer of more than 64 bits or half a character.
    """
    try:
        message = orjson.loads(value)
    except orjson.JSONDecodeError:
        if b"NaN" not in value:
            raise
        try:
            message = json.loads(value)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
    try:
        orjson.dumps(message)
    except orjson.JSONEncodeError as error:
        raise ValueError(f"it cannot be written again: {error}") from error
    return message


def _read_record(
    stream: Stream, record: object, arrived_at: datetime, position: int, message: bytes
) -> Reading | Problem:
    if not isinstance(record, dict):
        return Problem(position, f"read {shown(record)}, expected a reading: a JSON object", message)
    try:
        reading = stream.model.model_validate_json(orjson.dumps(CONVERTERS[stream.name](record)))
    except ValidationError as error:
        return Problem(position, reason_of(error)[:MAX_REASON], message)
    except ValueError as error:
        return Problem(position, str(error)[:MAX_REASON], message)
    return _in_time(stream, reading, arrived_at, position, message)


def _in_time(
    stream: Stream, reading: Reading, arrived_at: datetime, position: int, message: bytes
) -> Reading | Problem:
    reason = stream.time_problem(reading.event_time, arrived_at)
    return reading if reason is None else Problem(position, reason, message)
