"""How our own parts are run."""

from pathlib import Path

from local_stack import parts
from local_stack.layout import Layout
from readings.settings import load_settings


def test_the_forecaster_is_told_what_it_would_not_read(layout: Layout, tmp_path: Path) -> None:
    """It stands alone: it reads the environment, and no ``.env``."""
    said = {
        "KAFKA_BOOTSTRAP_SERVERS": "a:1",
        "MONGODB_URI": "mongodb://a",
        "ELASTICSEARCH_URL": "http://a",
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
