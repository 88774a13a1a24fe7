"""The stack on Docker: what ``run.sh`` does where an engine answers. ``docker-compose.yml`` says what runs."""

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from rich.console import Console

from local_stack import passwords, table
from local_stack.console import say, step
from local_stack.engine import engine_info
from local_stack.errors import NotReadyError, StackError
from local_stack.first_readings import readings_flow
from local_stack.layout import layout
from local_stack.status import PartStatus, Status, gather, read_heartbeats
from readings import env_file
from readings.config import ROOT
from readings.connections import Document
from readings.errors import ConfigError
from readings.settings import LOCAL, Settings, load_settings, load_what_is_right

PROFILES = ("core", "elk", "ui")
ALL_PROFILES = (*PROFILES, "cassandra")
SERVICES = (
    *("kafka", "mongodb", "elasticsearch", "setup", "spark-master", "spark-worker-1", "spark-worker-2", "consumer"),
    *("producer", "forecaster", "alerts", "retention", "mosquitto", "logstash", "kibana", "dashboards"),
    *("dashboard", "cassandra"),
)
IMAGES = ("skywatt", "skywatt-spark", "skywatt-forecaster", "skywatt-dashboard")
"""What is built here."""
ENGINE = 28
"""The first version that keeps ports of 127.0.0.1 from the machine's neighbours: until 27 a host of the same network
segment reached them.
"""
MEMORY_GIB = 10
REFUSED = (
    *("kafka_bootstrap_servers", "kafka_security_protocol", "kafka_sasl_mechanism", "kafka_username", "kafka_password"),
    *("kafka_ca_file", "mongodb_uri", "elasticsearch_url", "elasticsearch_username", "elasticsearch_password"),
    *("elasticsearch_api_key", "elasticsearch_ca_file", "forecaster_url", "spark_master", "skywatt_namespace"),
    *("meters_file", "meter_tariff_file", "mqtt_ca_file", "astra_secure_bundle_path", "delta_path", "delta_streams"),
    *("skywatt_config", "skywatt_logs"),
)
"""Settings that nothing in a container could follow: other servers and names than its own, this machine's files."""
LOCAL_ALONE = (
    *("skywatt_data", "skywatt_home", "skywatt_kafka_controller_port", "skywatt_elasticsearch_transport_port"),
)
"""Settings of local mode and of commands that run on this machine: they mean nothing here, and are let be."""
COPIED = (
    *(
        "alerts",
        "apis",
        "dashboard",
        "docker",
        "elk",
        "forecaster",
        "local_stack",
        "producer",
        "readings",
        "recordings",
    ),
    *("skywatt.yml", "spark_consumer"),
)
"""What of this repository is in an image or is mounted into a container."""
MAP_COUNT = 262_144
"""What Elasticsearch needs of ``vm.max_map_count``."""
READY_S = 900.0
READINGS_S = 300.0
STATS_S = 30.0
_LOOK_S = 3.0
ENDED_LOOKS = 3
"""A part that has ended is found so at so many looks: Docker does not start it again."""
_UNITS = {"B": 1e-6, "KiB": 1024e-6, "MiB": 1.048576, "GiB": 1073.741824}


def up(console: Console) -> int:
    """Builds and starts everything, waits until it is well and readings flow, and shows what there is.

    Gives 1 where everything runs but no readings came in time. Raises StackError where a step could not be done.
    """
    began = time.monotonic()
    settings, made = passwords.ensure_passwords(passwords.DOCKER_NAMES)
    _refuse(settings)
    if made:
        say(console, "✓", "passwords made", began, f"in {env_file.path()}, for your eyes only")
    with step(console, "looking at the Docker engine") as current:
        problems = engine_problems(engine_info(), _map_count())
        if problems:
            raise StackError("\n".join(problems))
        current.say("enough memory, vm.max_map_count is large enough")
    make_readable(ROOT)
    console.print("docker compose build and up: images are built and fetched the first time, which takes minutes")
    _build(console)
    started = _compose("up", "--detach", "--remove-orphans", variables=broker_variables(settings))
    if started.returncode != 0:
        raise StackError("docker compose up failed; what is said above tells why")
    with step(console, "waiting until every part is well"):
        _wait_well()
    with step(console, "first readings and forecasts") as current:
        flowing = readings_flow(settings, READINGS_S)
        status = _gather(settings)
        current.say(f"{sum(stream.elasticsearch or 0 for stream in status.streams):,} readings so far")
    console.print()
    _show(console, status, settings)
    console.print(f"\nUp after {time.monotonic() - began:.1f} s. What to try next:")
    for line in next_steps(settings):
        console.print(line, markup=False, soft_wrap=True)
    return 0 if flowing else 1


