"""The daemon that forks Spark's Python workers: Spark reads its port from standard output, and nothing else."""

import subprocess
import sys

import pytest

from readings.config import ROOT


@pytest.mark.slow
def test_it_says_its_port_and_nothing_else() -> None:
    command = [sys.executable, "-m", "spark_consumer.daemon", "pyspark.worker"]
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, cwd=ROOT, check=False)
    assert answer.stderr == b""
    assert len(answer.stdout) == 4
    assert int.from_bytes(answer.stdout, "big") > 1024
