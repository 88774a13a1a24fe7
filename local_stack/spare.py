"""A second stack beside the first: on free ports, with a folder and passwords of its own, gone at the end.

For tests and benchmarks. It shares the cache folder, so that nothing is downloaded twice.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import psutil

from local_stack import processes
from local_stack.errors import StackError
from local_stack.layout import Layout
from local_stack.layout import layout as make_layout
from local_stack.locks import alone
from local_stack.ports import free_ports
from local_stack.ready import wait_ready
from local_stack.supervisor import Supervisor
from readings.config import ROOT
from readings.settings import Settings, load_settings

READY_S = 120.0
_PREFIX = "skywatt-spare-"
_PORTS = (
    "SKYWATT_KAFKA_PORT",
    "SKYWATT_KAFKA_CONTROLLER_PORT",
    "SKYWATT_MONGODB_PORT",
    "SKYWATT_ELASTICSEARCH_PORT",
    "SKYWATT_ELASTICSEARCH_TRANSPORT_PORT",
    "SKYWATT_FORECASTER_PORT",
    "SKYWATT_MQTT_PORT",
    "SKYWATT_DASHBOARD_PORT",
)


@dataclass(frozen=True)
class SpareStack:
    """Kafka, a MongoDB-wire server and Elasticsearch, kept alive by a supervisord of their own.

    `settings` reach them from this process; `environment` is for processes that are started
    (``subprocess.Popen(..., env=stack.environment)``): they then read the same settings.
    """

    folder: Path
    environment: Mapping[str, str]
    settings: Settings

    @property
    def layout(self) -> Layout:
        """Where its data and logs are."""
        return make_layout(self.settings)

    def apart(self, namespace: str, **variables: str) -> "SpareStack":
        """The same servers with topics, database and indices of one's own (SKYWATT_NAMESPACE), and further variables.

        Checkpoints are apart as well: they are kept by namespace.
        """
        environment = {**self.environment, "SKYWATT_NAMESPACE": namespace, **variables}
        return SpareStack(self.folder, environment, settings_of(environment))

    def pid(self, name: str) -> int:
        """The process of ``kafka``, ``mongodb`` or ``elasticsearch``. Raises StackError while it does not run."""
        state = Supervisor(self.layout).states().get(name)
        if state is None or state.pid is None:
            raise StackError(f"{name} does not run")
        return state.pid

    def kill(self, name: str) -> None:
        """``kill -9`` of a server with its child processes. Returns at once; the supervisor starts it again."""
        for process in processes.tree(self.pid(name)):
            with _gone_is_fine():
                process.send_signal(signal.SIGKILL)

    def wait_ready(self, *names: str, deadline_s: float = READY_S) -> None:
        """Returns when the named servers answer with their password. Raises NotReadyError at the deadline."""
        wait_ready(self.settings, self.layout, names, deadline_s)

    def kill_and_wait(self, name: str) -> None:
        """``kill -9`` of a server; returns when the supervisor has it back and it answers."""
        before = psutil.Process(self.pid(name))
        self.kill(name)
        before.wait(READY_S)
        self.wait_ready(name)

    @contextmanager
    def away(self, name: str) -> Iterator[None]:
        """``kill -9`` of a server, which stays away for the block; after it the server answers again."""
        supervisor = Supervisor(self.layout)
        self.kill(name)
        supervisor.stop_programs([name])
        try:
            yield
        finally:
            supervisor.start_program(name)
            self.wait_ready(name)


@contextmanager
def spare_stack(**variables: str) -> Iterator[SpareStack]:
    """Brings a spare stack's servers up and takes them down with their data. Further variables go to its environment.

    What an earlier one of this user left behind whose process was killed is cleared away first. Raises StackError
    where it does not come up.
    """
    _clear_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    environment = spare_environment(folder, **variables)
    try:
        _local_stack(environment, "up", "--servers")
        yield SpareStack(folder, environment, settings_of(environment))
    finally:
        _remove(folder, environment)


def spare_environment(folder: Path, **variables: str) -> dict[str, str]:
    """This process's environment, changed so that a stack is set apart in a folder, on free ports."""
    unwanted = {name.upper() for name in Settings.model_fields} - {"SKYWATT_HOME"}
    inherited = {name: value for name, value in os.environ.items() if name.upper() not in unwanted}
    ports = {name: str(port) for name, port in zip(_PORTS, free_ports(len(_PORTS)), strict=True)}
    ours = {"SKYWATT_DATA": str(folder / "data"), "SKYWATT_ENV_FILE": str(folder / "env"), "SKYWATT_MODE": "local"}
    return {**inherited, **ports, **ours, **variables}


def settings_of(environment: Mapping[str, str]) -> Settings:
    """The settings that a process started with this environment reads."""
    with patch.dict(os.environ, environment, clear=True):
        return load_settings()


def _local_stack(environment: Mapping[str, str], *arguments: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "local_stack", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        raise StackError(f"local_stack {' '.join(arguments)} failed:\n{answer.stdout}{answer.stderr}")


def _remove(folder: Path, environment: Mapping[str, str]) -> None:
    _local_stack(environment, "down", "--data")
    shutil.rmtree(folder)


def _clear_abandoned() -> None:
    temporary = Path(tempfile.gettempdir())
    with alone(temporary):  # test workers start together, and each would clear what the other does
        for folder in temporary.glob(f"{_PREFIX}*"):
            pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
            if pid.isdigit() and not psutil.pid_exists(int(pid)) and folder.lstat().st_uid == os.geteuid():
                _remove(folder, spare_environment(folder))


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    try:
        yield
    except psutil.NoSuchProcess:
        return
