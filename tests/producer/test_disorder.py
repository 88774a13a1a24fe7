from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from producer.disorder import ORDER, Disorder
from producer.dues import Due
from readings.weather import Weather

START = datetime(2026, 11, 24, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
COUNT = 2000


def dues() -> list[Due[Weather]]:
    return [
        Due(
            START + number * MINUTE,
            Weather(source="test", region="Oslo", timestamp=START + number * MINUTE, temperature_c=number % 20),
        )
        for number in range(COUNT)
    ]


def test_without_a_wish_nothing_changes() -> None:
    assert list(ORDER.of(dues())) == dues()


def test_the_wished_share_is_lost() -> None:
    kept = list(Disorder(drop=0.25).of(dues()))
    assert len(kept) == pytest.approx(0.75 * COUNT, rel=0.05)
    assert [due for due in dues() if due in kept] == kept


def test_the_wished_share_comes_twice() -> None:
    times = Counter(due.reading.event_time for due in Disorder(duplicate=0.25).of(dues()))
    assert len(times) == COUNT
    assert sum(count == 2 for count in times.values()) == pytest.approx(0.25 * COUNT, rel=0.1)


def test_shuffled_readings_go_out_later_by_no_more_than_was_wished_and_change_places() -> None:
    shuffled = list(Disorder(shuffle=10 * MINUTE).of(dues()))
    assert sorted(shuffled, key=lambda due: due.reading.event_time) != shuffled
    assert sorted(due.at for due in shuffled) == [due.at for due in shuffled]
    delays = [due.at - due.reading.event_time for due in shuffled]
    assert timedelta() <= min(delays)
    assert 9 * MINUTE < max(delays) <= 10 * MINUTE
    assert {due.reading.event_time for due in shuffled} == {due.reading.event_time for due in dues()}


def test_the_same_seed_makes_the_same_bad_day_and_another_another() -> None:
    wish = {"drop": 0.1, "duplicate": 0.1, "shuffle": 10 * MINUTE}
    assert list(Disorder(**wish).of(dues())) == list(Disorder(**wish).of(dues()))
    assert list(Disorder(**wish).of(dues())) != list(Disorder(**wish, seed=1).of(dues()))
