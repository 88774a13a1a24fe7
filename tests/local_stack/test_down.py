"""``run.sh down``: what it removes and what it leaves, and that a wrong setting does not keep it from stopping."""

import json
import sys
from pathlib import Path

import pytest

from local_stack import processes
from local_stack.__main__ import main
from local_stack.console import make_console
from local_stack.down import down
from local_stack.layout import Layout
from local_stack.parts import SERVERS
from local_stack.programs import Program
from local_stack.supervisor import Supervisor
from readings.settings import Settings


def test_with_data_it_removes_what_a_stack_made_and_nothing_else_that_is_in_the_folder(
    settings: Settings, layout: Layout
) -> None:
    """SKYWATT_DATA may name a disk that holds more."""
    for name in (*SERVERS, "checkpoints/main"):
        (layout.root / name / "data").mkdir(parents=True)
    thesis = layout.root / "thesis.txt"
    thesis.write_text("three years")
    assert down(make_console(), settings, data=True) == 0
    assert list(layout.root.iterdir()) == [thesis]
    thesis.unlink()
    layout.make()
    assert down(make_console(), settings, data=True) == 0
    assert not layout.root.exists()


@pytest.mark.slow
def test_what_runs_is_told_and_stopped_whatever_setting_is_wrong(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SKYWATT_MODE", "local")
    supervisor = Supervisor(layout)
    sleeper = (sys.executable, "-c", "import signal; print('it sleeps', flush=True); signal.pause()")
    supervisor.start([Program("alerts", sleeper, layout.root)])
    try:
        supervisor.start_program("alerts")
        (tmp_path / "env").write_text("METER_MAX_KW=20kW\n")
        wrong = "METER_MAX_KW: Input should be a valid number, unable to parse string as a number, read '20kW'"

        assert main(["status"]) == 2
        told = capfd.readouterr()
        pid = supervisor.states()["alerts"].pid
        assert f" {pid} " in told.out
        assert told.err == f"{wrong}\n"
        assert main(["status", "--json"]) == 2
        assert [part["pid"] for part in json.loads(capfd.readouterr().out)["parts"]] == [pid]

        assert main(["logs", "supervisord"]) == 0
        told = capfd.readouterr()
        assert "supervisord started" in told.out
        assert told.err == f"{wrong} (bash run.sh up refuses it)\n"

        assert main(["up"]) == 2
        capfd.readouterr()
    finally:
        assert main(["down"]) == 0
    assert wrong in capfd.readouterr().err
    assert not processes.of_stack(layout)