def make_readable(root: Path) -> None:
    """Lets the containers' users read what is `COPIED`: a checkout under umask 077 does not."""
    for path in (found for name in COPIED for found in (root / name, *(root / name).rglob("*"))):
        mode = path.stat().st_mode
        wanted = mode | (0o055 if path.is_dir() else 0o044)
        if wanted != mode:
            path.chmod(wanted)


def status(console: Console, *, as_json: bool) -> int:
    """Shows how every part and stream is; gives 1 where a part does not run."""
    containers = _containers()
    try:
        settings = load_settings()
        if not containers:
            nothing = "Nothing is running; bash run.sh up starts it."
            print(json.dumps({"parts": [], "streams": []}) if as_json else nothing)
            return 1
        told = _gather(settings)
    except ConfigError:
        table.show_parts(console, _parts(containers, {}), as_json=as_json)
        raise
    if as_json:
        print(json.dumps(told.as_json()))
    else:
        _show(console, told, settings)
        console.print(kibana_line(settings), markup=False, soft_wrap=True)
    return 0 if told.all_running else 1


def down(console: Console, *, data: bool) -> int:
    """Stops and removes every container; with `data`, also what they kept, and the passwords."""
    with step(console, "stopping") as current:
        if not _containers():
            current.say("nothing was running")
        removed = _compose("down", "--remove-orphans", *(["--volumes"] if data else []), profiles=ALL_PROFILES)
        if removed.returncode != 0:
            raise StackError("docker compose down failed; what is said above tells why")
    if data:
        passwords.forget_passwords()
    return 0


def logs(part: str | None, lines: int, *, follow: bool) -> int:
    """The last lines of what the containers, or one of them, say."""
    words = ["logs", "--tail", str(lines), *(["--follow"] if follow else []), *([part] if part else [])]
    return _compose(*words, profiles=ALL_PROFILES).returncode


def engine_problems(info: Mapping[str, Any], map_count: int | None) -> list[str]:
    """What the engine lacks for the whole stack, each with how to mend it."""
    problems = []
    version = str(info.get("ServerVersion", ""))
    if version.split(".")[0].isdigit() and int(version.split(".")[0]) < ENGINE:
        problems.append(
            f"the Docker engine: read version {version}, expected {ENGINE} or newer\n"
            "  → update it, or run without Docker: SKYWATT_MODE=local bash run.sh"
        )
    memory_gib = info.get("MemTotal", 0) / 2**30
    if memory_gib < MEMORY_GIB - 0.5:
        problems.append(
            f"memory: the Docker engine has {memory_gib:.1f} GiB, expected {MEMORY_GIB}\n"
            "  → give it more, or run without Docker: SKYWATT_MODE=local bash run.sh"
        )
    if map_count is not None and map_count < MAP_COUNT:
        problems.append(
            f"vm.max_map_count: read {map_count}, expected {MAP_COUNT} or more (Elasticsearch)\n"
            f"  → sudo sysctl -w vm.max_map_count={MAP_COUNT}, and the same line in /etc/sysctl.conf to keep it"
        )
    return problems


