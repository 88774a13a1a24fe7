"""The compose file agrees with itself and with the code that it runs."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pyspark
import pytest
import yaml

from elk.security import KIBANA_SYSTEM, USERS, roles
from local_stack import docker
from local_stack.java import find_java
from readings.config import ROOT
from readings.durations import parse_duration
from readings.settings import Settings, load_settings
from tests.docker.conftest import SECRETS

pytestmark = pytest.mark.slow

TEXT = (ROOT / "docker-compose.yml").read_text()
OURS = {
    "setup",
    "spark-master",
    "spark-worker-1",
    "spark-worker-2",
    "consumer",
    "producer",
    "forecaster",
    "alerts",
    "retention",
    "dashboards",
    "dashboard",
}
ONE_SHOT = {"setup", "dashboards"}
SPARKS_DAEMONS = {"spark-master", "spark-worker-1", "spark-worker-2"}
SERVERS = {"kafka", "mongodb", "elasticsearch", "mosquitto", "logstash", "kibana", "cassandra"}
FORECASTERS_OWN = {"FORECASTER_HOST"}
"""It reads no settings of the other rooms."""
SPARKS_OWN = {"SPARK_DAEMON_MEMORY", "SPARK_MASTER_OPTS", "SPARK_WORKER_OPTS"}
"""Read by Spark itself."""
PLAIN = yaml.safe_load(TEXT)["services"]
KIBANAS_FILE = ROOT / "elk" / "kibana" / "kibana.yml"

Stack = dict[str, Any]


def test_every_part_is_there_in_its_profile(stack: Stack) -> None:
    assert set(stack["services"]) == OURS | SERVERS
    profiles = {name: service["profiles"] for name, service in stack["services"].items()}
    assert {name for name, of in profiles.items() if of == ["elk"]} == {"logstash", "kibana", "dashboards"}
    assert {name for name, of in profiles.items() if of == ["cassandra"]} == {"cassandra"}
    assert {name for name, of in profiles.items() if of == ["ui"]} == {"dashboard"}


@pytest.mark.parametrize("name", sorted(OURS | SERVERS))
def test_a_service_is_looked_after(stack: Stack, name: str) -> None:
    service = stack["services"][name]
    assert service["restart"] == ("on-failure:5" if name in ONE_SHOT else "unless-stopped")
    assert service["mem_limit"]
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    assert service["security_opt"] == ["no-new-privileges:true"]
    if name in ONE_SHOT:
        assert service["healthcheck"] == {"disable": True}
    else:
        assert service["healthcheck"]["test"]
        assert service["healthcheck"]["retries"] >= 3


@pytest.mark.parametrize("name", sorted(OURS | {"mosquitto"}))
def test_our_parts_can_write_to_their_volumes_alone(stack: Stack, name: str) -> None:
    service = stack["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert not service.get("privileged")


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_part_of_ours_has_the_volumes_that_it_writes_to(stack: Stack, name: str) -> None:
    service = stack["services"][name]
    logs = {"/var/log/skywatt"} if "SKYWATT_LOGS" in service.get("environment", {}) or name == "setup" else set()
    checkpoints = {"/data"} if name in SPARKS_DAEMONS | {"consumer"} else set()
    assert {one["target"] for one in service.get("volumes", [])} == logs | checkpoints


@pytest.mark.parametrize("name", sorted(ONE_SHOT | {"retention"}))
def test_what_takes_no_notice_of_a_signal_has_an_init_that_does(stack: Stack, name: str) -> None:
    """Python by itself, as the first process, is deaf to SIGTERM: stopping it took ten seconds."""
    assert stack["services"][name]["init"] is True


def test_images_are_pinned_and_ours_are_built_here(stack: Stack) -> None:
    for name, service in stack["services"].items():
        if "build" in service:
            assert name in OURS
            assert (ROOT / service["build"]["dockerfile"]).exists()
        elif name in SERVERS:
            assert re.search(r":\d+(\.\d+)+$", service["image"]), name
    elastic = {stack["services"][name]["image"].split(":")[1] for name in ("elasticsearch", "logstash", "kibana")}
    assert len(elastic) == 1
    assert elastic.pop().startswith("8.19.")


def test_one_service_builds_an_image_and_whatever_runs_it_starts_after_that_one(stack: Stack) -> None:
    """Compose builds what it is told to start, and what that waits for; nothing is asked of a registry by our names."""
    services = stack["services"]
    builders = {services[name]["image"]: name for name in OURS if "build" in services[name]}
    assert sorted(builders.values()) == sorted(name for name in OURS if "build" in services[name])
    assert set(docker.IMAGES) == builders.keys()
    for name in OURS:
        assert services[name]["pull_policy"] == "never", name
        builder = builders[services[name]["image"]]
        assert builder in _before(services, name)
        assert services[builder]["profiles"] in (services[name]["profiles"], ["core"])


def _before(services: dict[str, Any], name: str) -> set[str]:
    """A service and all that it waits for."""
    return {name}.union(*(_before(services, other) for other in services[name].get("depends_on", {})))


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_variable_of_ours_is_a_setting(stack: Stack, name: str) -> None:
    variables = set(stack["services"][name].get("environment", {})) - FORECASTERS_OWN - SPARKS_OWN
    assert {variable.lower() for variable in variables} <= Settings.model_fields.keys()


def test_every_setting_comes_to_a_part_or_is_refused(stack: Stack) -> None:
    """None is ignored in silence."""
    passed = {
        variable.lower()
        for name in OURS
        for variable, value in PLAIN[name].get("environment", {}).items()
        if str(value).startswith(f"${{{variable}")
    }
    ports = {
        name.lower() for name in re.findall(r"127\.0\.0\.1:\$\{(SKYWATT_\w+_PORT):-", TEXT)
    } & Settings.model_fields.keys()
    fixed = {name.lower() for name in SECRETS}
    kinds = [passed | ports | fixed, set(docker.REFUSED), set(docker.LOCAL_ALONE)]
    assert set().union(*kinds) == Settings.model_fields.keys()
    assert sum(map(len, kinds)) == len(Settings.model_fields), "one of two kinds"
    example = set(re.findall(r"^#?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    of_run_sh_and_compose = {"SKYWATT_MODE", "SKYWATT_CASSANDRA_PORT", "ELASTIC_VERSION"}
    assert {name.lower() for name in example - of_run_sh_and_compose} <= Settings.model_fields.keys()


@pytest.mark.parametrize("name", sorted(OURS - {"forecaster"}))
def test_the_settings_are_taken(stack: Stack, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Compose passes on, read as the part reads it."""
    for field in Settings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)
    for variable, value in stack["services"][name].get("environment", {}).items():
        monkeypatch.setenv(variable, value)
    settings = Settings(_env_file=None)
    if settings.kafka_bootstrap_servers:
        assert settings.kafka_bootstrap_servers == "kafka:9092"
        assert settings.kafka_security_protocol == "SASL_PLAINTEXT"
        assert settings.kafka_username == "skywatt"
        assert settings.kafka_password is not None
        assert settings.kafka_password.get_secret_value() == "the-LOCAL_KAFKA_PASSWORD"
    if settings.mongodb_uri:
        assert "skywatt:the-LOCAL_MONGODB_PASSWORD@mongodb:27017" in settings.mongodb_uri.get_secret_value()
    if settings.elasticsearch_url:
        assert settings.elasticsearch_url == "http://elasticsearch:9200"


