"""Waiting for MongoDB while it is down or takes no writes."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from pymongo.errors import PyMongoError

from producer.clock import Clock
from producer.states import State
from readings.mongodb import waited_for

T = TypeVar("T")

PAUSE = timedelta(seconds=2)


def until_mongodb_answers(call: Callable[[], T], clock: Clock, state: State) -> T:
    """Makes a call that may be repeated safely until MongoDB answers. Raises Stopped when asked to end meanwhile."""
    waited = False
    while True:
        try:
            answer = call()
        except PyMongoError as error:
            what = waited_for(error)
            if what is None:
                raise
            state.waiting(what)
            waited = True
            clock.wait_until(clock.now() + PAUSE)
        else:
            if waited:
                state.running()
            return answer
