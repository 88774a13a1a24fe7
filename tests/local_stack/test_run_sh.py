"""run.sh: what a person types."""

import os
import subprocess
from pathlib import Path

import pytest

from readings.config import ROOT


def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", str(ROOT / "run.sh"), *arguments],
        env={**os.environ, **variables},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_tells_every_command() -> None:
    answer = run("--help")
    assert answer.returncode == 0
    for command in ("up", "down", "status", "logs", "doctor", "demo", "test"):
        assert f"\n  {command} " in answer.stdout


def test_a_mode_that_is_not_there_is_refused() -> None:
    answer = run("status", SKYWATT_MODE="cloud")
    assert answer.returncode == 2
    assert "SKYWATT_MODE" in answer.stderr


@pytest.mark.parametrize(
    "line", ["SKYWATT_MODE=cloud", 'export SKYWATT_MODE = "cloud"  # here', "SKYWATT_MODE='cloud'"]
)
def test_the_mode_may_stand_in_the_env_file_and_the_environment_wins(tmp_path: Path, line: str) -> None:
    (tmp_path / "env").write_text(f"#SKYWATT_MODE=local\n{line}\n")
    answer = run("status", SKYWATT_ENV_FILE=str(tmp_path / "env"))
    assert answer.returncode == 2
    assert "SKYWATT_MODE: read 'cloud', expected local or docker" in answer.stderr
    assert "'fog'" in run("status", SKYWATT_ENV_FILE=str(tmp_path / "env"), SKYWATT_MODE="fog").stderr


@pytest.mark.slow
def test_docker_is_refused_where_no_engine_answers() -> None:
    answer = run("status", SKYWATT_MODE="docker", DOCKER_HOST="tcp://127.0.0.1:1")
    assert answer.returncode == 1
    assert "SKYWATT_MODE=docker: no Docker engine answers" in answer.stderr


@pytest.mark.slow
def test_a_command_that_is_not_there_is_refused() -> None:
    answer = run("fly")
    assert answer.returncode == 2
    assert "fly" in answer.stderr


@pytest.mark.slow
def test_a_wrong_setting_is_refused_by_name() -> None:
    answer = run("status", SKYWATT_KAFKA_PORT="many")
    assert answer.returncode == 2
    assert "SKYWATT_KAFKA_PORT" in answer.stderr
    assert "Traceback" not in answer.stderr
