"""What is worth trying again: a server that is down, starting or full. Everything else is raised at once."""

import logging
import threading

from elasticsearch import ConnectionError as ElasticsearchConnectionError
from elasticsearch import ConnectionTimeout
from kafka.errors import KafkaError
from tenacity import RetryCallState, retry, retry_if_exception, wait_random_exponential

from readings.mongodb import IS_AWAY
from spark_consumer.sinks.elasticsearch import TooManyRequests, is_transient

MAX_WAIT_S = 10

stopping = threading.Event()
"""Set when this process is asked to end: nothing in it waits for a server any longer. Signals are the process's, so it
is, too; a Spark worker is ended by its driver."""

log = logging.getLogger(__name__)


class Stopped(Exception):
    """This process is asked to end, and a server that it waits for is still away."""


class ServerAway(Exception):
    """A server does not answer, or is full: raised by a sink whose client has many errors that say so."""


def _worth_waiting(error: BaseException) -> bool:
    if isinstance(error, KafkaError):
        return bool(error.retriable)
    waited_for = (
        ServerAway,
        *IS_AWAY,
        ElasticsearchConnectionError,
        ConnectionTimeout,
        TooManyRequests,
    )
    return isinstance(error, waited_for) or is_transient(error)


def _say(state: RetryCallState) -> None:
    if state.outcome is not None and state.attempt_number in (1, 5, 25):  # not every time of a long night
        log.warning("trying again: %s: %s", type(state.outcome.exception()).__name__, state.outcome.exception())


def _sleep(seconds: float) -> None:
    if stopping.wait(seconds):
        raise Stopped


until_answered = retry(
    retry=retry_if_exception(_worth_waiting),
    wait=wait_random_exponential(max=MAX_WAIT_S),
    before_sleep=_say,
    sleep=_sleep,
)
"""Decorates a call that may be repeated safely: it is tried until its server answers, however long that takes. Raises
Stopped where the process is asked to end meanwhile."""
