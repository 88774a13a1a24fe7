"""The parts of a stack: which are run here, how each is made ready, and how to tell that a server is well."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from local_stack import elasticsearch, kafka, mongodb
from local_stack.layout import Layout
from local_stack.programs import Program
from readings.settings import Settings

SERVERS = (kafka.NAME, mongodb.NAME, elasticsearch.NAME)

PINGS: dict[str, Callable[[Settings, float], None]] = {
    kafka.NAME: kafka.ping,
    mongodb.NAME: mongodb.ping,
    elasticsearch.NAME: elasticsearch.ping,
}
"""How to tell that a server is well: a call that raises where it is not."""


def outside(settings: Settings) -> dict[str, str]:
    """The parts that run elsewhere, each with the variable that says so."""
    variables = {
        kafka.NAME: ("KAFKA_BOOTSTRAP_SERVERS", settings.kafka_bootstrap_servers),
        mongodb.NAME: ("MONGODB_URI", settings.mongodb_uri),
        elasticsearch.NAME: ("ELASTICSEARCH_URL", settings.elasticsearch_url),
        "forecaster": ("FORECASTER_URL", settings.forecaster_url),
    }
    return {part: variable for part, (variable, value) in variables.items() if value}


def prepare_servers(settings: Settings, layout: Layout, java: Path) -> list[Program]:
    """Writes the configurations of the servers that run here, at the same time, and says how each is run."""
    prepare: dict[str, Callable[[], Program]] = {
        kafka.NAME: lambda: kafka.prepare(settings, layout, java),
        mongodb.NAME: lambda: mongodb.prepare(settings, layout),
        elasticsearch.NAME: lambda: elasticsearch.prepare(settings, layout, java),
    }
    here = [name for name in SERVERS if name not in outside(settings)]
    with ThreadPoolExecutor(max_workers=len(SERVERS)) as pool:
        return list(pool.map(lambda name: prepare[name](), here))
