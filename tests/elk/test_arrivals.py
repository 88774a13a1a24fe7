"""What the arrivals script makes of messages: the same series, times and lateness as Spark."""

import json
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest

from producer.messages import reading_message
from readings.reading import Reading
from readings.settings import Settings
from readings.stream import Stream, load_streams
from spark_consumer.documents import make_document
from spark_consumer.messages import read_message
from tests.elk.conftest import Arrivals
from tests.elk.recorded import event, recorded

pytestmark = pytest.mark.slow

STREAMS = load_streams(Settings(_env_file=None))
ARRIVED = datetime(2026, 11, 24, 12, 0, 30, 250_000, UTC)

SHAPES: dict[str, list[Any]] = {
    "weather": [
        {"region_name": "Bergen", "data_dt": 1795500000, "data_temp": 4.5, "lat": 60.4, "lon": 5.3},
        {"region_name": "Bergen", "data_dt": "2026-11-24T11:00:00", "data_temp": 4.5, "mode": "replay"},
        {"source": "x", "region": "Oslo", "timestamp": "2026-11-24T11:31:00+00:00", "temperature_c": 1.0},
        {"source": "x", "region": "Oslo", "timestamp": "2026-11-24T12:30:30.2501+01:00", "temperature_c": 1.0},
        {"source": "x", "region": "Oslo", "timestamp": "2026-11-24T11:30:30.249Z", "temperature_c": 1.0},
        [
            {"source": "x", "region": "Oslo", "timestamp": "2026-11-20T11:00:00Z", "temperature_c": 1.0},
            {
                "source": "x",
                "region": "Oslo",
                "timestamp": "2026-11-20T12:00:00Z",
                "mode": "backfill",
                "temperature_c": 0.0,
            },
        ],
    ],
    "meter": [
        {"timestamp": "2026-11-24T11:55:00", "sensor_id": "home-A", "energy": 5.0},
        {"timestamp": "2026-10-25T01:30:00", "meter_id": "home-A", "reading_kwh": 5.0},
        {"timestamp": "2026-07-01 12:00:00.123456", "sensor_id": "home-B", "energy_kwh": 5.0},
        {"timestamp": "2026-07-01T12:00:00+05:30", "sensor_id": "home-B", "energy_kwh": 5.0},
    ],
    "facility": [{"facility_id": "BAYSW", "timestamp": "2026-11-24T21:50:00+10:00", "power": 1.0}],
    "market": [
        {"region_id": "NSW1", "timestamp": "2026-11-24T21:50:00+10:00", "price": -1.5},
        {"region_code": "VIC1", "timestamp": "2026-11-24T21:30:00+10:00", "demand": 4000},
    ],
    "production": [
        {"source": "elhub", "price_area": "NO5", "production_group": "hydro", "start_time": start, "quantity_kwh": 1.0}
        for start in ("2026-11-21T11:00:30.250Z", "2026-11-21T11:00:30.249Z", "2026-10-25T02:00:00+01:00")
    ],
}
"""Messages that Spark reads, in each shape there is."""

UNREADABLE = [
    b"",
    b"{half",
    b"[]",
    b"42",
    b'["x"]',
    b"\xff\xfe{}",
    b'{"source": "x", "region": "Oslo", "temperature_c": 1.0}',
    b'{"source": "x", "timestamp": "2026-11-24T11:00:00Z"}',
    b'{"region": "Oslo", "timestamp": "2026-11-24T11:00:00"}',
    b'{"region": "Oslo", "timestamp": "2026-02-30T11:00:00Z"}',
    b'{"region": "Oslo", "timestamp": "2026-11-24T11:00:00+99:00"}',
    b'{"region": "Oslo", "timestamp": "9999-12-31T23:59:59-14:00"}',
    b'{"region": "Oslo", "timestamp": "0001-01-01T00:00:00+14:00"}',
    b'{"region": "Oslo", "timestamp": "0000-12-31T12:00:00Z"}',
    b'{"region": "", "timestamp": "2026-11-24T11:00:00Z"}',
    b'{"region": "Oslo", "timestamp": "2026-11-24T11:00:00Z", "mode": "dead"}',
    b'{"region": "Oslo", "timestamp": null}',
    b"[" * 200 + b"]" * 200,
    b'{"region_name": "Oslo", "data_dt": 1795500000000}',
    b'{"region_name": "Oslo", "data_dt": -1}',
    b'{"region_name": "Oslo", "data_dt": 1e300}',
    b'{"region_name": "Oslo", "data_dt": 1e308}',
]


