"""Arrow schemas from the models: what a reading is dumped to fits in."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from pydantic import BaseModel

from readings.settings import Settings
from readings.stream import load_streams
from spark_consumer.schemas import TIME, arrow_schema
from spark_consumer.sinks.delta import schema_of, streams_of


class Place(BaseModel):
    lat: float


class Model(BaseModel):
    name: str
    at: datetime | None = None
    place: Place | None = None
    count: int = 0
    sure: bool = True
    names: list[str] = []


def test_a_column_a_field() -> None:
    schema = arrow_schema(Model)
    assert {field.name: field.type for field in schema} == {
        "name": pa.string(),
        "at": TIME,
        "place": pa.struct([("lat", pa.float64())]),
        "count": pa.int64(),
        "sure": pa.bool_(),
        "names": pa.list_(pa.string()),
    }
    row = Model(name="a", at=datetime(2026, 1, 1, tzinfo=UTC), place=Place(lat=1.5)).model_dump()
    assert pa.RecordBatch.from_pylist([row], schema=schema).to_pylist() == [row]


def test_a_field_that_has_no_column_is_named() -> None:
    class Odd(BaseModel):
        anything: dict[str, float]

    with pytest.raises(ValueError, match="anything"):
        arrow_schema(Odd)


def test_every_stream_has_a_table() -> None:
    for stream in load_streams(Settings(_env_file=None)).values():
        assert {*stream.model.model_fields, "topic", "offset"} <= set(schema_of(stream).names)


def test_delta_takes_the_streams_that_are_named() -> None:
    streams = load_streams(Settings(_env_file=None))
    assert streams_of(Settings(_env_file=None), streams) == {}
    assert streams_of(Settings(_env_file=None, delta_path="/t"), streams) == streams
    assert list(streams_of(Settings(_env_file=None, delta_path="/t", delta_streams="market, meter"), streams)) == [
        "market",
        "meter",
    ]