def doctor(console: Console) -> int:
    """Says what the engine lacks; gives 1 where it does."""
    problems = engine_problems(engine_info(), _map_count())
    for problem in problems:
        console.print(f"PROBLEM  {problem}", markup=False, soft_wrap=True)
    if not problems:
        console.print("ok       a Docker engine with enough memory; SKYWATT_MODE=local does without it")
    return 1 if problems else 0


def broker_variables(settings: Settings) -> dict[str, str]:
    """What the producer must be told where MQTT_URL says that the broker is our own: there it is another host."""
    if settings.mqtt_url != LOCAL:
        return {}
    password = settings.local_mqtt_password.get_secret_value()
    return {"MQTT_URL": "mqtt://mosquitto:1883", "MQTT_USERNAME": "skywatt", "MQTT_PASSWORD": password}


def part_of(
    container: Mapping[str, Any], heartbeats: Mapping[str, Document], memory: Mapping[str, float]
) -> PartStatus:
    """One container as ``docker compose ps`` tells of it, and as the part in it tells of itself."""
    name, state, health = container["Service"], container["State"], container.get("Health", "")
    port = next((one["PublishedPort"] for one in container.get("Publishers") or [] if one["PublishedPort"]), None)
    address = f"127.0.0.1:{port}" if port else ""
    rss_mb = memory.get(container["Name"])
    logs_line = f"bash run.sh logs {name}"
    if state == "exited" and container.get("ExitCode") == 0:
        return PartStatus(name, "running", address, port, None, None, "done")
    if state in ("exited", "dead"):
        return PartStatus(name, "failed", address, port, None, None, f"it ended; {logs_line}")
    if state != "running" or health == "starting":
        return PartStatus(name, "waiting", address, port, None, rss_mb, "its start")
    if health == "unhealthy":
        return PartStatus(name, "failed", address, port, None, rss_mb, f"its health; {logs_line}")
    heartbeat = heartbeats.get(name, {})
    return PartStatus(
        name, heartbeat.get("state", "running"), address, port, None, rss_mb, heartbeat.get("waiting_for") or ""
    )


def next_steps(settings: Settings) -> list[str]:
    """What a person may want to do now."""
    return [
        f"  {settings.dashboard_address}   the dashboard: is everything arriving?",
        kibana_line(settings),
        "  bash run.sh status          how every part and stream is, at any time",
        "  bash run.sh logs consumer   what a part says",
        f"  {settings.forecaster_address}/docs   ask the forecaster",
        "  bash run.sh down            stops everything and keeps the data",
    ]


def kibana_line(settings: Settings) -> str:
    """Where Kibana is, and who logs in."""
    return (
        f"  http://127.0.0.1:{settings.skywatt_kibana_port}/app/dashboards   Kibana: user skywatt, "
        "password LOCAL_ELASTICSEARCH_PASSWORD in .env"
    )


def memory_mb(usage: str) -> float:
    """Megabytes of what ``docker stats`` shows: ``123.4MiB / 1GiB``."""
    used = usage.split("/")[0].strip()
    unit = next(unit for unit in ("GiB", "MiB", "KiB", "B") if used.endswith(unit))
    return float(used.removesuffix(unit)) * _UNITS[unit]


def _show(console: Console, told: Status, settings: Settings) -> None:
    table.show(console, told, settings, layout(settings), alerts_log="bash run.sh logs alerts")


def _refuse(settings: Settings) -> None:
    refused = [name.upper() for name in REFUSED if name in settings.model_fields_set]
    if refused:
        raise ConfigError(
            f"{', '.join(refused)}: Docker brings servers of its own and sees no file of this machine; "
            "leave it out, or SKYWATT_MODE=local bash run.sh"
        )


def _build(console: Console) -> None:
    """Builds our images; where that fails, all of them that were built before will do.

    A build asks Docker Hub for the base of an image also where all its layers are here.
    """
    if _compose("build").returncode == 0:
        return
    there = subprocess.run(("docker", "image", "inspect", *IMAGES), capture_output=True, check=False)
    if there.returncode != 0:
        raise StackError("docker compose build failed; what is said above tells why")
    console.print(
        "docker compose build failed, see above: our images are used as they are, without what changed since",
        soft_wrap=True,
    )