def test_each_part_has_its_own_user_at_elasticsearch(stack: Stack) -> None:
    users = {
        name: (service["environment"]["ELASTICSEARCH_USERNAME"], service["environment"]["ELASTICSEARCH_PASSWORD"])
        for name, service in stack["services"].items()
        if "ELASTICSEARCH_USERNAME" in service.get("environment", {})
    }
    kibana = kibanas_settings(stack)
    users["kibana"] = (kibana["elasticsearch.username"], kibana["elasticsearch.password"])
    known = {user: f"the-{setting.upper()}" for user, (_, setting) in USERS.items()}
    known |= {KIBANA_SYSTEM[0]: f"the-{KIBANA_SYSTEM[1].upper()}", "elastic": "the-DOCKER_ELASTIC_PASSWORD"}
    for name, (user, password) in users.items():
        assert password == known[user], name
    assert users["logstash"][0] == "skywatt_logstash"
    assert users["retention"][0] == "skywatt_keeper"
    assert users["kibana"][0] == KIBANA_SYSTEM[0]
    assert {name for name, (user, _) in users.items() if user == "elastic"} == ONE_SHOT
    put = stack["services"]["setup"]["environment"]
    assert {setting.upper() for _, setting in USERS.values()} | {KIBANA_SYSTEM[1].upper()} <= put.keys()


