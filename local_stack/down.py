"""Takes everything down: no process stays, the data does unless told otherwise."""

import shutil
import time

import psutil
from rich.console import Console

from local_stack import parts, passwords, processes
from local_stack.console import step
from local_stack.layout import Layout
from local_stack.layout import layout as make_layout
from local_stack.supervisor import Supervisor
from readings.settings import Settings

_SUPERVISOR_S = 10.0


def down(console: Console, settings: Settings, *, data: bool) -> int:
    """Stops every process of the stack; with `data`, also removes its data and the servers' passwords.

    Passwords that a stack on Docker has too stay.
    """
    layout = make_layout(settings)
    if layout.root.exists():
        with step(console, "stopping") as current:
            stopped = stop(Supervisor(layout), layout)
            current.say(f"{stopped} processes" if stopped else "nothing was running")
    else:
        console.print("Nothing was running.")
    if data:
        with step(console, "removing the data") as current:
            if layout.root.exists():
                shutil.rmtree(layout.root)
            current.say(str(layout.root))
        if passwords.are_dockers(settings):
            console.print("The passwords in .env stay: a stack on Docker has them too, and its volumes take no others.")
        else:
            passwords.forget_passwords()
    return 0


def stop(supervisor: Supervisor, layout: Layout) -> int:
    """Stops our parts, then the servers, then the supervisor, then whatever is left. Gives the number of processes."""
    running = {process.pid for process in processes.of_stack(layout)}
    pid = supervisor.pid()
    if pid is not None:
        states = supervisor.states()
        supervisor.stop_programs([name for name in states if name not in parts.SERVERS])
        supervisor.stop_programs([name for name in states if name in parts.SERVERS])
        supervisor.shut_down()
        _wait_until_gone(pid)
    processes.end(processes.of_stack(layout))
    return len(running)


def _wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + _SUPERVISOR_S
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
