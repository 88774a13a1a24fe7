"""What producers of the other streams send, as readings or with a reason."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from readings.config import StreamConfig
from readings.facility import Facility
from readings.market import Market
from readings.meter import Meter
from readings.production import Production
from readings.reading import Reading
from readings.stream import MODELS, Stream
from spark_consumer.messages import CONVERTERS, Problem, read_message
from spark_consumer.streams.meter import settled

ARRIVED = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PRODUCTION = {
    "source": "elhub",
    "price_area": "NO5",
    "production_group": "hydro",
    "start_time": "2026-11-22T01:00:00+01:00",
    "quantity_kwh": 2507716.8,
}
METER = {"timestamp": "2026-11-24T11:55:00Z", "sensor_id": "A", "energy": 7973.157}
FACILITY = {"facility_code": "BAYSW", "timestamp": "2026-11-24T21:50:00+10:00", "power": 1320.5, "emissions": 98.1}
MARKET = {"region_code": "NSW1", "timestamp": "2026-11-24T21:50:00+10:00", "price": -31.2, "demand": 7395}


def read(name: str, message: object) -> Reading | Problem:
    config = StreamConfig(topic=name, sources=["test"], cadence="5min", allowed_delay="10min", series=[])
    stream = Stream(name, MODELS[name], config, "")
    [found] = read_message(stream, json.dumps(message).encode(), ARRIVED)
    return found


def reason(name: str, message: object) -> str:
    found = read(name, message)
    assert isinstance(found, Problem)
    return found.reason


def changed(message: dict[str, Any], **fields: object) -> dict[str, Any]:
    return {**message, **fields}


def test_every_stream_has_a_converter() -> None:
    assert set(CONVERTERS) == set(MODELS)


def test_an_hour_of_production_is_read() -> None:
    reading = read("production", PRODUCTION)
    assert isinstance(reading, Production)
    assert reading.series == "NO5/hydro"
    assert reading.key == "NO5|hydro|2026-11-22T00:00:00Z"
    assert reading.interval == timedelta(hours=1)


def test_what_a_meter_shows_is_read() -> None:
    reading = read("meter", METER)
    assert isinstance(reading, Meter)
    assert (reading.series, reading.energy_kwh, reading.source) == ("A", 7973.157, "meters")
    assert read("meter", {"timestamp": METER["timestamp"], "meter_id": "A", "reading_kwh": 7973.157}) == reading


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2026-07-01T12:00:00", datetime(2026, 7, 1, 11, tzinfo=UTC)),
        ("2026-01-01T12:00:00", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("2026-10-25T01:30:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # the earlier of two
        ("2026-03-29T02:00:00", datetime(2026, 3, 29, 1, tzinfo=UTC)),
        ("2026-07-01T12:00:00+02:00", datetime(2026, 7, 1, 10, tzinfo=UTC)),
    ],
)
def test_a_meters_naive_time_is_lisbons(local: str, utc: datetime) -> None:
    reading = read("meter", changed(METER, timestamp=local))
    assert isinstance(reading, Meter)
    assert reading.timestamp == utc


def test_a_time_that_the_clock_change_leaves_out_is_refused() -> None:
    assert "2026-03-29T01:30:00" in reason("meter", changed(METER, timestamp="2026-03-29T01:30:00"))


@pytest.mark.parametrize(
    "message",
    [
        FACILITY,
        changed({}, facility_id="BAYSW", timestamp=FACILITY["timestamp"], power_mw=1320.5, co2_tonnes=98.1),
        changed({}, facility_code="BAYSW", timestamp=FACILITY["timestamp"], power_mw=1320.5, emissions_t=98.1),
    ],
)
def test_a_facility_is_read_in_each_spelling(message: dict[str, Any]) -> None:
    reading = read("facility", message)
    assert isinstance(reading, Facility)
    assert reading.key == "BAYSW|2026-11-24T11:50:00Z"
    assert (reading.power_mw, reading.emissions_t) == (1320.5, 98.1)


@pytest.mark.parametrize(
    "message",
    [
        MARKET,
        changed({}, region_id="NSW1", timestamp=MARKET["timestamp"], price_dmwh=-31.2, demand_mw=7395),
        changed({}, network_region="NSW1", timestamp=MARKET["timestamp"], price_per_mwh=-31.2, demand_mw=7395),
    ],
)
def test_a_market_region_is_read_in_each_spelling(message: dict[str, Any]) -> None:
    reading = read("market", message)
    assert isinstance(reading, Market)
    assert (reading.series, reading.price_per_mwh, reading.demand_mw) == ("NSW1", -31.2, 7395)


@pytest.mark.parametrize(
    ("name", "message", "said"),
    [
        ("production", changed(PRODUCTION, price_area="NO9"), "NO9"),
        ("production", changed(PRODUCTION, production_group="*"), "'hydro', 'other', 'solar', 'thermal' or 'wind'"),
        ("production", changed(PRODUCTION, quantity_kwh=-1), "quantity_kwh"),
        ("production", changed(PRODUCTION, quantity_kwh="2507716.8"), "quantity_kwh"),
        ("meter", changed(METER, energy=-0.1), "energy_kwh"),
        ("meter", changed(METER, energy_kwh=1), "read it under two names"),
        ("meter", changed(METER, timestamp="noon"), "noon"),
        ("meter", changed(METER, timestamp="9999-12-31T23:59:59-01:00"), "after 9999"),
        ("market", changed(MARKET, timestamp="0001-01-01T00:00:00+01:00"), "before the year 1"),
        ("facility", changed(FACILITY, emissions=-1), "emissions_t"),
        ("facility", {"facility_code": "BAYSW", "timestamp": FACILITY["timestamp"]}, "at least one"),
        ("market", changed(MARKET, region_code="NSW2"), "NSW2"),
        ("market", {"region_code": "SA1", "timestamp": MARKET["timestamp"], "price": None}, "at least one"),
    ],
)
def test_what_is_no_reading_says_why(name: str, message: dict[str, Any], said: str) -> None:
    assert said in reason(name, message)


@pytest.mark.parametrize(
    ("earlier", "later", "came", "expected"),
    [
        (None, None, 5.0, (5.0, None)),
        (5.0, None, 5.0, (5.0, None)),
        (5.0, None, 6.0, (5.0, 6.0)),
        (6.0, None, 5.0, (5.0, 6.0)),
        (5.0, 6.0, 6.0, (5.0, 6.0)),
        (5.0, 6.0, 6.5, (5.0, 6.5)),
        (5.0, 6.0, 4.5, (4.5, 6.0)),
    ],
)
def test_in_a_repeated_hour_the_lower_energy_is_the_earlier(
    earlier: float | None, later: float | None, came: float, expected: tuple[float, float | None]
) -> None:
    assert settled(earlier, later, came) == expected


def test_only_a_time_that_comes_twice_is_marked() -> None:
    marked = read("meter", changed(METER, timestamp="2026-10-25T01:30:00"))
    assert (marked.repeated_hour, marked.timestamp) == (True, datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    for clear in ("2026-10-25T00:30:00", "2026-10-25T02:00:00", "2026-10-25T01:30:00+00:00"):
        assert read("meter", changed(METER, timestamp=clear)).repeated_hour is None
