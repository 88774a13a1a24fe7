"""Series that are silent are asked for less and less often; what is too old to be asked for is told once."""

from datetime import timedelta

import pytest

from producer.stragglers import Span, Stragglers
from tests.producer.conftest import NOW

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
EVERY = 2 * HOUR


class Silent:
    """A series that ended at `NOW`; each hour it is looked at."""

    def __init__(self) -> None:
        self.stragglers = Stragglers({}, {"WEM": NOW})
        self.stragglers.note(["WEM"], (), NOW + HOUR, NOW, NOW)
        self.asked: list[Span] = []
        self.too_old: list[Span] = []

    def pass_days(self, first: int, last: int) -> None:
        """All that is due is asked for, and answered with nothing."""
        for hour in range(24 * first, 24 * last):
            now = NOW + hour * HOUR
            too_old, due = self.stragglers.due((), now, WEEK, EVERY, now)
            self.too_old += too_old
            self.asked += due
            for begin, end, series in due:
                self.stragglers.note_asked({one: [] for one in series}, begin, end, (), now)


@pytest.mark.parametrize(("days", "calls"), [(1, 12), (3, 8), (6, 4)])
def test_a_series_is_asked_for_after_as_many_hours_as_it_has_been_silent_for_days(days: int, calls: int) -> None:
    silent = Silent()
    silent.pass_days(0, days)
    silent.asked.clear()
    silent.pass_days(days, days + 1)
    assert len(silent.asked) == calls


def test_what_is_too_old_is_told_once_and_no_more_asked_for() -> None:
    silent = Silent()
    silent.pass_days(0, 20)
    told = silent.too_old
    assert told[0][0] == NOW
    assert [begin for begin, _, _ in told[1:]] == [end for _, end, _ in told[:-1]]
    assert max(end - begin for begin, end, _ in silent.asked) <= WEEK + HOUR, "from a full hour"
