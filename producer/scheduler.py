"""Runs a job at an interval, on the library `schedule`."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import schedule

from producer.clock import Clock

POLL = timedelta(seconds=1)


def run_every(interval: timedelta, job: Callable[[], None], first: datetime, clock: Clock) -> NoReturn:
    """Runs the job at `first` and each interval after, until it or the clock raises."""
    _reckon_in_utc()
    scheduler = schedule.Scheduler()
    scheduled = scheduler.every(int(interval.total_seconds())).seconds.do(job)
    scheduled.next_run = first.astimezone(UTC).replace(tzinfo=None)
    while True:
        scheduler.run_pending()
        clock.wait_until(clock.now() + POLL)


def _reckon_in_utc() -> None:
    """`schedule` reckons in the process's local time, naively: an hour would be lost when clocks are put back."""
    os.environ["TZ"] = "UTC"
    time.tzset()
