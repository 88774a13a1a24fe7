"""How our own parts are run."""

import sys
from pathlib import Path

import pytest
import yaml

from local_stack import mongodb, parts
from local_stack.java import java_environment
from local_stack.layout import Layout
from readings.config import ROOT
from readings.settings import Settings, load_settings


def test_the_forecaster_is_told_what_it_would_not_read(layout: Layout, tmp_path: Path) -> None:
    """It stands alone: it reads the environment, and no ``.env``."""
    said = {
        "KAFKA_BOOTSTRAP_SERVERS": "a:1",
        "MONGODB_URI": "mongodb://a",
        "ELASTICSEARCH_URL": "http://a:9200",
        "SKYWATT_FORECASTER_PORT": "8123",
        "SKYWATT_LOG_LEVEL": "WARNING",
        "SKYWATT_LOGS": str(tmp_path),
    }
    (tmp_path / "env").write_text("".join(f"{name}={value}\n" for name, value in said.items()))
    programs = {one.name: one for one in parts.prepare(load_settings(), layout, Path("/java/bin/java"))}
    environment = programs[parts.FORECASTER].environment
    for name in ("SKYWATT_FORECASTER_PORT", "SKYWATT_LOG_LEVEL", "SKYWATT_LOGS"):
        assert environment[name] == said[name]
    assert "SKYWATT_LOGS" not in programs["producer"].environment


def test_an_activated_environment_makes_no_other_command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def environments() -> list[object]:
        return [java_environment(), mongodb._environment(), parts._own("alerts", settings, Path("/java")).environment]

    monkeypatch.setenv("PATH", "/one:/two")
    before = environments()
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/one:/two")
    assert environments() == before


def test_old_months_are_dropped_of_an_elasticsearch_of_ours_alone(settings: Settings) -> None:
    assert parts.RETENTION in parts.local_parts(settings)
    elsewhere = settings.model_copy(update={"elasticsearch_url": "https://search.example:9200"})
    assert parts.RETENTION not in parts.parts_of(elsewhere)


def test_old_months_are_dropped_once_a_day_as_on_docker(settings: Settings) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    local = parts._own(parts.RETENTION, settings, Path("/java/bin/java"))
    assert list(local.command[2:]) == compose["services"][parts.RETENTION]["command"]
