"""Waiting for MongoDB while it is down."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from pymongo.errors import AutoReconnect, ConfigurationError, ExecutionTimeout

from producer.clock import Clock
from producer.states import State

T = TypeVar("T")

MONGODB_IS_AWAY = (AutoReconnect, ConfigurationError, ExecutionTimeout)
"""What pymongo raises while the server is down, starting or changing its primary, or DNS does not answer."""
PAUSE = timedelta(seconds=2)


def until_mongodb_answers(call: Callable[[], T], clock: Clock, state: State) -> T:
    """Makes a call that may be repeated safely until MongoDB answers. Raises Stopped when asked to end meanwhile."""
    waited = False
    while True:
        try:
            answer = call()
        except MONGODB_IS_AWAY:
            state.waiting("mongodb")
            waited = True
            clock.wait_until(clock.now() + PAUSE)
        else:
            if waited:
                state.running()
            return answer
