"""What the forecaster logs, where, and by which settings."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

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


@contextmanager
def running(file: Path, **variables: str) -> Iterator[int]:
    """The service, logging to that file too, once it has started; gives its port."""
    (port,) = free_ports(1)
    environment = {**os.environ, "SKYWATT_LOGS": str(file.parent), "SKYWATT_FORECASTER_PORT": str(port), **variables}
    deadline = time.monotonic() + 60
    with subprocess.Popen(COMMAND, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            while "startup complete" not in (file.read_text() if file.exists() else ""):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield port
        finally:
            process.terminate()


@pytest.mark.slow
def test_it_logs_to_a_file_too_where_a_folder_is_named(tmp_path: Path) -> None:
    file = tmp_path / "made" / "by it" / "forecaster.log"
    with running(file):
        pass
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert {line["service"]["name"] for line in lines} == {"skywatt-forecaster"}
    assert all(line["@timestamp"] and line["log.level"] for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/predict/", "/forecast/"])
def test_a_client_that_ends_while_it_sends_its_body_is_no_error_of_ours(tmp_path: Path, path: str) -> None:
    file = tmp_path / "forecaster.log"
    with running(file) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(f"POST {path} HTTP/1.1\r\nhost: us\r\ncontent-length: 1000\r\n\r\n[".encode())
        deadline = time.monotonic() + 30
        while f'path="{path.rstrip("/")}"' not in requests.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text:
            assert time.monotonic() < deadline
    assert [line for line in file.read_text().splitlines() if json.loads(line)["log.level"] == "error"] == []
