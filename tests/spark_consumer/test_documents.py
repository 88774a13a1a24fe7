from datetime import UTC, datetime, timedelta
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readings.stored import version
from readings.stream import Stream
from readings.weather import Weather
from spark_consumer.documents import Document, make_document, merge, merge_all

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def document(
    weather: Stream, temperature_c: float, arrived_s: float, offset: int, source: str = "test", mode: str = "live"
) -> Document:
    reading = Weather(source=source, mode=mode, region="Bergen", timestamp=NOON, temperature_c=temperature_c)
    return make_document(weather, reading, NOON + timedelta(seconds=arrived_s), 0, offset)


def test_a_live_reading_is_late_from_the_allowed_delay_on(weather: Stream) -> None:
    assert not document(weather, 5, 1800, 1)["late"]
    late = document(weather, 5, 1800.001, 1)
    assert late["late"]
    assert late["delay_s"] == 1800.001


def test_a_backfill_and_a_replay_are_never_late(weather: Stream) -> None:
    assert not document(weather, 5, 90_000, 1, mode="backfill")["late"]
    assert not document(weather, 5, 90_000, 1, mode="replay")["late"]


def test_absent_fields_are_absent_in_the_document(weather: Stream) -> None:
    assert "rain_mm" not in document(weather, 5, 0, 1)


def test_a_revision_replaces_the_values_and_keeps_the_first_arrival(weather: Stream) -> None:
    first, second = document(weather, 5, 10, 1), document(weather, 6, 4000, 2)
    kept = merge(first, second)
    assert kept["temperature_c"] == 6
    assert (kept["arrived_at"], kept["delay_s"], kept["late"]) == (first["arrived_at"], 10, False)
    assert (kept["revision"], kept["revised_at"]) == (1, NOON + timedelta(seconds=4000))


def test_the_same_values_again_are_no_revision_even_from_another_source(weather: Stream) -> None:
    first = document(weather, 5, 10, 1)
    assert merge(first, document(weather, 5, 20, 2, source="other", mode="backfill")) is first


def test_an_earlier_message_never_replaces(weather: Stream) -> None:
    second = document(weather, 6, 20, 2)
    assert merge(second, document(weather, 5, 10, 1)) is second


def test_the_offset_decides_within_one_millisecond(weather: Stream) -> None:
    assert merge(document(weather, 5, 10, 1), document(weather, 6, 10, 2))["temperature_c"] == 6
    assert version(document(weather, 5, 10, 2)) > version(document(weather, 5, 10, 1))


@pytest.mark.slow
@given(
    temperatures=st.lists(st.integers(0, 2), min_size=1, max_size=8),
    again_from=st.integers(0, 7),
    split=st.integers(0, 7),
)
def test_a_topic_read_again_ends_where_it_was(temperatures: list[int], again_from: int, split: int) -> None:
    from readings.settings import Settings
    from readings.stream import load_streams

    weather = load_streams(Settings(_env_file=None))["weather"]
    arrived = [document(weather, t, 10 + i // 2, i) for i, t in enumerate(temperatures)]
    once = merge_all(arrived)
    twice = merge_all([*arrived, *arrived[again_from:]])
    in_batches = merge_all(arrived[split:], merge_all(arrived[:split]) if arrived[:split] else None)
    assert twice == once
    changes = sum(a != b for a, b in pairwise(temperatures))
    assert once["revision"] == changes
    assert once["temperature_c"] == temperatures[-1]
    assert in_batches == once


def test_the_latest_values_win_in_any_order_of_arrival(weather: Stream) -> None:
    documents = [document(weather, t, 10 * t, t) for t in (1, 2, 3)]
    for order in permutations(documents):
        kept = merge_all(order)
        assert kept["temperature_c"] == 3
