"""What ``up`` looks at before it starts anything, and what it starts again."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from local_stack import changes, processes, up
from local_stack.console import make_console
from local_stack.down import stop
from local_stack.layout import Layout
from local_stack.parts import SERVERS
from local_stack.programs import Program
from local_stack.supervisor import Supervisor
from readings.settings import Settings

SLEEPER = (sys.executable, "-c", "import signal; signal.pause()")


@pytest.fixture
def supervisor(layout: Layout) -> Iterator[Supervisor]:
    """Runs a server and two of our parts, of which one was stopped."""
    supervisor = Supervisor(layout)
    supervisor.start([Program(name, SLEEPER, layout.root) for name in ("kafka", "producer", "alerts")])
    try:
        for name in ("kafka", "producer"):
            supervisor.start_program(name)
        yield supervisor
    finally:
        stop(supervisor, layout)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What ``up`` would have started."""
    names: list[str] = []

    def start(*arguments: Sequence[str]) -> list[str]:
        names.extend(arguments[-1])
        return names

    monkeypatch.setattr(up, "_start", start)
    return names


@pytest.mark.slow
@pytest.mark.usefixtures("supervisor")
def test_what_had_to_be_stopped_is_started_again_where_only_servers_are_asked_for(
    settings: Settings, layout: Layout, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes.remember(settings, layout)
    monkeypatch.setenv("SKYWATT_LOG_LEVEL", "DEBUG")
    assert up.up(make_console(), SERVERS) == 0
    assert started == ["kafka", "mongodb", "elasticsearch", "producer"]


@pytest.mark.slow
def test_what_a_killed_supervisor_left_is_started_again_where_only_servers_are_asked_for(
    layout: Layout, supervisor: Supervisor, started: list[str]
) -> None:
    pid = supervisor.pid()
    assert pid
    until(lambda: {"kafka", "producer"} == processes.programs(processes.of_stack(layout)))
    os.kill(pid, signal.SIGKILL)
    until(lambda: supervisor.pid() is None)
    assert up.up(make_console(), SERVERS) == 0
    assert started == ["kafka", "mongodb", "elasticsearch", "producer"]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
