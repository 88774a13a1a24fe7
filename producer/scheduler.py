"""Runs a job at an interval, on the library `schedule`."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import schedule

from producer.clock import Clock

POLL = timedelta(seconds=1)
SOON = 1 / 30
"""Of an interval: services have their values within the first minutes of an hour."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def run_every(interval: timedelta, job: Callable[[], None], first: datetime, clock: Clock) -> NoReturn:
    """Runs the job at `first` and each interval after it ended, until it or the clock raises."""
    _run(interval, job, first, clock, lambda: clock.now() + interval)


def run_after_each(interval: timedelta, job: Callable[[], None], clock: Clock) -> NoReturn:
    """Runs the job at once, and then soon after each full interval (of hours at 1:02, 2:02 …), until it or the clock
    raises.

    What a service has of each interval is read while it is fresh, whenever the process was started.
    """
    _run(interval, job, clock.now(), clock, lambda: _soon_after_full(interval, clock.now()))


def _run(
    interval: timedelta, job: Callable[[], None], first: datetime, clock: Clock, following: Callable[[], datetime]
) -> NoReturn:
    _reckon_in_utc()
    scheduler = schedule.Scheduler()
    scheduled = scheduler.every(int(interval.total_seconds())).seconds.do(job)
    scheduled.next_run = _naive(first)
    while True:
        if scheduled.should_run:
            scheduler.run_pending()
            scheduled.next_run = _naive(following())
        clock.wait_until(clock.now() + POLL)


def _soon_after_full(interval: timedelta, now: datetime) -> datetime:
    """The next instant after now that is `SOON` of an interval after a full one."""
    begin = EPOCH + interval * SOON
    return now + interval - (now - begin) % interval


def _naive(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(tzinfo=None)


def _reckon_in_utc() -> None:
    """`schedule` reckons in the process's local time, naively: an hour would be lost when clocks are put back."""
    os.environ["TZ"] = "UTC"
    time.tzset()
