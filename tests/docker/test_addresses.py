"""Ports, addresses and health checks lead to where the programs listen."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests

from local_stack import docker
from local_stack.parts import ping_dashboard, ping_forecaster
from readings.config import ROOT
from readings.settings import Settings
from tests.docker.test_compose import OURS, SPARKS_DAEMONS, TEXT, Stack

pytestmark = pytest.mark.slow

DEFAULT_PORTS = {"mongodb": 27017, "elasticsearch": 9200, "kibana": 5601, "logstash": 9600, "cassandra": 9042}
"""Of the servers whose ports nothing here configures."""


def test_ports_are_open_on_this_machine_alone_where_the_settings_say(stack: Stack) -> None:
    published = {}
    for name, service in stack["services"].items():
        for port in service.get("ports", []):
            assert port["host_ip"] == "127.0.0.1", name
            published[name] = int(port["published"])
    settings = Settings(_env_file=None)
    assert published == {
        "kafka": settings.skywatt_kafka_port,
        "mongodb": settings.skywatt_mongodb_port,
        "elasticsearch": settings.skywatt_elasticsearch_port,
        "mosquitto": settings.skywatt_mqtt_port,
        "forecaster": settings.skywatt_forecaster_port,
        "kibana": settings.skywatt_kibana_port,
        "dashboard": settings.skywatt_dashboard_port,
        "cassandra": 9042,
    }
    for variable in set(re.findall(r"\$\{(SKYWATT_\w+):-", TEXT)) - {"SKYWATT_CASSANDRA_PORT"}:
        assert variable.lower() in Settings.model_fields


def test_kafka_tells_this_machine_the_port_that_is_published(stack: Stack) -> None:
    kafka = stack["services"]["kafka"]
    advertised = kafka["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert advertised == "INSIDE://kafka:9092,OUTSIDE://127.0.0.1:9092"
    listeners = dict(one.split("://:") for one in kafka["environment"]["KAFKA_LISTENERS"].split(","))
    assert kafka["ports"][0]["target"] == int(listeners["OUTSIDE"])


def _option(service: dict[str, Any], name: str) -> str:
    words: list[str] = service["command"]
    return words[words.index(name) + 1]


def _listens(stack: Stack, name: str) -> set[int]:
    """The ports within the container, as what configures the program says."""
    service = stack["services"][name]
    environment = service.get("environment", {})
    if name == "kafka":
        return {int(one.rsplit(":", 1)[1]) for one in environment["KAFKA_LISTENERS"].split(",")}
    if name == "mosquitto":
        configuration = (ROOT / "docker" / "mosquitto.conf").read_text()
        return {int(port) for port in re.findall(r"^listener (\d+)", configuration, re.MULTILINE)}
    if name in SPARKS_DAEMONS:
        named = [option for option in ("--port", "--webui-port") if option in service["command"]]
        return {int(_option(service, option)) for option in named}
    set_by = {"forecaster": "SKYWATT_FORECASTER_PORT", "dashboard": "SKYWATT_DASHBOARD_PORT"}
    return {int(environment[set_by[name]])} if name in set_by else {DEFAULT_PORTS[name]}


def test_ports_lead_to_where_a_container_listens(stack: Stack) -> None:
    for name, service in stack["services"].items():
        asked = re.findall(r"127\.0\.0\.1[:/](\d+)", " ".join(service["healthcheck"].get("test") or []))
        for port in [*map(int, asked), *(one["target"] for one in service.get("ports", []))]:
            assert port in _listens(stack, name), name


def test_parts_are_told_where_the_others_listen(stack: Stack) -> None:
    for name in OURS | {"logstash", "kibana"}:
        environment = stack["services"][name].get("environment", {})
        told = " ".join(f"{value} " for key, value in environment.items() if not key.startswith("SERVER_"))
        for host, port in re.findall(r"(?:\b|@)([a-z][\w-]*):(\d+)\b", told):
            assert int(port) in _listens(stack, host), name
    master = stack["services"]["spark-master"]
    url = f"spark://{_option(master, '--host')}:{_option(master, '--port')}"
    assert stack["services"]["consumer"]["environment"]["SPARK_MASTER"] == url
    assert {stack["services"][name]["command"][-1] for name in SPARKS_DAEMONS - {"spark-master"}} == {url}
    assert master["hostname"] == _option(master, "--host")


def test_run_sh_tells_the_brokers_own_port(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQTT_URL", "local")
    (port,) = _listens(stack, "mosquitto")
    assert docker.broker_variables(Settings(_env_file=None))["MQTT_URL"] == f"mqtt://mosquitto:{port}"


@pytest.mark.parametrize(("name", "ping"), {"forecaster": ping_forecaster, "dashboard": ping_dashboard}.items())
def test_health_is_asked_where_local_mode_asks(
    stack: Stack, name: str, ping: Callable[[Settings, float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("local_stack.parts.requests.get", lambda url, **_: asked.append(url) or requests.Response())
    monkeypatch.setattr(requests.Response, "raise_for_status", lambda _: None)
    ping(Settings(_env_file=None), 1)
    assert f"'{asked[0]}'" in stack["services"][name]["healthcheck"]["test"][-1]