def test_every_secret_comes_from_the_environment_and_none_is_in_the_file() -> None:
    named = set(re.findall(r"\$\{((?:LOCAL|DOCKER)_\w+)", TEXT))
    assert named == set(SECRETS)
    assert {name.lower() for name in named} <= Settings.model_fields.keys()
    for name in named:
        assert re.search(rf"\$\{{{name}:\?", TEXT), f"{name} must be asked for"


@pytest.mark.parametrize("name", sorted(SPARKS_DAEMONS))
def test_spark_takes_the_options_of_its_daemons(stack: Stack, name: str) -> None:
    """As ``spark-class`` has Spark's launcher put the command together; and each option is one that Spark knows."""
    service = stack["services"][name]
    spark = Path(pyspark.__file__).parent
    answer = subprocess.run(
        [str(find_java()), "-cp", f"{spark}/jars/*", "org.apache.spark.launcher.Main", *service["command"][1:]],
        env={"SPARK_HOME": str(spark), "SPARK_SCALA_VERSION": "2.13", **service["environment"]},
        capture_output=True,
        text=True,
        check=True,
    )
    words = answer.stdout.split("\0")
    assert "-Xmx256m" in words
    options = dict(word.removeprefix("-D").split("=") for word in words if word.startswith("-Dspark."))
    if name == "spark-master":
        assert options["spark.deploy.recoveryMode"] == "FILESYSTEM"
        assert options["spark.deploy.recoveryDirectory"].startswith("/data/")
    else:
        assert options["spark.executor.logs.rolling.strategy"] == "size"
        assert options["spark.worker.cleanup.enabled"] == "true"
    (core,) = (spark / "jars").glob("spark-core_*.jar")
    with ZipFile(core) as jar:
        known = b"".join(
            jar.read(f"org/apache/spark/internal/config/{one}$.class") for one in ("package", "Worker", "Deploy")
        )
    for option in options:
        assert option.encode() in known


def test_no_program_is_told_a_password_by_its_words(stack: Stack) -> None:
    """Process lists show a program's words. printf is the shell's own and no program."""
    for name, service in stack["services"].items():
        words = [*(service.get("entrypoint") or []), *(service.get("command") or [])]
        words += service.get("healthcheck", {}).get("test") or []
        if name == "kibana":  # its image makes words of variables that are named as its settings are: none begins so
            words += [
                f"{one}={value}" for one, value in service["environment"].items() if not one.startswith("SKYWATT_")
            ]
        for part in re.split(r"&&|\|\||[|;]", " ".join(words)):
            found = re.findall(r"\$\$?\{?(\w*(?:PASSWORD|KEY|TOKEN|SECRET))", part)
            assert not found or re.search(r"\bprintf ", part), f"{name}: {part}"
        assert not [secret for secret in SECRETS if f"the-{secret}" in " ".join(words)], name


def test_kibana_reads_its_file_and_has_what_that_asks_for(stack: Stack) -> None:
    service = stack["services"]["kibana"]
    (file,) = [one for one in service["volumes"] if one["type"] == "bind"]
    assert file["target"] == "/usr/share/kibana/config/kibana.yml"
    assert file["read_only"]
    assert Path(file["source"]) == KIBANAS_FILE
    settings = kibanas_settings(stack)
    assert settings["server.host"] == "0.0.0.0"  # noqa: S104 - inside the container
    assert settings["server.publicBaseUrl"] == "http://127.0.0.1:5601"
    assert {name for name, value in settings.items() if value == "the-DOCKER_KIBANA_KEY"} == {
        f"xpack.{of}.encryptionKey" for of in ("security", "encryptedSavedObjects", "reporting")
    }
    assert parse_duration(settings["server.shutdownTimeout"]) < timedelta(seconds=10), "Docker waits no longer"


