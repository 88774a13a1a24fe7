"""Rounds of a service of which some series lag far behind the others, stop, come back or are no longer declared."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import bson
import orjson
import pytest
from bson.codec_options import CodecOptions

from apis.errors import ApiError, BadAnswer, OutOfCalls, RateLimited, Refused, Unreachable
from producer.cursor import UnkeptCursor
from producer.errors import Stopped
from producer.rounds import Rounds
from producer.span_source import FailedCall, Unreadable
from readings.market import Market
from readings.reading import Mode, Reading
from readings.stream import Stream
from tests.producer.conftest import NOW, Heard, Kept, MeasuredCursor, TurnedClock
from tests.producer.test_rounds import DAY, HOUR, REGIONS, STEP, STREAM, Scene, Service, without_a_hole


@pytest.fixture
def scene(clock: TurnedClock, kept: Kept, heard: Heard) -> Scene:
    service = Service(clock, list(REGIONS))
    return Scene(service, Rounds(service, STREAM, kept, UnkeptCursor(), clock, heard, STEP), clock, kept)


@dataclass
class FailsApart(Service):
    """A service whose calls for some series alone fail."""

    error: ApiError | Stopped | None = None

    def fetch(
        self, since: datetime, until: datetime, mode: Mode, only: Collection[str] | None = None
    ) -> Iterator[Reading | Unreadable | FailedCall]:
        if only and self.error is not None:
            raise self.error
        yield from super().fetch(since, until, mode, only)


def declared(regions: list[str]) -> Stream:
    return Stream("market", STREAM.model, STREAM.config.model_copy(update={"series": regions}), "")


def without(region: str) -> Callable[[list[Market]], list[Reading | Unreadable]]:
    return lambda found: [one for one in found if one.series != region]


def null_at_last(found: list[Market]) -> list[Reading | Unreadable]:
    """Of the WEM nothing but a null that came last."""
    last = max(one.timestamp for one in found)
    return [*without("WEM")(found), Unreadable("WEM", "price: read null", {"at": last.isoformat()})]


def again(scene: Scene) -> None:
    """Another process goes on with the cursor as MongoDB keeps it."""
    before = scene.rounds
    cursor = UnkeptCursor()
    kept = bson.decode(bson.encode({"facts": before.cursor.facts, "until": before.cursor.until}), AWARE)
    cursor.facts, cursor.until = kept["facts"], kept["until"]
    scene.rounds = Rounds(scene.service, before.stream, scene.kept, cursor, scene.clock, before.state, STEP)


def rounds_with_an_older_question(scene: Scene) -> int:
    """1 where a round, half an hour after the one before, asks for more than the others' span."""
    before = len(scene.service.asked)
    scene.round(HOUR / 2)
    return int(len(scene.service.asked) > before + 1)


AWARE: CodecOptions[dict[str, object]] = CodecOptions(tz_aware=True)


def test_a_series_that_is_no_longer_declared_does_not_widen_the_question(scene: Scene) -> None:
    scene.rounds.cursor.move({"SA1": scene.clock.now() - 4 * HOUR})
    for _ in range(3):
        scene.round()
    since, until = scene.service.asked[-1]
    assert until - since <= HOUR + 2 * STEP


def away_for_ten_hours(scene: Scene) -> FailsApart:
    """A service of which one region has nothing for so long."""
    service = FailsApart(scene.clock, list(REGIONS))
    scene.service = scene.rounds.source = service
    scene.round()
    service.answer = without("WEM")
    for _ in range(12 * 10):
        scene.round()
    return service


@pytest.mark.parametrize("lag", [7 * HOUR, 30 * HOUR], ids=str)
def test_a_region_that_lags_by_more_than_what_is_asked_for_at_first_leaves_no_hole(
    scene: Scene, lag: timedelta
) -> None:
    """As Western Australia, of which values are published once a day."""
    scene.service.lags["WEM"] = lag
    for _ in range(3 * 288):
        scene.round()
    times = scene.times("WEM")
    assert without_a_hole(times)
    assert times[0] <= NOW - 6 * HOUR + STEP
    assert times[-1] >= scene.clock.now() - lag - 2 * HOUR - 2 * STEP
    assert without_a_hole(scene.times("NSW1"))
    assert len(scene.sent()) == len(set(scene.sent()))


def test_a_region_that_lags_is_asked_for_apart_and_after_24_rounds_at_the_earliest(scene: Scene) -> None:
    scene.service.lags["WEM"] = 20 * HOUR
    for _ in range(288):
        scene.round()
    scene.service.asked.clear()
    for _ in range(288):
        scene.round()
    apart = [(since, until) for since, until in scene.service.asked if until - since > HOUR + 2 * STEP]
    assert len(apart) <= 12
    assert all(until - since <= 24 * HOUR for since, until in apart)


