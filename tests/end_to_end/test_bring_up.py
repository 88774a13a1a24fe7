"""``run.sh`` from the first ``up`` to ``down --data``, with every part, on ports and data of its own."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from local_stack import mosquitto, processes
from local_stack.layout import Layout
from local_stack.parts import PARTS
from local_stack.spare import settings_of, spare_environment
from readings.config import ROOT
from readings.logs import secrets_of

pytestmark = pytest.mark.timeout(600)

STARTED = [part for part in PARTS if part != mosquitto.NAME]
"""Without MQTT_URL there is no broker."""
BACKFILLED = {"weather": 5000, "production": 16_000, "meter": 14_000, "facility": 20_000, "market": 1400}
"""How many readings of each stream the recordings hold at least for the time before now."""
MOST_ON_THE_WAY = 2000
"""How many readings one store may have before the other."""

Environment = Mapping[str, str]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    environment = spare_environment(tmp_path_factory.mktemp("up"))
    yield environment
    run(environment, "down", "--data")


@pytest.fixture(scope="module")
def first_up(environment: Environment) -> str:
    answer = run(environment, "up")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def run(environment: Environment, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", str(ROOT / "run.sh"), *arguments], env=environment, capture_output=True, text=True, check=False
    )


def status(environment: Environment) -> dict[str, Any]:
    return json.loads(run(environment, "status", "--json").stdout)


def pids(environment: Environment) -> dict[str, int]:
    return {part["name"]: part["pid"] for part in status(environment)["parts"]}


def layout(environment: Environment) -> Layout:
    return Layout(Path(environment["SKYWATT_DATA"]))


def test_up_shows_every_part_and_that_the_readings_are_recordings(first_up: str) -> None:
    assert all(f"\n{part} " in first_up for part in STARTED)
    assert "Recordings: the readings of weather" in first_up
    assert "to the log only" in first_up


@pytest.mark.usefixtures("first_up")
def test_after_up_everything_runs_and_readings_are_in_both_stores(environment: Environment) -> None:
    told = status(environment)
    assert {part["name"]: part["state"] for part in told["parts"]} == dict.fromkeys(STARTED, "running")
    assert all(part["rss_mb"] > 0 for part in told["parts"])
    streams = {stream["name"]: stream for stream in told["streams"]}
    assert streams.keys() == BACKFILLED.keys()
    for name, least in BACKFILLED.items():
        stream = streams[name]
        assert least <= stream["mongodb"] <= stream["elasticsearch"] + MOST_ON_THE_WAY, name
        assert least <= stream["elasticsearch"], name
        assert (stream["late"], stream["dead_letters"], stream["silent"]) == (0, 0, 0), name


@pytest.mark.usefixtures("first_up")
def test_a_second_up_changes_nothing(environment: Environment) -> None:
    before = pids(environment)
    answer = run(environment, "up")
    assert answer.returncode == 0
    assert "nothing was changed" in answer.stdout
    assert pids(environment) == before


def test_no_secret_is_shown_or_logged(environment: Environment, first_up: str) -> None:
    secrets = secrets_of(settings_of(environment))
    shown = first_up + run(environment, "status").stdout + run(environment, "logs", "-n", "1000").stdout
    for log in layout(environment).logs.iterdir():
        shown += log.read_text(errors="replace")
    assert secrets
    assert not [secret for secret in secrets if secret in shown]


@pytest.mark.usefixtures("first_up")
def test_up_recovers_from_a_supervisor_that_was_killed(environment: Environment) -> None:
    before = status(environment)["streams"][0]["mongodb"]
    pid = int((layout(environment).run / "supervisord.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    answer = run(environment, "up")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "left over" in answer.stdout
    told = status(environment)
    assert {part["state"] for part in told["parts"]} == {"running"}
    assert told["streams"][0]["mongodb"] >= before


@pytest.mark.usefixtures("first_up")
def test_down_leaves_no_process_and_keeps_the_data(environment: Environment) -> None:
    running = processes.of_stack(layout(environment))
    assert len(running) > len(PARTS)
    assert run(environment, "down").returncode == 0
    assert not [process for process in running if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    assert processes.of_stack(layout(environment)) == []
    assert any((layout(environment).server("kafka") / "data").iterdir())
    assert run(environment, "status").returncode == 1


@pytest.mark.usefixtures("first_up")
def test_down_data_removes_the_data_and_the_passwords(environment: Environment) -> None:
    assert run(environment, "down", "--data").returncode == 0
    assert not layout(environment).root.exists()
    assert not Path(environment["SKYWATT_ENV_FILE"]).exists()
