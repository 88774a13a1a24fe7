"""A stack that is up outlives its supervisor's death, and ``down`` leaves nothing of it."""

import os
import signal

import psutil
import pytest

from local_stack import processes
from local_stack.parts import PARTS
from readings.connections import connect_mongodb
from tests.end_to_end.whole_stack import WholeStack

pytestmark = pytest.mark.timeout(900)


def test_up_recovers_from_a_supervisor_that_was_killed(whole_stack: WholeStack) -> None:
    stored = connect_mongodb(whole_stack.settings)["weather"]
    before = stored.estimated_document_count()
    pid = int((whole_stack.layout.run / "supervisord.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    answer = whole_stack.run("up")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "left over" in answer.stdout
    assert {part["state"] for part in whole_stack.status()["parts"]} == {"running"}
    assert stored.estimated_document_count() >= before > 0


def test_down_leaves_no_process_and_keeps_the_data(whole_stack: WholeStack) -> None:
    running = processes.of_stack(whole_stack.layout)
    assert len(running) > len(PARTS)
    assert whole_stack.run("down").returncode == 0
    assert not [process for process in running if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    assert processes.of_stack(whole_stack.layout) == []
    supervisors = whole_stack.layout.log("supervisord").read_text().splitlines()
    *_, ended = [line for line in supervisors if "stopped: consumer" in line]
    assert "(exit status 0)" in ended
    assert any((whole_stack.layout.server("kafka") / "data").iterdir())
    assert whole_stack.run("status").returncode == 1


def test_down_data_removes_the_data_and_the_passwords(whole_stack: WholeStack) -> None:
    assert whole_stack.run("down", "--data").returncode == 0
    assert not whole_stack.layout.root.exists()
    assert not whole_stack.env_file.exists()
