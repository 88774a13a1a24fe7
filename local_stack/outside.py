"""Servers of one's own: whether they answer and let us in, asked before anything here is started."""

import re
from collections.abc import Container
from concurrent.futures import ThreadPoolExecutor

from local_stack import elasticsearch, kafka, mongodb, mosquitto, parts
from local_stack.errors import NotReadyError, StackError
from local_stack.status import TIMEOUT_S, ServerErrors
from readings.settings import Settings

GOES_WITH = {
    kafka.NAME: (
        "KAFKA_SECURITY_PROTOCOL",
        "KAFKA_SASL_MECHANISM",
        "KAFKA_USERNAME",
        "KAFKA_PASSWORD",
        "KAFKA_CA_FILE",
    ),
    mongodb.NAME: (),
    elasticsearch.NAME: (
        *("ELASTICSEARCH_USERNAME", "ELASTICSEARCH_PASSWORD", "ELASTICSEARCH_API_KEY", "ELASTICSEARCH_CA_FILE"),
    ),
    mosquitto.NAME: ("MQTT_USERNAME", "MQTT_PASSWORD", "MQTT_CA_FILE"),
    parts.FORECASTER: (),
}
"""Beside its address, what a client of it is told."""
_LONGEST_REASON = 300


def examine(settings: Settings, names: Container[str]) -> None:
    """Asks those of the named parts that run elsewhere, at the same time.

    Raises StackError where some are not there or refuse us: the variables, what was read, and what to do.
    """
    elsewhere = [name for name in parts.outside(settings) if name in names]
    with ThreadPoolExecutor(max_workers=len(parts.PARTS)) as pool:
        problems = [problem for problem in pool.map(lambda name: _problem(name, settings), elsewhere) if problem]
    if problems:
        raise StackError("\n".join(problems))


def _problem(name: str, settings: Settings) -> str | None:
    try:
        parts.PINGS[name](settings, TIMEOUT_S)
    except NotReadyError:
        return None  # it let us in; what it lacks is its own affair
    except ServerErrors as error:
        variable = parts.outside(settings)[name]
        why = " ".join(str(error).split())[:_LONGEST_REASON]
        beside = f", or what goes with it ({', '.join(GOES_WITH[name])})" if GOES_WITH[name] else ""
        return (
            f"{variable}: read {address(name, settings)}, and {name} does not answer there as it should "
            f"({type(error).__name__}: {why})\n  → start it, or put {variable}{beside} right in .env"
        )
    return None


def address(name: str, settings: Settings) -> str:
    """Where an outside server is, as it was read, without user, password and options."""
    if name == mongodb.NAME:
        scheme, _, rest = settings.mongodb_address.get_secret_value().partition("://")
        hosts, *beside = re.split("[/?]", rest, maxsplit=1)
        return f"{scheme}://{'…' if '@' in ''.join(beside) else hosts.rpartition('@')[2]}"
    read = {
        kafka.NAME: settings.kafka_address,
        elasticsearch.NAME: settings.elasticsearch_address,
        mosquitto.NAME: str(settings.mqtt_url),
        parts.FORECASTER: settings.forecaster_address,
    }
    return read[name]
