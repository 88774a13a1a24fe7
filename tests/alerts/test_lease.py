"""Only one engine works at a time. The lease's document is kept here in a dict, as MongoDB would."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import elasticsearch
import pytest
from pymongo.errors import AutoReconnect, DuplicateKeyError

from alerts import lease, run
from alerts.engine import Engine, RoundReport
from alerts.lease import Lease
from alerts.run import Evaluation, Waits

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Stored:
    """A collection of one document."""

    def __init__(self) -> None:
        self.document: dict[str, Any] | None = None

    def find_one(self, _query: object) -> dict[str, Any] | None:
        return dict(self.document) if self.document else None

    def update_one(self, query: Mapping[str, Any], change: Mapping[str, Any], upsert: bool = False) -> Any:
        if self.document is None and upsert:
            self.document = dict(change["$set"])
        elif self.document and any(_fits(self.document, one) for one in query.get("$or", [query])):
            self.document |= change["$set"]
            return SimpleNamespace(matched_count=1)
        elif upsert:
            raise DuplicateKeyError("there")
        return SimpleNamespace(matched_count=0)

    def delete_one(self, query: Mapping[str, Any]) -> None:
        if self.document and self.document["holder"] == query["holder"]:
            self.document = None


def _fits(document: Mapping[str, Any], query: Mapping[str, Any]) -> bool:
    for name, wanted in query.items():
        if name == "_id":
            continue
        if isinstance(wanted, dict):
            if not document[name] < wanted["$lt"]:
                return False
        elif document.get(name) != wanted:
            return False
    return True


class Clock:
    """Turned by hand: what `time.monotonic` and `now` give."""

    def __init__(self) -> None:
        self.s = 1000.0

    def monotonic(self) -> float:
        return self.s

    @property
    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.s - 1000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    turned = Clock()
    monkeypatch.setattr(lease, "time", turned)
    return turned


def leases(stored: Stored, every: timedelta = SECOND, **of_second: object) -> tuple[Lease, Lease]:
    """Two engines, the second on another machine unless `of_second` says otherwise."""
    database = cast(Any, {lease.COLLECTION: stored})
    first, second = Lease(database, every), Lease(database, every)
    second._me |= {"host": "another"} | of_second
    return first, second


def test_a_second_engine_waits_until_the_lease_ends(clock: Clock) -> None:
    first, second = leases(Stored())
    assert (first.take(clock.now), second.take(clock.now)) == ("new", None)
    clock.s += 21
    assert (second.take(clock.now), first.take(clock.now)) == ("new", None)
    second.give_back()
    assert first.take(clock.now) == "new"
    clock.s += 6
    assert first.take(clock.now) == "kept"


def test_an_engine_that_was_paused_past_its_lease_has_it_anew_or_not_at_all(clock: Clock) -> None:
    first, second = leases(Stored())
    first.take(clock.now)
    clock.s += 60
    assert not first.lasts(0)
    second.take(clock.now)
    second.give_back()
    assert first.take(clock.now) == "new"
    assert first.lasts(10)
    clock.s += 11
    assert not first.lasts(10)


def test_with_rounds_far_apart_the_lease_lasts_from_one_to_the_next(clock: Clock) -> None:
    first, second = leases(Stored(), timedelta(seconds=30))
    first.take(clock.now)
    for _ in range(5):
        clock.s += 25
        assert second.take(clock.now) is None
        clock.s += 5
        assert first.take(clock.now) == "kept"


def test_the_lease_is_renewed_also_where_the_clock_is_set_back(clock: Clock) -> None:
    stored = Stored()
    first, _ = leases(stored)
    first.take(clock.now + timedelta(hours=1))
    clock.s += 6
    first.take(clock.now)

    assert stored.document is not None
    assert stored.document["until"] == clock.now + timedelta(seconds=20)


@pytest.mark.parametrize(
    ("of_first", "taken"),
    [
        ({"pid": 2**22 + 1}, "new"),
        ({"started": "an earlier process"}, "new"),
        ({}, None),
        ({"boot": "another machine", "pid": 2**22 + 1}, None),
    ],
    ids=["it ended", "its process's number has another process", "it lives", "another machine of the same name"],
)
def test_an_engine_that_was_killed_on_this_machine_has_no_lease_any_more(
    clock: Clock, of_first: dict[str, object], taken: str | None
) -> None:
    first, second = leases(Stored(), host="here")
    first._me |= {"host": "here"} | of_first
    first.take(clock.now)

    assert second.take(clock.now) == taken


class Rounds:
    """An engine that counts, and that is blind where it is told to be."""

    def __init__(self) -> None:
        self.loads = 0
        self.blind: dict[str, str] = {}

    def load(self, _now: datetime) -> None:
        self.loads += 1

    def round(self, _now: datetime) -> RoundReport:
        return RoundReport(0, 0, 0, blind=self.blind)


Once = Callable[[], list[str]]
"""Makes a round, and gives what is waited for after it."""


@pytest.fixture
def evaluate(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Callable[[Rounds, Stored], Once]:
    """Gives a way to make rounds, which gives what is waited for after each."""
    monkeypatch.setattr(run, "copy_to_view", lambda *_: None)
    monkeypatch.setattr(run, "prune_silences", lambda *_: None)
    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: clock.s))
    parts = SimpleNamespace(update_one=lambda *_, **__: None)
    outbox = SimpleNamespace(prepare=lambda: None, prune=lambda _: None)
    told = SimpleNamespace(count=lambda **_: None, waiting=lambda _: None, running=lambda: None)
    route = SimpleNamespace(pause_s=0, described="", name="")

    def of(engine: Rounds, stored: Stored) -> Once:
        waits = Waits(cast(Any, told))
        evaluation = Evaluation(
            cast(Engine, engine),
            cast(Any, SimpleNamespace(outbox=outbox)),
            cast(Any, {lease.COLLECTION: stored, "parts": parts}),
            *cast(Any, (None, "", route, told)),
            waits,
            SECOND,
        )

        def once() -> list[str]:
            evaluation.once(clock.now)
            return list(waits._what.values())

        return once

    return of


def test_an_engine_that_finds_its_lease_taken_meanwhile_loads_before_its_next_round(
    clock: Clock, evaluate: Callable[[Rounds, Stored], Once]
) -> None:
    stored, engine = Stored(), Rounds()
    _, second = leases(stored)
    once = evaluate(engine, stored)
    once()
    clock.s += 1
    once()
    assert engine.loads == 1

    clock.s += 60
    second.take(clock.now)
    second.give_back()
    once()

    assert engine.loads == 2


def test_a_rule_that_is_blind_for_a_moment_is_not_spoken_of(
    clock: Clock, evaluate: Callable[[Rounds, Stored], Once]
) -> None:
    engine = Rounds()
    once = evaluate(engine, Stored())
    said = []
    for blind in (False, True, True, False, True, True, True):
        engine.blind = {"late": "not all shards answered"} if blind else {}
        said.append(once())
        clock.s += 3
    assert said == [[]] * 6 + [["rule late: not all shards answered"]]


@pytest.mark.parametrize(
    ("error", "waited_for"),
    [
        (elasticsearch.ConnectionTimeout("too slow"), "elasticsearch to take the copy of alerts"),
        (AutoReconnect("gone"), "mongodb"),
    ],
)
def test_a_copy_that_fails_is_said_once_and_holds_up_neither_rounds_nor_pruning(
    clock: Clock,
    evaluate: Callable[[Rounds, Stored], Once],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    waited_for: str,
) -> None:
    copy, pruned = Mock(side_effect=error), Mock()
    monkeypatch.setattr(run, "copy_to_view", copy)
    monkeypatch.setattr(run, "prune_silences", pruned)
    once = evaluate(Rounds(), Stored())

    assert [once() for _ in range(3)] == [[waited_for]] * 3
    [record] = caplog.records
    assert record.getMessage().startswith("put off to the next round: the copy of alerts")
    assert pruned.call_count == 1
    copy.side_effect = None
    assert once() == []


def test_pruning_that_fails_is_tried_each_round_and_then_each_hour(
    clock: Clock, evaluate: Callable[[Rounds, Stored], Once], monkeypatch: pytest.MonkeyPatch
) -> None:
    pruned = Mock(side_effect=[AutoReconnect("gone"), None, None])
    monkeypatch.setattr(run, "prune_silences", pruned)
    once = evaluate(Rounds(), Stored())

    assert [once() for _ in range(3)] == [["mongodb"], [], []]
    assert pruned.call_count == 2
    clock.s += 3600
    once()
    assert pruned.call_count == 3


def test_an_engine_with_rounds_far_apart_is_live_from_one_to_the_next() -> None:
    assert run.live_s(SECOND) == 30
    assert run.live_s(timedelta(minutes=5)) == 900
