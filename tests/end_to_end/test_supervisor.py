"""supervisord: a real one, with programs that are quickly started."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_stack import processes
from local_stack.down import stop
from local_stack.errors import NotReadyError, StackError
from local_stack.layout import Layout
from local_stack.programs import Program
from local_stack.ready import wait_ready
from local_stack.spare import settings_of, spare_environment
from local_stack.supervisor import MARKER, Supervisor

SLEEPER = (sys.executable, "-c", "import signal; print('here', flush=True); signal.pause()")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); signal.pause()",
)

PARENT = r"""
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "print('here', flush=True); input()"], stdin=subprocess.PIPE)
signal.signal(signal.SIGTERM, lambda *_: (child.communicate(b"all is done\n"), sys.exit(child.returncode)))
signal.pause()
"""
"""Has its child end by a word, and ends as that does."""


def until(holds: Callable[[], object], deadline_s: float = 20) -> None:
    deadline = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.05)


@pytest.fixture
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    made = Layout(tmp_path_factory.mktemp("stack") / "data")  # a socket's path must be short
    made.make()
    return made


@pytest.fixture
def supervisor(layout: Layout) -> Iterator[Supervisor]:
    supervisor = Supervisor(layout)
    yield supervisor
    stop(supervisor, layout)


def start(supervisor: Supervisor, layout: Layout, *programs: Program) -> None:
    supervisor.start(programs)
    for program in programs:
        assert supervisor.start_program(program.name)
        until(lambda program=program: layout.log(program.name).exists() and layout.log(program.name).read_text())


def test_a_part_that_is_killed_is_started_again(supervisor: Supervisor, layout: Layout, tmp_path: Path) -> None:
    start(supervisor, layout, Program("part", SLEEPER, tmp_path))
    until(lambda: supervisor.states()["part"].state == "RUNNING")
    first = supervisor.states()["part"].pid
    assert first
    os.kill(first, signal.SIGKILL)
    until(lambda: supervisor.states()["part"].pid not in (None, first))


def test_starting_what_runs_changes_nothing(supervisor: Supervisor, layout: Layout, tmp_path: Path) -> None:
    program = Program("part", SLEEPER, tmp_path)
    start(supervisor, layout, program)
    pid = supervisor.states()["part"].pid
    supervisor.update([program])
    assert not supervisor.start_program("part")
    assert supervisor.states()["part"].pid == pid


def test_a_program_that_is_new_can_be_started_beside_the_others(
    supervisor: Supervisor, layout: Layout, tmp_path: Path
) -> None:
    old = Program("old", SLEEPER, tmp_path)
    start(supervisor, layout, old)
    pid = supervisor.states()["old"].pid
    supervisor.update([old, Program("new", SLEEPER, tmp_path)])
    assert supervisor.start_program("new")
    assert supervisor.states()["old"].pid == pid


def test_a_clean_program_inherits_nothing(
    supervisor: Supervisor, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "a-key-of-ours")
    show = (sys.executable, "-c", "import os, signal; print(dict(os.environ), flush=True); signal.pause()")
    start(
        supervisor,
        layout,
        Program("clean", show, tmp_path, environment={"GIVEN": "100% of it"}, clean=True),
        Program("ours", show, tmp_path),
    )
    clean, ours = layout.log("clean").read_text(), layout.log("ours").read_text()
    assert "a-key-of-ours" not in clean
    assert "100% of it" in clean
    assert MARKER in clean
    assert "a-key-of-ours" in ours


def test_stopping_leaves_no_process_even_of_one_that_does_not_want_to_end(
    supervisor: Supervisor, layout: Layout, tmp_path: Path
) -> None:
    start(supervisor, layout, Program("part", STUBBORN, tmp_path, stop_wait_s=1))
    assert stop(supervisor, layout) >= 2
    assert supervisor.pid() is None
    assert processes.of_stack(layout) == []


@pytest.mark.parametrize("itself", [True, False])
def test_a_program_that_ends_its_children_itself_is_asked_alone(
    supervisor: Supervisor, layout: Layout, tmp_path: Path, itself: bool
) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    start(supervisor, layout, Program("part", (sys.executable, "parent.py"), tmp_path, stops_its_children=itself))
    until(lambda: supervisor.states()["part"].state == "RUNNING")
    stop(supervisor, layout)
    said = layout.log("supervisord").read_text()
    assert ("stopped: part (exit status 0)" in said) == itself


def test_what_a_killed_supervisor_left_is_found_and_ended(
    supervisor: Supervisor, layout: Layout, tmp_path: Path
) -> None:
    start(supervisor, layout, Program("part", SLEEPER, tmp_path))
    pid = supervisor.pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: supervisor.pid() is None)
    until(lambda: len(processes.of_stack(layout)) == 1)
    assert stop(supervisor, layout) == 1
    assert processes.of_stack(layout) == []


def test_another_stacks_processes_are_left_alone(supervisor: Supervisor, layout: Layout, tmp_path: Path) -> None:
    start(supervisor, layout, Program("part", SLEEPER, tmp_path))
    other = Layout(layout.root.with_name("other"))
    other.make()
    assert stop(Supervisor(other), other) == 0
    assert supervisor.pid() is not None


def test_a_part_that_ends_again_and_again_is_given_up_on_with_the_end_of_its_log(
    supervisor: Supervisor, layout: Layout, tmp_path: Path
) -> None:
    broken = (sys.executable, "-c", "raise SystemExit('the configuration is wrong')")
    supervisor.start([Program("kafka", broken, tmp_path)])
    supervisor.start_program("kafka")
    settings = settings_of(spare_environment(tmp_path, LOCAL_KAFKA_PASSWORD="any"))
    began = time.monotonic()
    with pytest.raises(NotReadyError, match="the configuration is wrong"):
        wait_ready(settings, layout, ["kafka"], 60)
    assert time.monotonic() - began < 30


def test_logs_are_for_the_owner_alone(supervisor: Supervisor, layout: Layout, tmp_path: Path) -> None:
    start(supervisor, layout, Program("part", SLEEPER, tmp_path))
    for path in (*layout.logs.iterdir(), layout.run / "supervisor.sock"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_folder_that_is_too_deep_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="SKYWATT_DATA"):
        Supervisor(Layout(tmp_path / ("deep" * 25)))


def test_the_memory_of_a_tree_counts_its_children(supervisor: Supervisor, layout: Layout, tmp_path: Path) -> None:
    child = tmp_path / "child.py"
    child.write_text(
        "data = bytearray(50_000_000)\n"
        "for at in range(0, len(data), 4096):\n    data[at] = 1\n"
        "print('here', flush=True)\ninput()\n"
    )
    code = f"import subprocess as s, sys; s.Popen([sys.executable, {str(child)!r}], stdin=s.PIPE).wait()"
    start(supervisor, layout, Program("part", (sys.executable, "-c", code), tmp_path))
    pid = supervisor.states()["part"].pid
    assert pid
    assert 50 < processes.memory_mb(pid) < 120
