"""Kafka's messages as the query's rows."""

import orjson
import pyarrow as pa
import pytest

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
