"""Rounds of a service of which some series lag far behind the others, stop, come back or are no longer declared."""

from datetime import timedelta

import pytest

from producer.cursor import UnkeptCursor
from producer.rounds import Rounds
from tests.producer.conftest import Heard, Kept, TurnedClock
from tests.producer.test_rounds import DAY, HOUR, REGIONS, STEP, STREAM, Scene, Service


@pytest.fixture
def scene(clock: TurnedClock, kept: Kept, heard: Heard) -> Scene:
    service = Service(clock, list(REGIONS))
    return Scene(service, Rounds(service, STREAM, kept, UnkeptCursor(), clock, heard, STEP), clock, kept)


def test_a_series_that_is_no_longer_declared_does_not_widen_the_question(scene: Scene) -> None:
    scene.rounds.cursor.move({"SA1": scene.clock.now() - 4 * HOUR})
    for _ in range(3):
        scene.round()
    since, until = scene.service.asked[-1]
    assert until - since <= HOUR + 2 * STEP
