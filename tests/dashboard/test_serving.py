"""The dashboard's process, by itself: no server answers it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from local_stack.parts import ping_dashboard
from local_stack.spare import settings_of, spare_environment
from readings.config import ROOT


@pytest.mark.slow
@pytest.mark.parametrize("config", ["skywatt.yml", "local_stack/demo.yml"])
def test_it_ends_when_told_to_where_nobody_reads_its_output_any_more(tmp_path: Path, config: str) -> None:
    passwords = dict.fromkeys(("LOCAL_MONGODB_PASSWORD", "LOCAL_ELASTICSEARCH_PASSWORD", "LOCAL_KAFKA_PASSWORD"), "any")
    environment = spare_environment(tmp_path, **passwords, SKYWATT_CONFIG=str(ROOT / config))
    command = [sys.executable, "-m", "dashboard"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            _wait_until_well(process, environment)
            assert process.stdout is not None
            process.stdout.close()  # as where supervisord was killed
            process.terminate()
            assert process.wait(timeout=15) == 0
        finally:
            process.kill()


def _wait_until_well(process: "subprocess.Popen[bytes]", environment: dict[str, str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            return ping_dashboard(settings_of(environment), timeout_s=5)
        except requests.RequestException:
            time.sleep(0.2)
    raise AssertionError("the dashboard was not well within 60 s")
