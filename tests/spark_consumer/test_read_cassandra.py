"""What comes back from Cassandra is summed up like what comes from Kafka."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from spark_consumer import read_cassandra
from spark_consumer.sums import due
from tests.spark_consumer.stand_in import database


def test_the_sums_of_what_comes_back_are_due(monkeypatch: pytest.MonkeyPatch) -> None:
    of: Any = database()
    monkeypatch.setattr(read_cassandra, "connect_mongodb", lambda _settings: of)
    row = {
        "price_area": "NO1",
        "production_group": "wind",
        "start_time": datetime(2026, 11, 24, 23, tzinfo=UTC),
        "quantity_kwh": 5.0,
        "document": None,
    }
    batch = pa.RecordBatch.from_pylist([row], schema=read_cassandra.SCHEMA)
    assert [one.to_pylist() for one in read_cassandra._upsert_rows(iter([batch]))] == [[{"rows": 1}]]
    assert list(of["production"].documents) == ["NO1|wind|2026-11-24T23:00:00Z"]
    assert [one["name"] for one in of[due.COLLECTION].documents.values()] == ["2026-11-25"], "Oslo's day"
