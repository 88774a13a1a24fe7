"""Takes everything down: no process stays, the data does unless told otherwise."""

import shutil
import time
from contextlib import suppress

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

    What else SKYWATT_DATA holds stays, and so do passwords that a stack on Docker has too.
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
            _remove(layout)
            current.say(f"{layout.root}, but for what is not Skywatt's" if layout.root.exists() else str(layout.root))
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


def _remove(layout: Layout) -> None:
    """Removes the folders that a stack makes, and the one that holds them where nothing else is in it."""
    made = (layout.logs, layout.run, layout.checkpoints, *(layout.server(name) for name in parts.SERVERS))
    for folder in made:
        if folder.exists():
            shutil.rmtree(folder)
    with suppress(OSError):  # it holds other things, or there is none
        layout.root.rmdir()


def _wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + _SUPERVISOR_S
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
