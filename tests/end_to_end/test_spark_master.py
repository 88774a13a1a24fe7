"""A real master that is killed alone and started anew, as Docker does it, beneath a worker and a driver that run."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local_stack import processes
from tests.end_to_end.consumer import wait_until
from tests.end_to_end.spark_cluster import SparkCluster, spark_cluster

pytestmark = [pytest.mark.timeout(600), pytest.mark.long]

START_S = 240
"""So long may a driver and an executor take to start on a busy machine."""
JOBS = """\
import itertools, sys, time
from pyspark.sql import SparkSession
settings = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.executor.memory": "512m"}
spark = SparkSession.builder.master(sys.argv[1]).config(map=settings).getOrCreate()
for number in itertools.count(1):
    spark.range(10).repartition(2).count()
    print(number, flush=True)
    time.sleep(0.5)
"""
"""A driver that has one small job after another done, and says of each that it is."""


class Driver:
    """It runs."""

    def __init__(self, process: "subprocess.Popen[bytes]", said: Path) -> None:
        self.process, self._said = process, said

    def done(self) -> int:
        """How many jobs are done."""
        return len(self._said.read_text().splitlines())


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[SparkCluster]:
    with spark_cluster(tmp_path, {**os.environ, "PYSPARK_PYTHON": sys.executable}, workers=1) as cluster:
        yield cluster


@pytest.fixture
def driver(cluster: SparkCluster, tmp_path: Path) -> Iterator[Driver]:
    said = tmp_path / "said"
    with said.open("wb") as out, (tmp_path / "driver.log").open("wb") as log:
        command = [sys.executable, "-c", JOBS, cluster.url]
        process = subprocess.Popen(command, env=cluster.environment, stdout=out, stderr=log)
    yield Driver(process, said)
    left = processes.tree(process.pid)
    for one in left:
        one.kill()
    psutil.wait_procs(left, timeout=10)


def test_a_master_that_is_killed_has_its_worker_and_its_driver_again(cluster: SparkCluster, driver: Driver) -> None:
    wait_until(lambda: driver.done() >= 3, "the first jobs are done", START_S)
    cluster.kill_master()
    wait_until(lambda: cluster.state() == "ALIVE" and cluster.cores_used() == [1], "the executor is known", START_S)
    before = driver.done()
    wait_until(lambda: driver.done() > before + 3, "jobs go on", START_S)
    assert driver.process.poll() is None