def kibanas_settings(stack: Stack) -> dict[str, Any]:
    """Its file with the variables of its environment put in; as Kibana, it takes none that is not there."""
    environment = stack["services"]["kibana"]["environment"]
    text = re.sub(r"\$\{(\w+)\}", lambda found: environment[found[1]], KIBANAS_FILE.read_text())
    settings: dict[str, Any] = yaml.safe_load(text)
    return settings


def test_mongosh_is_no_neighbour_that_takes_the_memory(stack: Stack) -> None:
    """Each health check starts a Node.js of 150 MB beside mongod, in the same container."""
    mongodb = stack["services"]["mongodb"]
    check = {name: parse_duration(mongodb["healthcheck"][name]) for name in ("interval", "start_interval")}
    assert check["interval"] >= timedelta(seconds=30)
    assert check["start_interval"] <= timedelta(seconds=5)
    cache_gb = float(mongodb["command"][mongodb["command"].index("--wiredTigerCacheSizeGB") + 1])
    assert int(mongodb["mem_limit"]) >= cache_gb * 2**30 + 700 * 2**20


@pytest.mark.parametrize(("name", "least"), {"retention": 256, "alerts": 384}.items())
def test_a_part_has_room_for_the_libraries_that_it_imports(stack: Stack, name: str, least: int) -> None:
    assert int(stack["services"][name]["mem_limit"]) >= least * 2**20


