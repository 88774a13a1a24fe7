"""The parts of a stack: which run here, how each is made ready, and how to tell that it is well."""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from local_stack import elasticsearch, kafka, mongodb, mosquitto
from local_stack.installed import system_path
from local_stack.layout import Layout
from local_stack.programs import Program
from readings.config import ROOT
from readings.settings import LOCAL, Settings

SERVERS = (kafka.NAME, mongodb.NAME, elasticsearch.NAME, mosquitto.NAME)
FORECASTER = "forecaster"
DASHBOARD = "dashboard"
HEARTBEATS = ("consumer", "producer", "alerts")
"""Our parts that tell how they are in MongoDB's ``parts``."""
RETENTION = "retention"
PARTS = (*SERVERS, FORECASTER, *HEARTBEATS, RETENTION, DASHBOARD)
"""All that there can be; the MQTT broker only where MQTT_URL is set, retention only of an Elasticsearch of ours."""

_MODULES = {
    FORECASTER: ("forecaster",),
    "consumer": ("spark_consumer",),
    "producer": ("producer", "serve"),
    "alerts": ("alerts", "run"),
    RETENTION: ("elk.retention", "--every", "24h"),
    DASHBOARD: ("dashboard",),
}

_PORTS: dict[str, Callable[[Settings], int]] = {
    FORECASTER: lambda settings: settings.skywatt_forecaster_port,
    DASHBOARD: lambda settings: settings.skywatt_dashboard_port,
}


def ping_forecaster(settings: Settings, timeout_s: float) -> None:
    """Asks for its health. Raises requests.RequestException where it is not well."""
    requests.get(f"{settings.forecaster_address}/health", timeout=timeout_s).raise_for_status()


def ping_dashboard(settings: Settings, timeout_s: float) -> None:
    """Asks for its health. Raises requests.RequestException where it is not well."""
    requests.get(f"{settings.dashboard_address}/_stcore/health", timeout=timeout_s).raise_for_status()


PINGS: dict[str, Callable[[Settings, float], None]] = {
    kafka.NAME: kafka.ping,
    mongodb.NAME: mongodb.ping,
    elasticsearch.NAME: elasticsearch.ping,
    mosquitto.NAME: mosquitto.ping,
    FORECASTER: ping_forecaster,
    DASHBOARD: ping_dashboard,
}
"""How to tell that a part which serves others is well: a call that raises where it is not."""


def parts_of(settings: Settings) -> list[str]:
    """The parts of this stack, here or elsewhere, servers first."""
    unwanted = {mosquitto.NAME: not settings.mqtt_url, RETENTION: bool(settings.elasticsearch_url)}
    return [part for part in PARTS if not unwanted.get(part)]


def outside(settings: Settings) -> dict[str, str]:
    """The parts that run elsewhere, each with the variable that says so."""
    variables = {
        kafka.NAME: ("KAFKA_BOOTSTRAP_SERVERS", settings.kafka_bootstrap_servers),
        mongodb.NAME: ("MONGODB_URI", settings.mongodb_uri),
        elasticsearch.NAME: ("ELASTICSEARCH_URL", settings.elasticsearch_url),
        mosquitto.NAME: ("MQTT_URL", settings.mqtt_url if settings.mqtt_url != LOCAL else None),
        FORECASTER: ("FORECASTER_URL", settings.forecaster_url),
    }
    return {part: variable for part, (variable, value) in variables.items() if value}


def local_parts(settings: Settings) -> list[str]:
    """The parts that run here, servers first."""
    return [part for part in parts_of(settings) if part not in outside(settings)]


def why_not_here(name: str, settings: Settings) -> str:
    """Why a part does not run on this machine; nothing where it does."""
    if name in ("supervisord", *local_parts(settings)):
        return ""
    if name in outside(settings):
        return f"{outside(settings)[name]} names one elsewhere"
    known = {
        mosquitto.NAME: "MQTT_URL=local starts it",
        RETENTION: "ELASTICSEARCH_URL names one elsewhere, where python -m elk.retention does its work",
    }
    return known.get(name, "it is a part of the stack on Docker")


def addresses(settings: Settings) -> dict[str, tuple[str, int | None]]:
    """Where each part that serves others listens: an address to show, and its port where it is local."""
    local = {
        kafka.NAME: (settings.kafka_address, settings.skywatt_kafka_port),
        mongodb.NAME: (f"127.0.0.1:{settings.skywatt_mongodb_port}", settings.skywatt_mongodb_port),
        elasticsearch.NAME: (settings.elasticsearch_address, settings.skywatt_elasticsearch_port),
        mosquitto.NAME: (f"127.0.0.1:{settings.skywatt_mqtt_port}", settings.skywatt_mqtt_port),
        FORECASTER: (settings.forecaster_address, settings.skywatt_forecaster_port),
        DASHBOARD: (settings.dashboard_address, settings.skywatt_dashboard_port),
    }
    elsewhere = outside(settings)
    return {
        part: (f"outside ({elsewhere[part]})", None) if part in elsewhere else where for part, where in local.items()
    }


def prepare(settings: Settings, layout: Layout, java: Path) -> list[Program]:
    """Makes every local part ready to run, at the same time, and says how each is run."""
    make: dict[str, Callable[[], Program]] = {
        kafka.NAME: lambda: kafka.prepare(settings, layout, java),
        mongodb.NAME: lambda: mongodb.prepare(settings, layout),
        elasticsearch.NAME: lambda: elasticsearch.prepare(settings, layout, java),
        mosquitto.NAME: lambda: mosquitto.prepare(settings, layout),
    }
    names = local_parts(settings)
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        return list(pool.map(lambda name: make[name]() if name in make else _own(name, settings, java), names))


def _own(name: str, settings: Settings, java: Path) -> Program:
    """One of our own parts. It reads addresses and secrets itself, from the environment and ``.env``."""
    return Program(
        name,
        (sys.executable, "-m", *_MODULES[name]),
        ROOT,
        _PORTS[name](settings) if name in _PORTS else None,
        environment={
            "PYTHONUNBUFFERED": "1",
            "JAVA_HOME": str(java.parent.parent),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{system_path()}",
            **(_for_forecaster(settings) if name == FORECASTER else {}),
        },
        stop_wait_s=30,
        stops_its_children=True,
    )


def _for_forecaster(settings: Settings) -> dict[str, str]:
    """It stands alone and reads no ``.env``."""
    logs = {"SKYWATT_LOGS": str(settings.skywatt_logs)} if settings.skywatt_logs else {}
    port = str(settings.skywatt_forecaster_port)
    return {"SKYWATT_FORECASTER_PORT": port, "SKYWATT_LOG_LEVEL": settings.skywatt_log_level, **logs}
