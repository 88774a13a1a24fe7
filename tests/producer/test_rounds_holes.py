"""Rounds of a service that has nothing of what it was asked for, or answers some of several calls alone."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from apis.errors import RateLimited, Refused
from producer.cursor import UnkeptCursor
from producer.rounds import Rounds
from producer.span_source import FailedCall, Unreadable
from readings.market import Market
from readings.reading import Reading
from tests.producer.conftest import NOW, Heard, Kept, TurnedClock
from tests.producer.test_rounds import DAY, HOUR, REGIONS, STEP, STREAM, Scene, Service, without_a_hole


@pytest.fixture
def scene(clock: TurnedClock, kept: Kept, heard: Heard) -> Scene:
    service = Service(clock, list(REGIONS))
    return Scene(service, Rounds(service, STREAM, kept, UnkeptCursor(), clock, heard, STEP), clock, kept)


def without(region: str, lost: tuple[datetime, datetime]) -> Callable[[list[Market]], list[Reading | Unreadable]]:
    """Answers in which a region's call came back with nothing, where the piece begins in a span."""
    return lambda found: [one for one in found if one.series != region or not lost[0] <= found[0].timestamp <= lost[1]]


def test_a_call_of_an_old_day_that_was_answered_with_nothing_is_made_again(scene: Scene) -> None:
    scene.round()
    scene.clock.time += 5 * DAY
    scene.service.answer = without("QLD1", (NOW + DAY, NOW + 2 * DAY))
    scene.round()
    assert without_a_hole(scene.times("NSW1"))
    assert not without_a_hole(scene.times("QLD1"))
    scene.service.answer = list
    scene.round()
    assert without_a_hole(scene.times("QLD1"))


@pytest.mark.parametrize("away", [8 * HOUR, 5 * DAY], ids=["hours", "days"])
def test_what_a_call_lacked_is_made_up_for_and_nothing_else_is_sent_twice(scene: Scene, away: timedelta) -> None:
    scene.round()
    scene.clock.time += away
    empty = iter([True])
    scene.service.answer = lambda found: (
        [one for one in found if one.series != "QLD1"] if next(empty, False) else list(found)
    )
    for _ in range(3):
        scene.round()
    assert all(without_a_hole(scene.times(region)) for region in REGIONS)
    twice = [one for one, times in Counter(scene.sent()).items() if times > 1]
    assert {region for region, _ in twice} <= {"QLD1"}, "what was lacking, from where it may have been revised"
    assert len(twice) <= 13
    assert len(scene.service.asked) == 4 + away // DAY + 1


def test_a_region_that_the_first_answer_lacks_is_asked_for_again(scene: Scene) -> None:
    scene.service.answer = lambda found: [one for one in found if one.series != "WEM"]
    scene.round()
    scene.service.answer = list
    scene.round()
    assert scene.times("WEM") == scene.times("NSW1")


def test_a_call_that_is_never_answered_is_told_and_left(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.round()
    scene.clock.time += 5 * DAY
    scene.service.answer = without("QLD1", (NOW + DAY, NOW + 2 * DAY))
    for _ in range(3):
        scene.round()
    assert "a_service has nothing of QLD1 from 2026-11-26T" in caplog.text
    assert scene.service.asked[-1][0] >= scene.clock.now() - HOUR - 3 * STEP
    assert scene.times("QLD1")[-1] >= scene.clock.now() - 3 * STEP


def test_what_is_asked_for_again_is_kept_while_the_service_wants_to_be_left_alone(scene: Scene) -> None:
    """Of two days the first is answered."""
    scene.round()
    scene.clock.time += 5 * DAY
    scene.service.answer = without("QLD1", (NOW + DAY, NOW + 3 * DAY))
    scene.round()
    answers = iter([list, limited])
    scene.service.answer = lambda found: next(answers, list)(found)
    scene.round(HOUR)
    assert not without_a_hole(scene.times("QLD1"))
    scene.round()
    assert without_a_hole(scene.times("QLD1"))


def limited(_found: list[Market]) -> list[Reading | Unreadable]:
    raise RateLimited("too many", 600.0)


def refused(region: str, found: list[Market]) -> list[Reading | FailedCall]:
    """An answer of which the call for a region failed."""
    return [*(one for one in found if one.series != region), FailedCall((region,), Refused("400"))]


def test_what_a_region_is_owed_is_all_asked_for_when_its_calls_are_answered_again(scene: Scene) -> None:
    """Its calls for the last days failed, and then the one for an earlier day, of which it had nothing."""
    scene.round()
    scene.clock.time += 5 * DAY
    lost = without("QLD1", (NOW, NOW + DAY))
    scene.service.answer = lambda found: refused("QLD1", found) if found[0].timestamp > NOW + 2 * DAY else lost(found)
    scene.round()
    answers = iter([lambda found: refused("QLD1", found)])
    scene.service.answer = lambda found: next(answers, list)(found)
    for _ in range(2):
        scene.round()
    assert without_a_hole(scene.times("QLD1"))


def test_a_gap_is_not_given_up_for_calls_that_failed(scene: Scene) -> None:
    """Though the others were answered with nothing for longer than a day."""
    scene.service.regions = ["NSW1"]
    scene.rounds.cadence = DAY / 2
    scene.round()
    scene.clock.time += 20 * DAY
    scene.service.answer = lambda found: refused("NSW1", found) if found[0].timestamp < NOW else []
    for _ in range(4):
        scene.round(DAY / 2)
    scene.service.answer = list
    for _ in range(2):
        scene.round()
    assert without_a_hole(scene.times())


def test_an_empty_piece_before_one_with_readings_is_asked_for_again(scene: Scene) -> None:
    """Also where what comes after it has come before: it is young."""
    scene.round(HOUR)
    scene.service.first_time = 3 * DAY
    scene.clock.time += 2 * DAY
    scene.service.answer = lambda found: [] if found[0].timestamp < NOW else found
    for _ in range(2):
        scene.round()
        assert not without_a_hole(scene.times())
    scene.service.answer = list
    scene.round()
    assert without_a_hole(scene.times())


def test_a_hole_that_the_service_never_fills_is_told_and_left(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.round()
    scene.clock.time += 5 * DAY
    lost = (NOW + DAY, NOW + 2 * DAY)
    scene.service.answer = lambda found: [] if lost[0] <= found[0].timestamp <= lost[1] else found
    for _ in range(3):
        scene.round()
    assert "a_service has nothing from 2026-11-26T" in caplog.text
    assert scene.service.asked[-1][0] >= scene.clock.now() - HOUR - 3 * STEP
    assert scene.times()[-1] >= scene.clock.now() - 3 * STEP
