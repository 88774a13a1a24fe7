"""What waits for a server ends when the process is asked to end, at once."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from readings.config import ROOT
from spark_consumer import waiting
from spark_consumer.waiting import ServerAway, Stopped, until_answered


@pytest.fixture
def asked_to_end() -> Iterator[None]:
    waiting.stopping.set()
    yield
    waiting.stopping.clear()


@pytest.mark.usefixtures("asked_to_end")
def test_a_process_that_is_asked_to_end_waits_for_no_server() -> None:
    tried = []

    @until_answered
    def away() -> None:
        tried.append(1)
        raise ServerAway("it is away")

    with pytest.raises(Stopped):
        away()
    assert len(tried) == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_consumer_ends_while_kafka_is_away(number: signal.Signals, tmp_path: Path) -> None:
    nowhere = {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "MONGODB_URI": "mongodb://127.0.0.1:1",
        "ELASTICSEARCH_URL": "http://127.0.0.1:1",
    }
    environment = {**os.environ, **nowhere, "SKYWATT_ENV_FILE": os.devnull, "SKYWATT_DATA": str(tmp_path)}
    command = [sys.executable, "-m", "spark_consumer"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("ECONNREFUSED" in line for line in process.stderr)
        process.send_signal(number)
        try:
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0, said
    assert "Traceback" not in said
