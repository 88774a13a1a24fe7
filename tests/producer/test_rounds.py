"""Rounds of a service that lags, is not understood, contradicts itself or wants to be left alone."""

import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any

import orjson
import pytest

from apis.errors import BadAnswer, RateLimited, Unreachable
from producer.cursor import UnkeptCursor
from producer.rounds import Rounds
from producer.span_source import FailedCall, Unreadable
from readings.config import StreamConfig
from readings.market import Market
from readings.reading import Mode, Reading
from readings.stream import MODELS, Stream
from tests.producer.conftest import NOW, Heard, Kept, MeasuredCursor, TurnedClock

STEP, HOUR, DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)
REGIONS = ["NSW1", "QLD1", "WEM"]
STREAM = Stream(
    "market",
    MODELS["market"],
    StreamConfig(topic="markets", sources=["a_service"], cadence="5min", allowed_delay="15min", series=REGIONS),
    "",
)


@functools.cache
def reading(region: Any, at: datetime, price: float, mode: Mode = "live") -> Market:
    """Frozen: rounds that overlap are given the same one."""
    return Market(source="a_service", mode=mode, network_region=region, timestamp=at, price_per_mwh=price)


@dataclass
class Service:
    """A service of five minutes that can be asked for a day at once."""

    clock: TurnedClock
    regions: list[str] = field(default_factory=lambda: ["NSW1"])
    lags: dict[str, timedelta] = field(default_factory=dict)
    """How long after its time the value of a region is there."""
    answer: Callable[[list[Market]], Sequence[Reading | Unreadable | FailedCall]] = list
    """Changes an answer, or raises."""
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)
    name: str = "a_service"
    revised_for: timedelta = HOUR
    first_time: timedelta = 6 * HOUR
    zone: tzinfo = UTC

    def pieces(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        since -= (since - datetime(1970, 1, 1, tzinfo=UTC)) % STEP
        while since < until:
            yield since, min(until, since + DAY)
            since += DAY

    def fetch(
        self, since: datetime, until: datetime, mode: Mode, _only: Collection[str] | None = None
    ) -> Iterator[Reading | Unreadable | FailedCall]:
        self.asked.append((since, until))
        found = []
        for region in self.regions:
            at = since + (datetime(1970, 1, 1, tzinfo=UTC) - since) % STEP
            while at < min(until, self.clock.now() - self.lags.get(region, timedelta())):
                found.append(reading(region, at, at.timestamp() % 1000, mode))
                at += STEP
        yield from self.answer(found)


@dataclass
class Scene:
    service: Service
    rounds: Rounds
    clock: TurnedClock
    kept: Kept

    def round(self, later: timedelta = STEP) -> Any:
        done = self.rounds.round()
        self.clock.time += later
        return done

    def sent(self) -> list[tuple[str, str]]:
        return [(one["network_region"], one["timestamp"]) for _, one in self.kept.readings("markets")]

    def times(self, region: str = "NSW1") -> list[datetime]:
        return sorted({datetime.fromisoformat(at) for name, at in self.sent() if name == region})

    def letters(self) -> list[dict[str, Any]]:
        return [one for _, one in self.kept.readings("dead-letters")]


@pytest.fixture
def scene(clock: TurnedClock, kept: Kept, heard: Heard) -> Scene:
    service = Service(clock)
    return Scene(service, Rounds(service, STREAM, kept, UnkeptCursor(), clock, heard, STEP), clock, kept)


def without_a_hole(times: list[datetime]) -> bool:
    return all(later - earlier == STEP for earlier, later in pairwise(times))


@pytest.mark.parametrize(("late", "mode"), [(timedelta(), "live"), (0.9 * STEP, "live"), (STEP, "backfill")])
def test_rounds_that_take_almost_as_long_as_their_cadence_are_live(scene: Scene, late: timedelta, mode: str) -> None:
    scene.round(STEP + late)
    scene.kept.messages.clear()
    scene.round()
    assert {one["mode"] for _, one in scene.kept.readings("markets")} == {mode}


def test_a_service_that_begins_to_lag_leaves_no_hole(scene: Scene) -> None:
    scene.round()
    scene.service.lags["NSW1"] = 2 * HOUR
    for _ in range(60):
        scene.round()
    times = scene.times()
    assert without_a_hole(times)
    assert times[-1] >= scene.clock.now() - 2 * HOUR - 2 * STEP
    assert len(scene.sent()) == len(times)


def test_a_region_that_lags_behind_the_others_leaves_no_hole(scene: Scene) -> None:
    scene.service.regions = REGIONS
    scene.service.lags["WEM"] = 4 * HOUR
    scene.round()
    for _ in range(100):
        scene.round()
    assert without_a_hole(scene.times("WEM"))
    assert scene.times("WEM")[-1] >= scene.clock.now() - 4 * HOUR - 2 * STEP
    assert without_a_hole(scene.times("NSW1"))
    assert len(scene.sent()) == len(set(scene.sent()))


def test_a_region_that_has_ended_is_not_asked_for_without_end(scene: Scene) -> None:
    scene.service.regions = REGIONS
    scene.round()
    scene.service.regions = ["NSW1"]
    for _ in range(100):
        scene.round()
    since, until = scene.service.asked[-1]
    assert until - since <= HOUR + 2 * STEP


def test_an_empty_first_answer_is_no_beginning(scene: Scene) -> None:
    scene.service.answer = lambda _found: []
    scene.round()
    scene.service.answer = list
    scene.round()
    times = scene.times()
    assert without_a_hole(times)
    assert times[0] <= NOW - 6 * HOUR + STEP


def test_days_of_empty_answers_are_made_up_for(scene: Scene) -> None:
    scene.round()
    scene.service.answer = lambda _found: []
    for _ in range(72):
        scene.round(HOUR)
    scene.service.answer = list
    scene.round()
    assert without_a_hole(scene.times())
    assert len(scene.times()) >= 3 * 288


def test_an_answer_that_cannot_be_read_in_round_after_round_is_one_dead_letter(scene: Scene, heard: Heard) -> None:
    def broken(_found: list[Market]) -> list[Reading | Unreadable]:
        raise BadAnswer("no series has a name", f"answered at {scene.clock.now()}".encode())

    scene.service.regions = REGIONS
    scene.round()
    scene.service.answer = broken
    done = [scene.round() for _ in range(30)]
    assert [one.dead_letters for one in done] == [1] + 29 * [0]
    (letter,) = scene.letters()
    assert letter["reason"] == "the answer: no series has a name"
    assert heard.counts["dead_letters"] == 1
    assert heard.state == "waiting"
    scene.service.answer = list
    for later in (DAY, DAY, DAY, STEP):
        scene.round(later)
    assert without_a_hole(scene.times())
    scene.service.answer = broken
    scene.round()
    assert len(scene.letters()) == 2, "it had been well for longer than it is remembered"


def test_of_old_days_that_cannot_be_read_each_is_a_dead_letter(scene: Scene) -> None:
    scene.service.regions = REGIONS
    scene.round()
    scene.clock.time += 5 * DAY

    def broken(found: list[Market]) -> list[Reading | Unreadable]:
        if found[0].timestamp < NOW + 2 * DAY:
            raise BadAnswer("half a day", orjson.dumps([found[0].timestamp]))
        return list(found)

    scene.service.answer = broken
    for _ in range(3):
        scene.round()
    assert len(scene.letters()) == len({one["message"] for one in scene.letters()}) == 3


def test_what_is_wrong_with_every_answer_makes_none_of_a_piece(scene: Scene) -> None:
    """As a unit of an unknown fuel technology in a list that is read beside the piece."""
    wrong = Unreadable("the list", "a word", {"code": "A"}, known_by="a word")
    scene.round()
    scene.service.answer = lambda _found: [wrong]
    for _ in range(72):
        scene.round(HOUR)
    scene.service.answer = lambda found: [wrong, *found]
    scene.round()
    assert without_a_hole(scene.times())
    assert len(scene.times()) >= 3 * 288
    assert len(scene.letters()) == 1


def test_a_gap_that_stays_empty_is_given_up_when_it_is_old_and_the_last_week_is_asked_for_on(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.round()
    scene.clock.time += 30 * DAY
    scene.service.regions = []
    for _ in range(2 * 288):
        scene.round()
    now = scene.clock.now()
    assert "a_service has nothing from 2026-11-25T" in caplog.text
    scene.service.asked.clear()
    scene.round()
    since, _ = scene.service.asked[0]
    assert now - 9 * DAY <= since <= now - 7 * DAY - 6 * HOUR, "what may still come"
    assert len(scene.service.asked) <= 9
    scene.service.regions = ["NSW1"]
    scene.round()
    made_up = [at for at in scene.times() if at > NOW]
    assert without_a_hole(made_up)
    assert made_up[0] <= now - 7 * DAY - 6 * HOUR


@pytest.mark.parametrize("empty", [[True] * 250, [True, False] * 3], ids=["hours", "now and then"])
def test_an_old_gap_is_not_given_up_for_answers_that_are_empty_for_some_hours(scene: Scene, empty: list[bool]) -> None:
    """Nor for single ones, days apart, between which the service was not reached."""
    scene.round()
    scene.clock.time += 30 * DAY
    for is_empty in empty:
        scene.service.regions, scene.service.answer = [], list if is_empty else unreachable
        scene.round(STEP if all(empty) else DAY)
    scene.service.answer = list
    scene.service.regions = ["NSW1"]
    scene.round()
    assert without_a_hole(scene.times())
    assert scene.times()[-1] >= scene.clock.now() - 3 * STEP


def test_days_of_answers_that_cannot_be_read_are_made_up_for(scene: Scene) -> None:
    """As while a service shows a page about its maintenance."""

    def broken(_found: list[Market]) -> list[Reading | Unreadable]:
        raise BadAnswer("expected JSON, read text/html", b"<html>")

    scene.service.regions = REGIONS
    scene.round()
    scene.service.answer = broken
    for _ in range(72):
        scene.round(HOUR)
    scene.service.answer = list
    scene.round()
    assert all(without_a_hole(scene.times(region)) for region in REGIONS)
    assert len(scene.times()) >= 3 * 288
    scene.service.asked.clear()
    scene.round()
    assert len(scene.service.asked) == 1


def test_an_old_day_that_cannot_be_read_does_not_stop_what_came_later(scene: Scene, heard: Heard) -> None:
    scene.service.regions = REGIONS
    scene.round()
    scene.clock.time += 5 * DAY

    def broken(found: list[Market]) -> list[Reading | Unreadable]:
        if found[0].timestamp < NOW + DAY:
            raise BadAnswer("half a day", b"{")
        return list(found)

    scene.service.answer = broken
    scene.round()
    assert scene.times()[-1] >= scene.clock.now() - 3 * STEP
    scene.service.answer = list
    scene.round()
    assert without_a_hole(scene.times())
    assert heard.state == "running"
    scene.service.asked.clear()
    scene.round()
    assert len(scene.service.asked) == 1


def test_what_a_broken_gap_brought_is_not_fetched_again(scene: Scene) -> None:
    scene.service.regions = REGIONS
    scene.round()
    scene.clock.time += 5 * DAY
    answers = iter([list, list, unreachable, list])
    scene.service.answer = lambda found: next(answers, list)(found)
    assert scene.round().failed is not None
    scene.service.asked.clear()
    scene.round()
    assert without_a_hole(scene.times())
    assert scene.service.asked[0][0] >= NOW + 2 * DAY - 3 * HOUR


def unreachable(_found: list[Market]) -> list[Reading | Unreadable]:
    raise Unreachable("no whole answer")


def test_of_a_gap_only_what_may_change_is_remembered(scene: Scene) -> None:
    scene.service.regions = REGIONS
    cursor = scene.rounds.cursor = MeasuredCursor()
    scene.round()
    steady = cursor.largest
    scene.clock.time += 10 * DAY
    scene.round()
    assert len(scene.times()) >= 10 * 288
    assert cursor.largest <= steady


def test_what_an_earlier_version_remembered_is_taken_over(scene: Scene) -> None:
    old = NOW.replace(minute=0) - 49 * HOUR
    values = {f"{old + number * STEP:%Y-%m-%dT%H:%M}": "0" * 16 for number in range(49 * 12)}
    scene.rounds.cursor.facts.update(last_round_at=NOW - STEP, values={"NSW1": values}, dead_letters={"a" * 64: old})
    scene.rounds.cursor.move({"NSW1": NOW - STEP})
    scene.round()
    assert scene.service.asked[0][0] >= NOW - HOUR - 3 * STEP
    assert len(scene.rounds.cursor.facts["values"]["NSW1"]) <= 15
    assert scene.rounds.cursor.facts["dead_letters"] == {}


def test_two_values_of_one_time_are_a_dead_letter_and_do_not_take_turns(scene: Scene) -> None:
    def twice(found: list[Market]) -> list[Reading | Unreadable]:
        last = found[-1].model_copy(update={"price_per_mwh": -5.0})
        return [*found, last, found[0]]

    scene.service.answer = twice
    scene.service.regions = ["NSW1", "QLD1"]
    scene.round(timedelta())
    readings = len(scene.sent())
    scene.service.answer = lambda found: list(reversed(twice(found)))
    scene.round(timedelta())
    scene.round(timedelta())
    assert len(scene.sent()) == readings == len(set(scene.sent()))
    (letter,) = scene.letters()
    assert "price_per_mwh: read both" in letter["reason"]
    assert letter["reason"].startswith("QLD1: ")
    assert {one["price_per_mwh"] for one in orjson.loads(letter["message"])} >= {-5.0}


def test_a_service_that_gives_only_what_is_no_reading_fills_no_document(scene: Scene) -> None:
    """As when it changes the form of all its values."""
    scene.round()

    def changed(found: list[Market]) -> list[Reading | Unreadable]:
        return [Unreadable(one.series, "a word", one.model_dump(mode="json", exclude={"mode"})) for one in found]

    scene.service.answer = changed
    for _ in range(3 * 288):
        scene.round()
    assert len(scene.letters()) == len({one["message"] for one in scene.letters()}) >= 3 * 288
    assert len(scene.rounds.cursor.facts["dead_letters"]) <= 8 * 12
    scene.clock.time += 10 * DAY
    scene.round()
    assert len(scene.letters()) >= 13 * 288
    assert len(scene.rounds.cursor.facts["dead_letters"]) <= 289


def test_answers_that_cannot_be_read_each_for_another_reason_fill_no_document(scene: Scene) -> None:
    """As a page about maintenance that tells the time."""

    def broken(_found: list[Market]) -> list[Reading | Unreadable]:
        raise BadAnswer(f"read <html>{scene.clock.now()}", b"<html>")

    scene.service.answer = broken
    for _ in range(8 * 24):
        scene.round(HOUR)
    assert len(scene.letters()) == 8 * 24
    assert len(scene.rounds.cursor.facts["dead_letters"]) <= 3 * 24


@pytest.mark.parametrize("wanted_s", [600.0, 86_400.0])
def test_a_service_that_wants_to_be_left_alone_is(scene: Scene, heard: Heard, wanted_s: float) -> None:
    scene.round()

    def limited(_found: list[Market]) -> list[Reading | Unreadable]:
        raise RateLimited("too many", wanted_s)

    scene.service.answer = limited
    scene.round()
    until = scene.clock.now() - STEP + timedelta(seconds=wanted_s)
    scene.service.answer = list
    asked = len(scene.service.asked)
    while scene.clock.now() < until:
        assert scene.round() is None
        assert heard.state == "waiting"
    assert len(scene.service.asked) == asked
    scene.round()
    assert heard.state == "running"
    assert without_a_hole(scene.times())


def test_many_readings_go_out_in_parts(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producer.rounds.AT_ONCE", 10)
    parts = []
    publish = scene.kept.publish
    monkeypatch.setattr(scene.kept, "publish", lambda messages: (parts.append(len(messages)), publish(messages)))
    scene.round()
    assert max(parts) <= 10
    assert len(scene.times()) == 73
    assert without_a_hole(scene.times())
    assert scene.sent() == sorted(scene.sent(), key=lambda one: one[1])
