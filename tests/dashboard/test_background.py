"""What is read in the background: all see the newest, and an error reaches who looks until it is over."""

import threading
import time

import pytest

from dashboard.background import Background


def test_the_first_look_waits_and_later_ones_see_what_is_newest() -> None:
    numbers = iter(range(1, 1000))
    background = Background("numbers", lambda: next(numbers), 0.01)
    assert background.newest() >= 1
    deadline = time.monotonic() + 10
    while background.newest() < 5:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_error_is_told_and_forgotten_when_it_is_over() -> None:
    broken = threading.Event()
    broken.set()

    def read() -> int:
        if broken.is_set():
            raise OSError("away")
        return 7

    background = Background("store", read, 0.01)
    with pytest.raises(OSError, match="away"):
        background.newest()
    broken.clear()
    deadline = time.monotonic() + 10
    while True:
        try:
            assert background.newest() == 7
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_one_round_that_fails_takes_nothing_from_the_page_and_the_second_is_told() -> None:
    steps = threading.Semaphore(0)
    outcomes = iter([7, OSError("a moment"), 8, OSError("away"), OSError("away"), 9])
    read = threading.Event()

    def next_one() -> int:
        read.set()
        steps.acquire()
        outcome = next(outcomes)
        if isinstance(outcome, OSError):
            raise outcome
        return outcome

    background = Background("store", next_one, 0.001)
    steps.release()
    assert background.newest() == 7

    def after_a_round() -> int:
        assert read.wait(10)
        read.clear()
        steps.release()
        assert read.wait(10), "the next round has begun, so this one is known"
        return background.newest()

    read.clear()
    steps.release()
    assert [after_a_round() for _ in range(2)] == [8, 8]
    with pytest.raises(OSError, match="away"):
        after_a_round()


def test_who_looks_does_not_wait_for_ever() -> None:
    background = Background("slow", lambda: time.sleep(60), 1)
    with pytest.raises(TimeoutError):
        background.newest(wait_s=0.05)
