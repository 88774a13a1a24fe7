"""run.sh: what a person types."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from readings.config import ROOT

PYTHON = f"""#!/bin/sh
version=$(cat "$0.version")
case "$2" in
  venv)
    rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python && ln -s "$0.version" .venv/bin/python.version
    echo "$PWD $version" >.venv/made_as
    [ -z "$NO_PIP" ] && printf '#!/bin/sh\\n[ "$(cat .venv/bin/python.version)" = %s ] && echo "%s"\\n' \\
      "$version" "pip 1 from $PWD/.venv/lib (python 3.$version)" >.venv/bin/pip && chmod +x .venv/bin/pip ;;
  pip) [ -z "$NO_NETWORK" ] && grep -q " $version$" .venv/made_as && ln -sf /bin/true .venv/bin/uv ;;
  local_stack) [ "$(cat .venv/made_as)" = "$PWD $version" ] && echo "$3: it runs, with $version" ;;
  local_stack.doctor) echo "of this machine" ;;
  *) exec {sys.executable} -c "import sys; sys.version_info = (3, $version); sys.prefix = '$PWD/.venv'; $2" ;;
esac
"""
"""Stands in for a Python and for that of the environment that it makes: nothing is downloaded. As the real ones do,
it works no more when the environment was moved or another Python came in its place."""


def run(*arguments: str, clone: Path = ROOT, **variables: str) -> "subprocess.CompletedProcess[str]":
    """A clone finds no modules but its own: Spark, where it ran in this process, adds ours to the path."""
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        ["bash", str(clone / "run.sh"), *arguments],
        env={**alone, **variables},
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


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone in which nothing was made yet."""
    folder = tmp_path / "clone"
    folder.mkdir()
    shutil.copy(ROOT / "run.sh", folder)
    (folder / "requirements.lock").write_text("a==1\n")
    monkeypatch.setenv("SKYWATT_MODE", "local")
    return folder


@pytest.fixture
def pythons(fake_bin: Path) -> Callable[..., None]:
    """Makes the Pythons that are on PATH, each with its version, and no others."""

    def put(**versions: int) -> None:
        for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14", "python"):
            (fake_bin / name).write_text(PYTHON if name in versions else "#!/bin/sh\nexit 127\n")
            (fake_bin / name).chmod(0o755)
            (fake_bin / f"{name}.version").write_text(str(versions.get(name)))

    return put


def test_an_environment_whose_making_was_broken_off_is_made_anew(clone: Path, pythons: Callable[..., None]) -> None:
    pythons(python3=11)
    assert "venv module is missing" in run("status", clone=clone, NO_PIP="1").stderr
    assert "status: it runs" in run("status", clone=clone).stdout


def test_an_environment_whose_python_became_another_is_made_anew(clone: Path, pythons: Callable[..., None]) -> None:
    pythons(python3=11)
    assert run("status", clone=clone).stdout.endswith("status: it runs, with 11\n")
    pythons(python3=12)
    assert run("status", clone=clone).stdout.endswith("status: it runs, with 12\n")


def test_the_environment_of_a_clone_that_was_moved_is_made_anew(clone: Path, pythons: Callable[..., None]) -> None:
    pythons(python3=11)
    assert "status: it runs" in run("status", clone=clone).stdout
    moved = clone.rename(clone.with_name("moved"))
    assert "status: it runs" in run("status", clone=moved).stdout


def test_another_lock_file_is_installed_into_the_environment_that_is_there(
    clone: Path, pythons: Callable[..., None]
) -> None:
    pythons(python3=11)
    run("status", clone=clone)
    (clone / ".venv" / "mine").touch()
    assert "Making" not in run("status", clone=clone).stderr
    (clone / "requirements.lock").write_text("a==2\n")
    assert "Making" in run("status", clone=clone).stderr
    assert (clone / ".venv" / "mine").exists()
    assert "Making" not in run("status", clone=clone).stderr


def test_an_environment_of_a_version_that_wrote_down_its_packages_alone_is_kept_without_a_network(
    clone: Path, pythons: Callable[..., None]
) -> None:
    pythons(python3=11)
    run("status", clone=clone)
    made = (clone / ".venv" / ".skywatt-lock").read_text()
    shutil.copy(clone / "requirements.lock", clone / ".venv" / ".skywatt-lock")
    answer = run("up", clone=clone, NO_NETWORK="1")
    assert (answer.stdout, answer.stderr) == ("up: it runs, with 11\n", "")
    assert (clone / ".venv" / ".skywatt-lock").read_text() == made
    shutil.copy(clone / "requirements.lock", clone / ".venv" / ".skywatt-lock")
    moved = clone.rename(clone.with_name("moved"))
    assert "Making" in run("up", clone=moved).stderr


def test_without_a_network_another_lock_file_costs_no_environment(clone: Path, pythons: Callable[..., None]) -> None:
    pythons(python3=11)
    run("status", clone=clone)
    shutil.copy(clone / "requirements.lock", clone / ".venv" / ".skywatt-lock")
    (clone / ".venv" / "mine").touch()
    (clone / "requirements.lock").write_text("a==2\n")
    assert "is there a network?" in run("up", clone=clone, NO_NETWORK="1").stderr
    assert (clone / ".venv" / "mine").exists()
    assert run("up", clone=clone).stdout.endswith("up: it runs, with 11\n")
    assert (clone / ".venv" / "mine").exists()


def test_what_runs_is_told_and_ended_with_the_packages_that_are_there(
    clone: Path, pythons: Callable[..., None]
) -> None:
    pythons(python3=11)
    run("up", clone=clone)
    (clone / "local_stack").mkdir()
    (clone / "local_stack" / "__main__.py").touch()
    (clone / "requirements.lock").write_text("a==2\n")
    for command in ("status", "logs", "down"):
        answer = run(command, clone=clone, NO_NETWORK="1")
        assert (answer.stdout, answer.stderr) == (f"{command}: it runs, with 11\n", "")
    assert "Making" in run("up", clone=clone).stderr


def test_a_python_that_has_all_packages_is_taken_where_there_is_one(clone: Path, pythons: Callable[..., None]) -> None:
    pythons(**{"python3": 14, "python3.14": 14, "python3.12": 12})
    assert "it runs, with 12" in run("status", clone=clone).stdout
    shutil.rmtree(clone / ".venv")
    pythons(**{"python3": 14, "python3.14": 14, "python": 10})
    answer = run("status", clone=clone)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "needs Python 3.11, 3.12 or 3.13" in answer.stderr


def test_with_docker_doctor_looks_at_the_engine_before_there_is_an_environment_too(
    clone: Path, pythons: Callable[..., None], fake_bin: Path
) -> None:
    pythons(python3=11)
    (fake_bin / "docker").symlink_to("/bin/true")
    assert run("doctor", clone=clone).stdout == "of this machine\n"
    assert run("doctor", clone=clone, SKYWATT_MODE="").stdout == "doctor: it runs, with 11\n"