def as_spark_has_it(stream: Stream, value: bytes) -> list[dict[str, Any]]:
    documents = []
    for reading in read_message(stream, value, ARRIVED):
        assert isinstance(reading, Reading), reading
        document = make_document(stream, reading, ARRIVED, 0, 0)
        judged = {name: document[name] for name in ("series", "mode", "delay_s", "late")}
        documents.append(judged | {"event_time": f"{reading.event_time:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"})
    return documents


@pytest.mark.parametrize("name", SHAPES)
def test_each_shape_is_judged_as_spark_judges_it(arrivals: Arrivals, name: str) -> None:
    stream = STREAMS[name]
    messages = [json.dumps(shape).encode() for shape in SHAPES[name]]
    made = arrivals([event(stream, message, ARRIVED) for message in messages])
    for message, events in zip(messages, made, strict=True):
        fields = [one["fields"] for one in events]
        expected = as_spark_has_it(stream, message)
        judged = ("series", "mode", "delay_s", "late", "event_time")
        assert [{key: one[key] for key in judged} for one in fields] == expected, message


@pytest.mark.parametrize("name", STREAMS)
def test_recorded_readings_are_judged_as_spark_judges_them(arrivals: Arrivals, name: str) -> None:
    stream = STREAMS[name]
    shifted = []
    for number, reading in enumerate(islice(recorded(stream, 40, ARRIVED), 200)):
        delay = number % 20 / 10 * stream.config.allowed_delay
        at = ARRIVED - stream.model.interval - delay
        shifted.append(reading.model_copy(update={stream.model.time_field: at}))
    messages = [reading_message(reading, stream.topic).value for reading in shifted]
    made = arrivals([event(stream, message, ARRIVED) for message in messages])
    judged = ("series", "mode", "late")
    for message, (one,) in zip(messages, made, strict=True):
        (expected,) = as_spark_has_it(stream, message)
        assert {key: one["fields"][key] for key in judged} == {key: expected[key] for key in judged}
        assert one["fields"]["delay_s"] == pytest.approx(expected["delay_s"], abs=1e-6)
    assert {one["fields"]["late"] for (one,) in made} == {True, False}


def test_what_cannot_be_read_is_kept_whole_with_its_tag(arrivals: Arrivals) -> None:
    weather = STREAMS["weather"]
    events = [event(weather, value, ARRIVED, offset) for offset, value in enumerate(UNREADABLE)]
    made = arrivals(events)
    for offset, (given, result) in enumerate(zip(events, made, strict=True)):
        (one,) = result
        assert one["fields"]["tags"] == ["unreadable"], given
        assert one["fields"]["reason"]
        assert "late" not in one["fields"]
        whole = one["fields"]["message"]
        assert whole == given["message"] or json.loads(given["message"]) == [json.loads(whole)]
        assert one["metadata"]["id"] == f"openweathermap|0|{offset}|0"


def test_a_time_that_no_clock_shows_takes_no_other_reading_with_it(arrivals: Arrivals) -> None:
    good = {"region_name": "Oslo", "data_dt": 1795500000, "data_temp": 4.5}
    messages = [json.dumps([good, {**good, "data_dt": at}, good]).encode() for at in (1795500000000, 1e300, 1e308)]
    for events in arrivals([event(STREAMS["weather"], message, ARRIVED) for message in messages]):
        assert [one["fields"].get("tags") for one in events] == [None, ["unreadable"], None]
        assert "data_dt" in events[1]["fields"]["reason"]


def test_a_time_that_the_clock_change_left_out_is_unreadable(arrivals: Arrivals) -> None:
    left_out = json.dumps({"timestamp": "2026-03-29T01:30:00", "sensor_id": "home-A", "energy": 5.0}).encode()
    ((one,),) = arrivals([event(STREAMS["meter"], left_out, ARRIVED)])
    assert one["fields"]["tags"] == ["unreadable"]
    assert "clock change" in one["fields"]["reason"]


def test_ids_tell_places_apart_and_the_index_is_the_month_of_arrival(arrivals: Arrivals) -> None:
    two = json.dumps([SHAPES["weather"][2]] * 2).encode()
    made = arrivals([event(STREAMS["weather"], two, ARRIVED, 9, 1)])
    assert [one["metadata"] for one in made[0]] == [
        {"id": f"openweathermap|1|9|{position}", "index": "arrivals-2026.11"} for position in (0, 1)
    ]
