"""The bar of a backfill: drawn where a person watches, and never in the way of what is sent."""

import io
import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta

import pytest

from producer.backfill import backfill
from producer.feed import Feed
from producer.progress import watch
from tests.producer.conftest import Heard, Kept, TurnedClock
from tests.producer.test_rounds import STREAM, Service


class Standard(io.StringIO):
    """Standard error: a terminal, or a file."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self.isatty = lambda: is_terminal  # type: ignore[method-assign]


@contextmanager
def standard_error(is_terminal: bool) -> Iterator[Standard]:
    """In the test's own body: pytest changes standard error between a fixture and its test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERM", "xterm")
        patch.setenv("COLUMNS", "100")
        patch.setattr(sys, "stderr", error := Standard(is_terminal))
        yield error


def test_a_person_sees_how_far_it_is_and_all_batches_pass() -> None:
    with standard_error(is_terminal=True) as seen:
        assert list(watch(iter([2, 3, 5, 7]), 10, "a backfill")) == [2, 3, 5, 7]
    assert "a backfill" in seen.getvalue()
    assert "100%" in seen.getvalue()


@pytest.mark.parametrize(("is_terminal", "total"), [(True, 0), (True, -1), (False, 5)])
def test_no_bar_where_nothing_is_to_come_or_no_one_watches(is_terminal: bool, total: int) -> None:
    with standard_error(is_terminal) as seen:
        assert list(watch(iter([2, 3]), total, "a backfill")) == [2, 3]
    assert seen.getvalue() == ""


def test_a_backfill_shows_its_pieces_and_a_dry_one_asks_no_store(
    clock: TurnedClock, kept: Kept, heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    days = date(2026, 11, 1), date(2026, 11, 3)
    feed = Feed(STREAM, None, kept, clock, heard)  # type: ignore[arg-type]
    with standard_error(is_terminal=True) as seen:
        done = backfill(feed, Service(clock), *days, dry_run=True)
    assert done.sent == 3 * 288
    assert "market 2026-11-01 to 2026-11-03" in seen.getvalue()
    times = sorted(datetime.fromisoformat(one["timestamp"]) for _, one in kept.readings("markets"))
    assert times[-1] - times[0] == timedelta(days=3) - timedelta(minutes=5)
    assert "a_service has nothing of QLD1, WEM from 2026-11-01T" in caplog.text


def test_what_a_piece_of_a_backfill_lacks_is_asked_for_once_more(
    clock: TurnedClock, kept: Kept, heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    calls = itertools.count()
    halves = [slice(288, None), slice(288)]  # what a first and a second call of a piece give
    service = Service(clock, ["NSW1", "QLD1"], answer=lambda found: found[halves[next(calls) % 2]])
    days = date(2026, 11, 1), date(2026, 11, 3)
    done = backfill(Feed(STREAM, None, kept, clock, heard), service, *days, dry_run=True)  # type: ignore[arg-type]
    sent = [(one["network_region"], one["timestamp"]) for _, one in kept.readings("markets")]
    assert done.sent == len(sent) == len(set(sent)) == 2 * 3 * 288, "NSW1 by the second call; QLD1 once"
    assert len(service.asked) == 2 * 3
    assert "has nothing of WEM from 2026-11-01T" in caplog.text
