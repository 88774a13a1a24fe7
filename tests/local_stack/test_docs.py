"""What the pages tell a person to type or to open is there."""

import importlib.util
import re
from pathlib import Path

import pytest

from readings.config import ROOT

PAGES = [ROOT / "README.md", ROOT / ".env.example", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def text(request: pytest.FixtureRequest) -> str:
    page: Path = request.param
    return page.read_text()


def test_every_module_is_there(text: str) -> None:
    for module in re.findall(r"python -m ([\w.]+\w)", text):
        assert importlib.util.find_spec(module), module


def test_every_file_is_there(text: str) -> None:
    for path in re.findall(
        r"(?<![\w/.])((?:tests|elk|docker|docs|benchmarks|recordings|spark_consumer)/[\w/.-]+\.\w+)", text
    ):
        assert (ROOT / path).exists(), path


def test_what_compose_starts_is_built_of_what_is_here(text: str) -> None:
    """Without it an older image is run."""
    for command in re.findall(r"docker compose [^`\n]*\bup\b[^`\n]*", text):
        assert "--build" in command, command
