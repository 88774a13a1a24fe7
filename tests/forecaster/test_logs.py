"""What the forecaster logs, where, and by which settings."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from forecaster import __main__ as forecaster
from local_stack.ports import free_ports
from readings import logs
from readings.config import ROOT

COMMAND = [sys.executable, "-m", "forecaster"]


def test_its_log_is_rotated_as_the_other_parts_are() -> None:
    assert forecaster.MAX_FILE_BYTES == logs.MAX_FILE_BYTES


def test_a_level_that_is_none_is_refused_by_name() -> None:
    environment = {**os.environ, "SKYWATT_LOG_LEVEL": "LOUD"}
    answer = subprocess.run(COMMAND, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert answer.stderr == "SKYWATT_LOG_LEVEL: read 'LOUD', expected one of DEBUG, INFO, WARNING, ERROR\n"


@pytest.mark.slow
def test_it_logs_to_a_file_too_where_a_folder_is_named(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    folder = tmp_path / "made" / "by it"
    environment = {**os.environ, "SKYWATT_LOGS": str(folder), "SKYWATT_FORECASTER_PORT": str(port)}
    file = folder / "forecaster.log"
    deadline = time.monotonic() + 60
    with subprocess.Popen(COMMAND, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            while "startup complete" not in (file.read_text() if file.exists() else ""):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
        finally:
            process.terminate()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert {line["service"]["name"] for line in lines} == {"skywatt-forecaster"}
    assert all(line["@timestamp"] and line["log.level"] for line in lines)
