import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from readings.config import ROOT
from readings.errors import ConfigError
from readings.logs import set_up_logs
from readings.settings import Settings


@pytest.fixture(autouse=True)
def _handlers_as_before() -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


def test_a_line_goes_to_standard_error_and_to_the_parts_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(_env_file=None, skywatt_logs=tmp_path, kafka_password="hunter22")
    set_up_logs(settings, "producer")
    logging.getLogger("producer.publisher").info("sent with hunter22", extra={"stream": "weather"})
    shown = capsys.readouterr().err
    assert (tmp_path / "producer.log").read_text() == shown
    line = json.loads(shown)
    assert line["message"] == "sent with [redacted]"
    assert line["service"]["name"] == "skywatt-producer"
    assert line["stream"] == "weather"


@pytest.mark.parametrize("spelt", ["a+b/c=%d", "a%2Bb%2Fc%3D%25d"])
def test_a_key_is_taken_out_as_a_url_spells_it_too(spelt: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(Settings(_env_file=None, openweathermap_api_key="a+b/c=%d"), "producer")
    logging.getLogger("producer").warning("Failed to parse headers (url=http://a/?appid=%s)", spelt)
    shown = capsys.readouterr().err
    assert spelt not in shown
    assert "[redacted]" in shown


@pytest.fixture
def kafka() -> Iterator[logging.Logger]:
    """As if no room had chosen which of the library's lines are shown."""
    loggers = [logging.getLogger(name) for name in ("kafka", "kafka.net.selector", "kafka.net.sasl")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.NOTSET)
    yield loggers[0]
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


def test_of_a_library_less_is_shown_where_less_was_asked_for(
    kafka: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs(Settings(_env_file=None), "alerts")
    kafka.info("not shown")
    kafka.warning("a warning")
    set_up_logs(Settings(_env_file=None, skywatt_log_level="ERROR"), "alerts")
    kafka.warning("not shown")
    kafka.error("an error")
    kafka.setLevel(logging.CRITICAL)  # as a room does when it is imported
    set_up_logs(Settings(_env_file=None), "alerts")
    for name in ("kafka.net.manager", "kafka.net.selector", "kafka.net.sasl"):
        logging.getLogger(name).error("not shown")

    assert [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()] == ["a warning", "an error"]


def test_without_a_folder_there_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(Settings(_env_file=None), "producer")
    logging.getLogger("producer").info("hello")
    assert "hello" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    set_up_logs(Settings(_env_file=None, skywatt_logs="~/some/logs"), "producer")
    logging.getLogger("producer").info("hello")
    assert "hello" in (tmp_path / "some" / "logs" / "producer.log").read_text()


def test_a_folder_that_cannot_be_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "logs"):
        with pytest.raises(ConfigError, match=f"^SKYWATT_LOGS: read '{folder}', expected a folder .*producer.log"):
            set_up_logs(Settings(_env_file=None, skywatt_logs=folder), "producer")


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    ["producer serve", "spark_consumer", "forecaster", "alerts run", "dashboard", "elk.retention --every 24h"],
)
def test_a_part_whose_folder_cannot_be_ends_with_one_line(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").touch()
    environment = {
        **os.environ,
        "SKYWATT_ENV_FILE": os.devnull,
        "SKYWATT_LOGS": str(tmp_path / "file"),
        "MONGODB_URI": "mongodb://127.0.0.1:1",
        "ELASTICSEARCH_URL": "http://127.0.0.1:1",
    }
    answer = subprocess.run(
        [sys.executable, "-m", *command.split()], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 2, answer.stderr
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"SKYWATT_LOGS: read '{tmp_path / 'file'}', expected a folder")
