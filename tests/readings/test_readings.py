from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from readings.dead_letters import DeadLetter, encode_message
from readings.declared import Declared, declare
from readings.declared import declared as read_declared
from readings.settings import Settings
from readings.stored import version
from readings.stream import load_streams
from readings.weather import Weather

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def weather(**fields: object) -> Weather:
    return Weather.model_validate(
        {"source": "test", "region": "Bergen", "timestamp": NOON, "temperature_c": 5.0, **fields}
    )


def test_times_of_any_zone_are_kept_as_utc_milliseconds() -> None:
    local = datetime(2026, 11, 24, 13, 0, 0, 123_456, timezone(timedelta(hours=1)))
    assert weather(timestamp=local).timestamp == NOON.replace(microsecond=123_000)
    assert weather(timestamp=local).key == "Bergen|2026-11-24T12:00:00.123000Z"


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature_c": 60.1},
        {"temperature_c": -90.1},
        {"temperature_c": "5"},
        {"temperature_c": float("nan")},
        {"humidity_pct": 101},
        {"wind_speed_ms": -0.1},
        {"wind_deg": 361},
        {"region": ""},
        {"region": "a|b"},
        {"timestamp": NOON.replace(tzinfo=None)},
        {"mode": "dead"},
        {"temperature_f": 5.0},
    ],
)
def test_what_breaks_the_bounds_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        weather(**wrong)


def test_the_index_is_named_by_the_event_month() -> None:
    stream = load_streams(Settings(_env_file=None, skywatt_namespace="demo"))["weather"]
    assert stream.index(datetime(2021, 1, 31, 23, 59, tzinfo=UTC)) == "demo-readings-weather-2021.01"


def test_what_arrives_later_is_a_later_version_whatever_its_offset() -> None:
    """Of an offset there are only the last 20 bits."""
    first = {"kafka": {"arrived_at": NOON, "partition": 0, "offset": 0xFFFFF}}
    later = {"kafka": {"arrived_at": NOON + timedelta(milliseconds=1), "partition": 0, "offset": 0x100000}}
    assert version(later) > version(first)


@pytest.mark.parametrize(
    ("name", "delay_s"),
    [("weather", 7200), ("production", 3600), ("meter", 7200), ("facility", 7200), ("market", 7200)],
)
def test_a_delay_counts_from_the_end_of_an_interval(name: str, delay_s: float) -> None:
    stream = load_streams(Settings(_env_file=None))[name]
    assert stream.delay_s(NOON, NOON + timedelta(hours=2)) == delay_s


def declared(since: datetime | None = NOON - timedelta(days=1)) -> Declared:
    return Declared("test", ("Bergen", "Oslo"), timedelta(minutes=15), since)


def test_a_series_is_silent_after_cadence_and_allowed_delay() -> None:
    allowed = timedelta(minutes=30)
    newest = {"Bergen": NOON - timedelta(minutes=45), "Oslo": NOON - timedelta(minutes=46)}
    assert declared().silent(newest, allowed, NOON) == {"Oslo": newest["Oslo"]}


def test_a_series_never_seen_is_silent_when_declared_for_as_long() -> None:
    allowed = timedelta(minutes=30)
    newest = {"Bergen": NOON}
    assert declared().silent(newest, allowed, NOON) == {"Oslo": None}
    assert declared(NOON - timedelta(minutes=44)).silent(newest, allowed, NOON) == {}
    assert declared(None).silent(newest, allowed, NOON) == {}


def test_a_series_that_was_added_later_is_silent_when_declared_for_as_long_itself() -> None:
    allowed = timedelta(minutes=30)
    added = replace(declared(), added={"Oslo": NOON - timedelta(minutes=44)})
    assert added.silent({"Bergen": NOON}, allowed, NOON) == {}
    assert added.silent({"Bergen": NOON}, allowed, NOON + timedelta(minutes=2)) == {"Oslo": None}


class Sources:
    """The collection of declarations, as far as one stream needs it."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] | None = None

    def find_one(self, _which: object) -> dict[str, Any] | None:
        return self.kept

    def update_one(self, which: dict[str, Any], change: dict[str, Any], *, upsert: bool) -> None:
        assert upsert
        self.kept = {**which, **(change["$setOnInsert"] if self.kept is None else self.kept), **change["$set"]}


def test_declaring_again_says_since_when_each_added_series_is_declared() -> None:
    stream = load_streams(Settings(_env_file=None))["weather"]
    sources = Sources()
    database: Any = {"sources": sources}

    declare(database, stream, "test", ["Bergen"], timedelta(minutes=15))
    first = read_declared(database, stream)
    declare(database, stream, "test", ["Bergen", "New York 4.5"], timedelta(minutes=15))
    declare(database, stream, "test", ["Bergen", "New York 4.5"], timedelta(minutes=15))
    second = read_declared(database, stream)
    declare(database, stream, "test", ["Bergen"], timedelta(minutes=15))

    assert (first.added, second.since) == ({}, first.since)
    assert first.since is not None
    assert second.added.keys() == {"New York 4.5"}
    assert second.added["New York 4.5"] >= first.since
    assert read_declared(database, stream).added == {}


@pytest.mark.parametrize("message", [b"", b"text \xc3\xb8", b"\xff\x00", b"\x00" * 5000, b"x" * 5000])
def test_a_dead_letter_keeps_its_message_whole(message: bytes) -> None:
    text, encoding = encode_message(message)
    letter = DeadLetter(
        stream="weather", topic="t", reason="r", message=text, encoding=encoding, arrived_at=NOON, partition=0, offset=7
    )
    again = DeadLetter.model_validate_json(letter.model_dump_json())
    assert again.message_bytes == message
    assert again.key == "t|0|7|0"
    assert len(letter.model_dump_json()) < 2 * len(message) + 400


def test_a_letter_without_a_place_in_kafka_is_kept_once_by_what_it_says() -> None:
    one, other = (
        DeadLetter(stream="weather", topic="t", source="owm", reason=reason, message="m", arrived_at=NOON)
        for reason in ("first said", "said otherwise")
    )
    assert one.key == other.key