def _wait_well() -> None:
    deadline = time.monotonic() + READY_S
    looks: dict[str, int] = {}
    while True:
        now = [part_of(container, {}, {}) for container in _containers()]
        ended = [part.name for part in now if part.state == "failed" and part.waiting_for.startswith("it ended")]
        looks = {name: looks.get(name, 0) + 1 for name in ended}
        left = [part.name for part in now if part.state != "running"]
        if now and not left:
            return
        for name, times in looks.items():
            if times >= ENDED_LOOKS:
                raise NotReadyError(f"{name} ended and is not started again; bash run.sh logs {name}")
        if time.monotonic() > deadline:
            raise NotReadyError(f"not well after {READY_S:.0f} s: {', '.join(left)}; bash run.sh logs PART")
        time.sleep(_LOOK_S)


def _gather(settings: Settings) -> Status:
    return gather(settings, layout(settings), lambda: _parts(_containers(), read_heartbeats(settings) or {}))


def _parts(containers: Sequence[Mapping[str, Any]], heartbeats: Mapping[str, Document]) -> list[PartStatus]:
    memory = _memory([container["Name"] for container in containers if container["State"] == "running"])
    found = [part_of(container, heartbeats, memory) for container in containers]
    return sorted(found, key=lambda part: SERVICES.index(part.name) if part.name in SERVICES else len(SERVICES))


def _containers() -> list[dict[str, Any]]:
    answer = _compose("ps", "--all", "--format", "json", profiles=ALL_PROFILES, capture=True)
    if answer.returncode != 0:
        raise StackError(f"docker compose ps failed: {answer.stderr.strip()[:500]}")
    return [json.loads(line) for line in answer.stdout.splitlines() if line.strip()]


def _memory(names: Sequence[str]) -> dict[str, float]:
    """Megabytes by container's name; there are none of one that has just gone, or where the engine does not answer."""
    if not names:
        return {}
    command = ("docker", "stats", "--no-stream", "--format", "{{json .}}", *names)
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=STATS_S, check=False)
    except subprocess.TimeoutExpired:
        return {}
    rows = [json.loads(line) for line in answer.stdout.splitlines() if line.strip()]
    return {row["Name"]: memory_mb(row["MemUsage"]) for row in rows if not row["MemUsage"].startswith("--")}


def _map_count() -> int | None:
    try:
        return int(Path("/proc/sys/vm/max_map_count").read_text())
    except OSError:  # not Linux: the engine's own machine sets it
        return None


def _compose(
    *words: str,
    profiles: Sequence[str] = PROFILES,
    capture: bool = False,
    variables: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    settings, wrong = load_what_is_right()  # a wrong port would keep Compose from stopping anything; up refuses it
    given = {**os.environ, **_variables(), **_absent_passwords(settings), **(variables or {})}
    return subprocess.run(
        [
            *("docker", "compose", "--project-directory", str(ROOT), "--file", str(ROOT / "docker-compose.yml")),
            *("--env-file", os.devnull),
            *(word for profile in profiles for word in ("--profile", profile)),
            *words,
        ],
        env={name: value for name, value in given.items() if name not in wrong},
        capture_output=capture,
        text=True,
        check=False,
    )


def _variables() -> dict[str, str]:
    """What ``.env`` says, read as the settings read it: Compose takes ``$word`` in a value for one of its variables."""
    found = dotenv_values(env_file.path())
    return {name.upper(): value for name, value in found.items() if value and not os.environ.get(name.upper())}


def _absent_passwords(settings: Settings) -> dict[str, str]:
    """Words instead of passwords that are not made yet, or were forgotten: Compose reads nothing of its file without.

    Only what asks and what stops meets them, for ``up`` makes the passwords first.
    """
    return {name.upper(): "absent" for name in passwords.DOCKER_NAMES if not getattr(settings, name).get_secret_value()}
