from datetime import datetime, timedelta
from typing import Any

import pytest

from producer.errors import NotRead
from producer.unread import READ_WITHIN, check_consumer, unread, wait_until_read
from readings.parts import ALIVE_S
from tests.producer.conftest import NOW, TurnedClock
from tests.stand_in import Collection

ENDS = {0: 7, 1: 0, 2: 3}


def offsets(*read: tuple[str, str, int, int], at: datetime = NOW) -> dict[str, Any]:
    """A heartbeat: query, topic, partition, what comes next."""
    names = ("query", "topic", "partition", "offset")
    return {"_id": "consumer", "at": at, "offsets": [dict(zip(names, one, strict=True)) for one in read]}


def test_what_the_ingest_has_not_told_of_is_unread_whatever_other_queries_and_topics_have() -> None:
    assert unread({}, "energy", ENDS) == 10
    others = [("meter_totals", "energy", 0, 7), ("ingest", "production", 0, 7)]
    assert unread(offsets(*others), "energy", ENDS) == 10
    assert unread(offsets(*others, ("ingest", "energy", 0, 5), ("ingest", "energy", 2, 3)), "energy", ENDS) == 2
    assert unread(offsets(("ingest", "energy", 0, 9), ("ingest", "energy", 2, 3)), "energy", ENDS) == 0
    assert unread({}, "energy", {}) == 0


class ReadingOn(TurnedClock):
    """A clock on which a consumer reads a message whenever somebody waits."""

    def __init__(self, parts: Collection, speed: int) -> None:
        super().__init__()
        self.parts, self.speed, self.read = parts, speed, 0

    def wait_until(self, instant: datetime) -> None:
        super().wait_until(instant)
        self.read += self.speed
        read = ("ingest", "energy", 0, self.read), ("ingest", "energy", 2, 3)
        self.parts.documents["consumer"] = offsets(*read, at=self.now())


def test_the_consumer_is_waited_for_until_it_has_read_up_to_the_ends() -> None:
    parts = Collection()
    parts.documents["consumer"] = offsets()
    clock = ReadingOn(parts, 1)
    database: Any = {"parts": parts}
    wait_until_read(database, "energy", ENDS, clock)
    assert clock.read == 7


def test_a_consumer_that_does_not_read_on_is_given_up_at_the_deadline() -> None:
    parts = Collection()
    parts.documents["consumer"] = offsets()
    clock = ReadingOn(parts, 0)
    database: Any = {"parts": parts}
    with pytest.raises(NotRead, match="has not read 7 messages of energy within 15 min"):
        wait_until_read(database, "energy", ENDS, clock)
    assert clock.now() == NOW + READ_WITHIN


def test_a_consumer_that_ends_while_it_is_waited_for_is_told_at_once() -> None:
    parts = Collection()
    parts.documents["consumer"] = offsets()
    clock = TurnedClock()
    database: Any = {"parts": parts}
    with pytest.raises(NotRead, match="does not run"):
        wait_until_read(database, "energy", ENDS, clock)
    assert clock.now() < NOW + timedelta(seconds=2 * ALIVE_S)


@pytest.mark.parametrize(("silent_s", "runs"), [(None, False), (ALIVE_S + 1, False), (ALIVE_S - 1, True)])
def test_a_consumer_that_is_not_heard_of_does_not_run(silent_s: float | None, runs: bool) -> None:
    parts = Collection()
    database: Any = {"parts": parts}
    if silent_s is not None:
        parts.documents["consumer"] = offsets()
    now = NOW + timedelta(seconds=silent_s or 0)
    if runs:
        check_consumer(database, now)
    else:
        with pytest.raises(NotRead, match="does not run"):
            check_consumer(database, now)