def test_a_service_of_which_all_lags_from_the_beginning_leaves_no_hole(scene: Scene) -> None:
    scene.service.lags = dict.fromkeys(REGIONS, 26 * HOUR)
    for _ in range(3 * 288):
        scene.round()
    for region in REGIONS:
        times = scene.times(region)
        assert without_a_hole(times)
        assert times[0] <= NOW - 6 * HOUR + STEP
        assert times[-1] >= scene.clock.now() - 29 * HOUR


@pytest.mark.parametrize("away", [8 * HOUR, 3 * DAY], ids=str)
@pytest.mark.parametrize("restarted", [False, True], ids=["one process", "restarted"])
def test_what_comes_when_a_region_is_back_leaves_no_hole(scene: Scene, away: timedelta, restarted: bool) -> None:
    scene.round()
    until = scene.clock.now() + away
    scene.service.answer = without("WEM")
    while scene.clock.now() < until:
        scene.round()
    scene.service.answer = list
    for _ in range(3):
        scene.round()
        if restarted:
            again(scene)
    assert without_a_hole(scene.times("WEM"))
    assert scene.times("WEM")[-1] >= scene.clock.now() - 3 * STEP
    twice = [one for one, times in Counter(scene.sent()).items() if times > 1]
    assert {region for region, _ in twice} <= {"WEM"}, "where what was sent may have been revised"
    assert len(twice) <= 25
    scene.service.asked.clear()
    scene.round()
    assert len(scene.service.asked) == 1


