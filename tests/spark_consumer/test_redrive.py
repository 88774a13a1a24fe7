"""Dead letters that are sent again: as they were, with their series as key, and with when they came first."""

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import orjson
import pytest

from readings.dead_letters import DeadLetter
from readings.settings import Settings
from readings.stream import Stream, load_streams
from spark_consumer import redrive as module
from spark_consumer.kafka_source import ARRIVED_HEADER
from spark_consumer.redrive import redrive
from tests.spark_consumer.stand_in import database

ARRIVED = datetime(2026, 11, 20, 7, 30, 0, 250_000, tzinfo=UTC)
MENDED = {"source": "test", "region": "Bergen", "timestamp": "2026-11-20T07:00:00Z", "temperature_c": 4.5}


@pytest.fixture
def streams() -> dict[str, Stream]:
    return load_streams(Settings(_env_file=None))


def letter(offset: int, message: bytes, stream: str | None = "weather") -> DeadLetter:
    return DeadLetter(
        stream=stream,
        topic="openweathermap",
        partition=1,
        offset=offset,
        reason="it was out of bounds",
        message=message.decode(),
        arrived_at=ARRIVED,
    )


def sent(monkeypatch: pytest.MonkeyPatch, streams: dict[str, Stream], *letters: DeadLetter) -> list[Any]:
    hits = [{"_source": one.model_dump(mode="json", exclude_none=True)} for one in letters]
    monkeypatch.setattr(module, "scan", lambda *_, **__: iter(hits))
    producer, view = Mock(), Mock()
    redrive(view, database(), producer, "", None, None, streams)
    return [call.kwargs for call in producer.send.call_args_list]


def test_a_letter_goes_with_its_series_as_key_and_with_its_arrival(
    monkeypatch: pytest.MonkeyPatch, streams: dict[str, Stream]
) -> None:
    message = orjson.dumps(MENDED)
    (one,) = sent(monkeypatch, streams, letter(7, message))
    assert one["value"] == message
    assert one["key"] == b"Bergen"
    ((name, value),) = one["headers"]
    assert name == ARRIVED_HEADER
    assert datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(value)) == ARRIVED


def test_what_is_no_reading_still_goes_without_a_key(
    monkeypatch: pytest.MonkeyPatch, streams: dict[str, Stream]
) -> None:
    (found,) = sent(monkeypatch, streams, letter(8, b"{}"))
    assert found["key"] is None


def test_a_letter_that_names_no_stream_is_of_the_stream_that_has_its_topic(
    monkeypatch: pytest.MonkeyPatch, streams: dict[str, Stream]
) -> None:
    (found,) = sent(monkeypatch, streams, letter(9, orjson.dumps(MENDED), None))
    assert found["key"] == b"Bergen"
