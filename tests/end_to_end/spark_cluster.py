"""A Spark cluster of this machine: a master and workers as processes of their own, each worker with one core."""

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pyspark
import requests
import yaml

from local_stack import processes
from local_stack.java import find_java
from readings.config import ROOT
from tests.end_to_end.consumer import wait_until

SPARK_HOME = Path(pyspark.__file__).parent
ON_DOCKER: str = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["spark-master"][
    "environment"
].get("SPARK_MASTER_OPTS", "")
"""The master's options there."""


@dataclass
class SparkCluster:
    """`url` is what SPARK_MASTER names; `page` is the master's own, which says what it has."""

    url: str
    page: str
    folder: Path
    environment: Mapping[str, str]
    master: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def cores_used(self) -> list[int]:
        """Of each worker that is alive."""
        state = requests.get(f"{self.page}/json/", timeout=5).json()
        return [worker["coresused"] for worker in state["workers"] if worker["state"] == "ALIVE"]

    def reads(self) -> list[int]:
        """Of each worker, how often its executors have told that they read something of Kafka."""
        logs = [list(self.folder.glob(f"worker{number}/app-*/*/stderr")) for number in range(len(self.workers))]
        return [sum(log.read_text().count("From Kafka topicPartition") for log in found) for found in logs]

    def state(self) -> str:
        """The master's: RECOVERING, then ALIVE."""
        return str(requests.get(f"{self.page}/json/", timeout=5).json()["status"])

    def kill_master(self) -> None:
        """kill -9 of the master alone, which is then started anew at the same address, as Docker does."""
        self.master.kill()
        self.master.wait(10)
        ports = ("--port", self.url.rpartition(":")[2], "--webui-port", self.page.rpartition(":")[2])
        self.master = _master(self.folder / "master-anew", self.environment, self.folder / "recovery", *ports)
        _said(self.folder / "master-anew", r"(Bound MasterWebUI)")

    def kill_worker(self) -> None:
        """kill -9 of a worker with its executor and all that this one started."""
        worker = self.workers.pop()
        killed = processes.tree(worker.pid)
        for process in killed:
            process.kill()
        psutil.wait_procs(killed, timeout=10)


@contextmanager
def spark_cluster(folder: Path, environment: Mapping[str, str], workers: int = 2) -> Iterator[SparkCluster]:
    """Brings it up on free ports; executors inherit the environment, so that they read the same settings."""
    local = {**environment, "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_HOME": str(SPARK_HOME), "SPARK_SCALA_VERSION": "2.13"}
    master = _master(folder / "master", local, folder / "recovery", "--port", "0", "--webui-port", "0")
    cluster = None
    try:
        url = _said(folder / "master", r"Starting Spark master at (spark://\S+)")
        page = _said(folder / "master", r"Bound MasterWebUI to \S+, and started at (http://\S+)")
        cluster = SparkCluster(url, page, folder, local, master)
        for number in range(workers):
            own = folder / f"worker{number}"
            options = ("--cores", "1", "--memory", "512m", "--port", "0", "--webui-port", "0", "--work-dir", str(own))
            cluster.workers.append(_start(own, local, "worker.Worker", *options, url))
        wait_until(lambda: len(cluster.cores_used()) == workers, "the workers have registered")
        yield cluster
    finally:
        running = [cluster.master, *cluster.workers] if cluster else [master]
        processes.end([one for process in running for one in processes.tree(process.pid)])


def _master(folder: Path, environment: Mapping[str, str], recovery: Path, *options: str) -> subprocess.Popen[bytes]:
    java = [re.sub(r"(recoveryDirectory)=.*", rf"\1={recovery}", option) for option in ON_DOCKER.split()]
    return _start(folder, environment, "master.Master", *options, java=java)


def _start(
    folder: Path, environment: Mapping[str, str], name: str, *options: str, java: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    folder.mkdir()
    command = [str(find_java()), "-Xmx256m", *java, "-cp", f"{SPARK_HOME}/jars/*", f"org.apache.spark.deploy.{name}"]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen([*command, "--host", "127.0.0.1", *options], env=environment, stdout=log, stderr=log)


def _said(folder: Path, pattern: str) -> str:
    log = folder / "log"
    wait_until(lambda: re.search(pattern, log.read_text()) is not None, f"{pattern} in {log}")
    found = re.search(pattern, log.read_text())
    assert found
    return found.group(1)
