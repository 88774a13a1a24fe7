import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import schedule

from producer.errors import Stopped
from producer.scheduler import run_after_each, run_every
from tests.producer.conftest import TurnedClock

HOUR = timedelta(hours=1)


def at(hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2026, 11, 24, hour, minute, second, tzinfo=UTC)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> TurnedClock:
    """What `schedule` takes for the time, too."""
    turned = TurnedClock(end=at(8, 0))

    class Now(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return turned.now().astimezone(tz) if tz else turned.now().replace(tzinfo=None)

    monkeypatch.setattr(schedule, "datetime", SimpleNamespace(datetime=Now, timedelta=timedelta))
    return turned


def runs(clock: TurnedClock, lasting: timedelta, run: Callable[[Callable[[], None]], object]) -> list[datetime]:
    """When a job began that lasts as long."""
    began = []

    def job() -> None:
        began.append(clock.now())
        clock.time += lasting

    with pytest.raises(Stopped):
        run(job)
    return began


@pytest.mark.parametrize(
    ("begin", "lasting", "expected"),
    [
        (at(3, 47), timedelta(seconds=9), [at(3, 47), at(4, 2), at(5, 2), at(6, 2), at(7, 2)]),
        (at(4, 1), timedelta(seconds=9), [at(4, 1), at(4, 2), at(5, 2), at(6, 2), at(7, 2)]),
        (at(4, 2), timedelta(), [at(4, 2), at(5, 2), at(6, 2), at(7, 2)]),
        (at(4, 30), timedelta(minutes=50), [at(4, 30), at(6, 2), at(7, 2)]),
        (at(4, 2), timedelta(minutes=70), [at(4, 2), at(6, 2)]),
    ],
)
def test_rounds_begin_soon_after_each_full_hour_whenever_the_first_was(
    clock: TurnedClock, begin: datetime, lasting: timedelta, expected: list[datetime]
) -> None:
    clock.time = begin
    began = runs(clock, lasting, lambda job: run_after_each(HOUR, job, clock))
    assert [one.replace(second=0) for one in began] == expected


def test_five_minutes_are_full_at_each_five_minutes_of_the_hour(clock: TurnedClock) -> None:
    clock.time = at(7, 48, 30)
    began = runs(clock, timedelta(), lambda job: run_after_each(timedelta(minutes=5), job, clock))
    assert [one.replace(second=one.second // 10 * 10) for one in began] == [
        at(7, 48, 30),
        at(7, 50, 10),
        at(7, 55, 10),
    ]


@pytest.mark.parametrize("zone", ["Europe/Oslo", "Australia/Sydney", "America/New_York"])
def test_the_zone_of_the_process_makes_no_job_due_before_its_time(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`schedule` takes the real time here, as the process's zone has it."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    clock = TurnedClock(now := datetime.now(UTC), end=now)
    assert runs(clock, timedelta(), lambda job: run_every(HOUR, job, now + HOUR / 2, clock)) == []
    assert len(runs(clock, timedelta(), lambda job: run_every(HOUR, job, now, clock))) == 1


def test_an_interval_is_kept_between_runs(clock: TurnedClock) -> None:
    clock.time = at(3, 0)
    began = runs(clock, timedelta(minutes=10), lambda job: run_every(HOUR, job, at(3, 30), clock))
    assert [one.replace(second=0) for one in began] == [at(3, 30), at(4, 40), at(5, 50), at(7, 0)]