@pytest.mark.parametrize("failing", [1, 30], ids=["once", "thirty times"])
@pytest.mark.parametrize(
    "error",
    [
        OutOfCalls("none left"),
        Unreachable("away"),
        RateLimited("later", 400),
        Refused("400"),
        BadAnswer("no JSON", b""),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_asked_for_when_a_region_is_back_is_asked_for_until_it_is_answered(
    scene: Scene, heard: Heard, error: ApiError, failing: int
) -> None:
    service = away_for_ten_hours(scene)
    service.answer, service.error = list, error
    for _ in range(failing):
        scene.round()
        again(scene)
    service.error = None
    for _ in range(5):
        scene.round()
    assert without_a_hole(scene.times("WEM"))
    assert scene.times("WEM")[-1] >= scene.clock.now() - 3 * STEP
    assert heard.state == "running"
    service.asked.clear()
    scene.round()
    assert len(service.asked) == 1


def test_where_no_call_can_be_spared_rounds_go_on_and_what_is_between_is_kept(scene: Scene, heard: Heard) -> None:
    service = away_for_ten_hours(scene)
    service.error = OutOfCalls("none left")
    service.answer = null_at_last
    scene.round()  # what is between is a hole now
    service.answer = list
    for _ in range(30):
        done = scene.round()
        assert done.failed is None
        assert done.sent
        assert heard.state == "running"
    assert not without_a_hole(scene.times("WEM"))
    service.error = None
    for _ in range(3):
        scene.round()
    assert without_a_hole(scene.times("WEM"))
    assert scene.rounds.cursor.facts["holes"] == []


def test_a_process_that_ends_while_it_asks_for_a_region_that_is_back_leaves_no_hole(scene: Scene) -> None:
    service = FailsApart(scene.clock, list(REGIONS))
    scene.service = scene.rounds.source = service
    kept = scene.rounds.cursor = MeasuredCursor()
    scene.round()
    service.answer = without("WEM")
    for _ in range(12 * 10):
        scene.round()
    service.answer, service.error = list, Stopped("asked to end")
    with pytest.raises(Stopped):
        scene.round()
    scene.rounds.cursor.facts, scene.rounds.cursor.until = bson.decode(kept.saved, AWARE).values()
    service.error = None
    for _ in range(3):
        again(scene)
        scene.round()
    assert without_a_hole(scene.times("WEM"))


@pytest.mark.parametrize("comes", [True, False], ids=["comes", "does not come"])
def test_what_lies_before_a_null_of_a_region_that_is_back_is_asked_for_once_or_told(
    scene: Scene, comes: bool, caplog: pytest.LogCaptureFixture
) -> None:
    scene.round()
    scene.service.answer = without("WEM")
    for _ in range(12 * 40):
        scene.round()
    back = scene.clock.now()
    scene.service.answer = null_at_last
    caplog.clear()
    scene.round()
    scene.service.answer = list
    if not comes:
        scene.service.answer = lambda found: [one for one in found if one.series != "WEM" or one.timestamp > back]
    for _ in range(30):
        scene.round()
    told = [one.getMessage() for one in caplog.records if "has nothing of WEM" in one.getMessage()]
    if comes:
        assert without_a_hole(scene.times("WEM"))
        assert not told
    else:
        assert told[0].startswith(
            f"a_service has nothing of WEM from {NOW.replace(minute=30, second=0).isoformat()} to "
        )
    scene.service.asked.clear()
    scene.round()
    assert len(scene.service.asked) == 1


def test_what_has_not_come_when_a_region_is_back_is_told(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.round()
    scene.service.answer = without("WEM")
    for _ in range(100):
        scene.round()
    back = scene.clock.now() - HOUR
    scene.service.answer = lambda found: [one for one in found if one.series != "WEM" or one.timestamp >= back]
    scene.round()
    caplog.clear()
    for _ in range(20):
        scene.round()
    (told,) = [one.getMessage() for one in caplog.records if "has nothing of" in one.getMessage()]
    assert told.startswith(f"a_service has nothing of WEM from {NOW.replace(minute=31, second=0).isoformat()} to ")
    assert not scene.rounds.cursor.facts["stragglers"]


@pytest.mark.slow
def test_a_region_that_has_stopped_is_asked_for_less_and_less_often_and_what_is_too_old_is_told(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.round()
    scene.service.answer = without("WEM")
    asked, calls = [], []
    for _ in range(12):
        caplog.clear()
        scene.service.asked.clear()
        asked.append(sum(rounds_with_an_older_question(scene) for _ in range(48)))
        calls.append(len(scene.service.asked) - 48)
    assert asked[1] > asked[3] > asked[6] > 0
    assert max(calls) <= 2 * 24
    told = [one.getMessage() for one in caplog.records if "has nothing of WEM from" in one.getMessage()]
    assert len(told) == asked[-1] > 0
    caplog.clear()
    scene.service.answer = list
    for _ in range(3):
        scene.round()
    assert without_a_hole([at for at in scene.times("WEM") if at > NOW])
    week_before = scene.clock.now() - 7 * DAY - 6 * HOUR
    assert min(at for at in scene.times("WEM") if at > NOW) <= week_before


def test_a_region_that_is_declared_later_has_what_is_asked_for_at_first(scene: Scene) -> None:
    scene.rounds.stream = declared(["NSW1", "QLD1"])
    scene.round()
    again(scene)
    scene.rounds.stream = STREAM
    for _ in range(3):
        scene.round()
    assert without_a_hole(scene.times("WEM"))
    assert scene.times("WEM")[0] <= NOW - 6 * HOUR + 2 * STEP


def test_what_cannot_be_read_of_a_region_that_lags_is_one_dead_letter(scene: Scene) -> None:
    scene.service.lags["WEM"] = 20 * HOUR

    def spoilt(found: list[Market]) -> list[Reading | Unreadable]:
        return [
            Unreadable(one.series, "a word", {"at": one.timestamp.isoformat()})
            if one.series == "WEM" and one.timestamp.minute % 20 == 0
            else one
            for one in found
        ]

    scene.service.answer = spoilt
    for _ in range(2 * 288):
        scene.round()
    letters = [orjson.loads(one["message"])["at"] for one in scene.letters()]
    assert len(letters) == len(set(letters)) >= 3 * 30


def test_a_region_of_which_nothing_can_be_read_is_no_straggler_and_each_is_one_dead_letter(scene: Scene) -> None:
    scene.round()

    def changed(found: list[Market]) -> list[Reading | Unreadable]:
        return [
            Unreadable(one.series, "a word", {"at": one.timestamp.isoformat()}) if one.series == "WEM" else one
            for one in found
        ]

    scene.service.answer = changed
    for _ in range(2 * 288):
        scene.round()
    assert len(scene.letters()) == len({one["message"] for one in scene.letters()})
    scene.service.answer = list
    scene.service.asked.clear()
    for _ in range(12):
        scene.round()
    assert len(scene.service.asked) == 12
    assert not scene.rounds.cursor.facts["stragglers"]


def test_of_stragglers_only_what_may_change_is_remembered(scene: Scene) -> None:
    cursor = scene.rounds.cursor = MeasuredCursor()
    scene.round()
    steady = cursor.largest
    scene.service.answer = without("WEM")
    for _ in range(5 * 24):
        scene.round(HOUR)
    scene.service.answer = list
    for _ in range(3):
        scene.round()
    assert without_a_hole(scene.times("WEM"))
    assert cursor.largest <= 6 * steady, "a day of one region"
