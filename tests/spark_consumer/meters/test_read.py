"""Kafka's messages as the query's rows."""

from datetime import UTC, datetime

import orjson
import pyarrow as pa
import pytest

from readings.anew import Anew
from readings.settings import Settings
from readings.stream import load_streams
from spark_consumer.meters import query

SPARKS = {pa.string(): "string", pa.binary(): "binary"}


def test_a_message_is_a_row_of_the_querys_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = load_streams(Settings(_env_file=None))["meter"]
    monkeypatch.setattr(query, "_worker", lambda: (stream, None, None))
    sent = {"timestamp": "2026-10-25T01:30:00", "sensor_id": "home", "energy": 5.5}
    messages = [
        {"partition": 1, "offset": 7, "arrived_ms": 1_792_900_000_000, "value": value, "redriven": redriven}
        for value, redriven in ((orjson.dumps(sent), False), (b"none", False), (orjson.dumps([sent]), True))
    ]
    (found,) = query._read(iter([pa.RecordBatch.from_pylist(messages)]))
    expected = [tuple(one.split()) for one in query.READINGS.split(", ")]
    assert [(one.name, SPARKS[one.type]) for one in found.schema] == expected
    sent_at = {"at_ms": 1_792_888_200_000, "arrived_ms": 1_792_900_000_000, "partition": 1, "offset": 7}
    assert [(one["sensor_id"], query.Reading(*orjson.loads(one["reading"]))) for one in found.to_pylist()] == [
        ("home", query.Reading(kwh=5.5, repeated_hour=True, redriven=redriven, **sent_at)) for redriven in (False, True)
    ]


def test_what_was_replayed_before_the_meters_went_live_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = load_streams(Settings(_env_file=None))["meter"]
    monkeypatch.setattr(query, "_worker", lambda: (stream, None, None))
    went_live = Anew(sources=("replay", "replay-interpolated"), before=datetime(2026, 10, 25, 12, tzinfo=UTC))
    before_ms = round(datetime(2026, 10, 25, 12, tzinfo=UTC).timestamp() * 1000)
    sent = [
        ("replay", before_ms - 1),
        ("meters", before_ms - 1),
        ("replay-interpolated", before_ms - 1),
        ("replay", before_ms),
    ]
    messages = [
        {
            "partition": 0,
            "offset": number,
            "arrived_ms": arrived_ms,
            "value": orjson.dumps(
                {"source": source, "timestamp": "2026-10-25T09:00:00Z", "sensor_id": "home", "energy_kwh": 5.5}
            ),
            "redriven": False,
        }
        for number, (source, arrived_ms) in enumerate(sent)
    ]

    def offsets(*of: Anew) -> list[int]:
        (found,) = query._read(iter([pa.RecordBatch.from_pylist(messages)]), *of)
        return [query.Reading(*orjson.loads(one)).offset for one in found.column("reading").to_pylist()]

    assert offsets(went_live) == [1, 3]
    assert offsets() == [0, 1, 2, 3]
