"""Dockerfiles: what linting says, and that an image holds what its rooms import."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from readings.config import ROOT
from spark_consumer.session import CONNECTOR

pytestmark = pytest.mark.slow

FILES = [*sorted((ROOT / "docker").glob("*.Dockerfile")), ROOT / "forecaster" / "Dockerfile"]
PYTHON = "python:3.11.14-slim-bookworm"
ROOMS = {"skywatt": {"readings", "apis", "producer", "alerts", "elk"}, "spark": {"readings", "apis", "spark_consumer"}}
ROOMS["dashboard"] = {"readings", "dashboard"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_hadolint_has_nothing_to_say(tools: Path, file: Path) -> None:
    answer = subprocess.run([tools / "bin" / "hadolint", file], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_an_image_is_made_in_stages_and_runs_without_rights(file: Path) -> None:
    lines = file.read_text().splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM")]
    assert len(bases) >= 2
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", file.read_text(), re.MULTILINE))
    assert {base for base in bases if base not in stages} == {PYTHON}
    last = max(number for number, line in enumerate(lines) if line.startswith("FROM"))
    (user,) = [line.split()[1] for line in lines[last:] if line.startswith("USER")]
    assert user not in ("root", "0")
    assert "--require-hashes" in file.read_text()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_everything_that_is_copied_is_there_and_not_ignored(file: Path) -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = [line[1:].rstrip("/") for line in ignored if line.startswith("!")]
    for line in file.read_text().splitlines():
        if line.startswith("COPY") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source
                assert any(Path(source).match(one) or Path(source).parts[0] == one for one in allowed), source


def test_secrets_and_caches_are_ignored() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    assert "**/.env*" in lines
    assert not any(line.startswith(("!.env", "!.git", "!.skywatt", "!.venv")) for line in lines)


@pytest.mark.parametrize("image", ROOMS)
def test_an_image_holds_what_its_rooms_import(image: str) -> None:
    file = (ROOT / "docker" / f"{image}.Dockerfile").read_text()
    copied = set(re.findall(r"^COPY (\w+)/ ", file, re.MULTILINE)) - {"recordings"}
    assert copied == ROOMS[image]
    locked = {name.lower() for name in re.findall(r"^([\w.-]+)==", _lock(image), re.MULTILINE)}
    distributions = packages_distributions()
    for room in ROOMS[image]:
        for module, name in imports(ROOT / room):
            if name in sys.stdlib_module_names or name in ROOMS[image]:
                continue
            assert name in distributions, f"{module} imports {name}"
            assert {one.lower().replace("_", "-") for one in distributions[name]} & locked, f"{module} imports {name}"


@pytest.mark.parametrize("image", ROOMS)
def test_an_images_packages_are_those_that_the_tests_ran_with(image: str) -> None:
    everything = set(re.findall(r"^[\w.-]+==\S+", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert set(re.findall(r"^[\w.-]+==\S+", _lock(image), re.MULTILINE)) <= everything


def test_what_fetches_the_connector_runs_with_what_is_copied_for_it(tmp_path: Path) -> None:
    lines = (ROOT / "docker" / "spark.Dockerfile").read_text().splitlines()
    fetching = next(number for number, line in enumerate(lines) if "local_stack.artifacts" in line and "RUN" in line)
    for line in lines[:fetching]:
        if line.startswith("COPY") and "docker/" not in line:
            *sources, folder = line.split()[1:]
            (tmp_path / folder).mkdir()
            for source in sources:
                shutil.copy(ROOT / source, tmp_path / folder)
    answer = subprocess.run(
        [sys.executable, "-m", "local_stack.artifacts", str(tmp_path / "jars")],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    (names,) = re.findall(r"local_stack\.artifacts /opt/skywatt (.+)", lines[fetching])
    assert names == CONNECTOR


def _lock(image: str) -> str:
    return (ROOT / "docker" / f"{image}.lock").read_text()


def imports(room: Path) -> Iterator[tuple[str, str]]:
    """Each module of a room and the first name of what it imports."""
    for path in room.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((path.name, alias.name.split(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield path.name, node.module.split(".")[0]