def test_it_will_not_start_without_passwords(tools: Path) -> None:
    words = ["--profile", "core", "--env-file", "/dev/null", "-f", str(ROOT / "docker-compose.yml"), "config"]
    answer = subprocess.run(
        [str(tools / "compose" / "docker-compose"), *words],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode != 0
    assert "bash run.sh makes the passwords" in answer.stderr


def test_what_the_env_file_says_comes_to_the_parts_as_the_settings_read_it(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compose by itself takes ``$word`` for a variable, says that it is not set, and leaves it out."""
    program = tmp_path / "docker"
    program.write_text(f'#!/bin/sh\nshift\nexec {tools}/compose/docker-compose "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("SKYWATT_ENV_FILE", str(tmp_path / "env"))
    monkeypatch.setenv("MQTT_TOPIC", "of/the/environment")
    lines = [
        "MQTT_PASSWORD=pa$word1",
        "MQTT_TOPIC=of/the/file",
        "ASTRA_CLIENT_SECRET=x$$y #z",
        "ELASTIC_VERSION=8.19.3",
    ]
    (tmp_path / "env").write_text("\n".join(lines))

    answer = docker._compose("config", "--format", "json", capture=True)

    assert answer.stderr == ""
    services = json.loads(answer.stdout.replace("$$", "$"))["services"]  # it doubles what it shows
    settings = load_settings()
    assert settings.mqtt_password is not None
    assert (
        services["producer"]["environment"]["MQTT_PASSWORD"] == settings.mqtt_password.get_secret_value() == "pa$word1"
    )
    assert services["producer"]["environment"]["MQTT_TOPIC"] == settings.mqtt_topic == "of/the/environment"
    assert services["consumer"]["environment"]["ASTRA_CLIENT_SECRET"] == "x$$y"
    assert services["kibana"]["image"] == "kibana:8.19.3"


@pytest.mark.parametrize("name", sorted(OURS - SPARKS_DAEMONS - {"forecaster"}))
def test_a_command_is_one_of_the_code(stack: Stack, name: str) -> None:
    service = stack["services"][name]
    module, *arguments = [word for word in service["command"] if word not in ("python", "-m")]
    assert importlib.util.find_spec(module), module
    answer = subprocess.run(
        [sys.executable, "-m", module, *[one for one in arguments[:1] if not one.startswith("-")], "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    for option in arguments:
        if option.startswith("--"):
            assert option in answer.stdout


def test_what_the_docs_run_in_a_container_is_there_with_a_user_who_may(stack: Stack) -> None:
    """From this machine itself they log in as `skywatt`, who may only read."""
    texts = [(ROOT / "README.md").read_text(), *(path.read_text() for path in (ROOT / "docs").glob("*.md"))]
    runs = set(re.findall(r"docker compose run ([^`\n]+)", "\n".join(texts)))
    assert runs == {
        "--rm --no-deps producer producer go-live weather",
        "--rm --no-deps --build setup",
        "--rm --no-deps producer elk.rebuild",
    }
    copied = re.findall(r"^COPY (\w+)/", (ROOT / "docker" / "skywatt.Dockerfile").read_text(), re.MULTILINE)
    users = {"setup": "elastic", "producer": "skywatt_writer"}
    for name, *words in ([word for word in run.split() if not word.startswith("--")] for run in runs):
        service = stack["services"][name]
        assert service["image"] == "skywatt"
        assert (words or service["command"])[0].split(".")[0] in copied
        assert service["environment"]["ELASTICSEARCH_USERNAME"] == users[name]
    writes = roles()[USERS["skywatt_writer"][0]]["indices"][0]
    assert {"create_index", "index", "delete", "read"} <= set(writes["privileges"])
    assert {"readings-*", "totals-*", "forecasts-*"} <= set(writes["names"])


def test_health_is_asked_of_parts_by_the_names_they_tell(stack: Stack) -> None:
    from local_stack.parts import HEARTBEATS

    asked = {
        service["healthcheck"]["test"][-1]
        for service in stack["services"].values()
        if "readings.health" in service.get("healthcheck", {}).get("test", [])
    }
    assert asked == set(HEARTBEATS)


def test_what_a_service_waits_for_can_become_so(stack: Stack) -> None:
    services = stack["services"]
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
            assert how["condition"] == expected, f"{name} on {other}"
            assert services[other]["profiles"] in (service["profiles"], ["core"]), f"{name} needs {other}"
    for name in OURS - ONE_SHOT - SPARKS_DAEMONS - {"forecaster"}:
        assert "setup" in services[name]["depends_on"], name


def test_logstash_finds_its_files_and_reads_what_the_parts_write(stack: Stack) -> None:
    mounted = {one["target"]: one for one in stack["services"]["logstash"]["volumes"]}
    for target, one in mounted.items():
        if one["type"] == "bind":
            assert Path(one["source"]).exists()
            assert one["read_only"], target
    pipelines = (ROOT / "elk" / "logstash" / "pipelines.yml").read_text()
    for path in re.findall(r'path.config: "([^"]+)"', pipelines):
        folder, _, file = path.rpartition("/")
        assert (Path(mounted[folder]["source"]) / file).exists()
    names = {name for name, one in stack["services"].items() if "SKYWATT_LOGS" in one.get("environment", {})}
    assert names == OURS - ONE_SHOT - SPARKS_DAEMONS
    for writer in (stack["services"][name] for name in names):
        volumes = {one["target"]: one["source"] for one in writer["volumes"]}
        assert volumes[writer["environment"]["SKYWATT_LOGS"]] == mounted["/var/log/skywatt"]["source"]
    given = set(stack["services"]["logstash"]["environment"])
    for pipeline in (ROOT / "elk" / "logstash").glob("*.conf"):
        asked = set(re.findall(r"\$\{(\w+)(?::|\})", pipeline.read_text()))
        assert asked - given <= {"SKYWATT_LOGSTASH", "SKYWATT_LOGS", "SKYWATT_SINCEDB"}


def test_a_comment_beside_each_service_says_why_it_is_there() -> None:
    lines = TEXT.splitlines()
    for name in OURS | SERVERS - {"spark-worker-2"}:
        if name == "spark-worker-2":  # the line above both
            continue
        number = next(at for at, line in enumerate(lines) if re.match(rf"  {name}:", line))
        assert lines[number - 1].strip().startswith("#"), name


def test_compose_and_local_mode_run_the_same_servers() -> None:
    from local_stack import kafka

    assert PLAIN["kafka"]["image"].split(":")[1] == kafka.JARS.removeprefix("kafka-")
    from local_stack.elasticsearch import DISTRIBUTION

    assert DISTRIBUTION.removeprefix("elasticsearch-") in PLAIN["elasticsearch"]["image"]
