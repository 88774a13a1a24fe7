"""Talks to supervisord, which keeps the parts alive: its configuration, start, stop and what it knows.

One supervisord a stack, as a daemon of its own, reached over a socket in SKYWATT_DATA that only the owner can use.
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import Faults, SupervisorTransport

from local_stack.errors import StackError
from local_stack.layout import Layout
from local_stack.programs import Program

MARKER = "SKYWATT_STACK"
"""The environment variable by which every process of a stack can be told: the stack's folder."""

_LONGEST_SOCKET = 100
"""Linux takes socket paths of 107 bytes; supervisord appends a dot and its pid while it makes one."""

_LOG_BYTES = 10 * 1024 * 1024
_LOG_BACKUPS = 3
_START_S = 20.0
_ENDED = {"STOPPED", "FATAL", "UNKNOWN"}
"""The states that supervisord does not leave by itself."""


@dataclass(frozen=True)
class ProcessState:
    """What supervisord knows of a program."""

    name: str
    state: str
    """STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL or UNKNOWN."""
    pid: int | None
    started: int
    """When it was started last, in seconds since 1970; 0 where it never was."""


class Supervisor:
    """The supervisord of one stack, running or not."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._socket = layout.run / "supervisor.sock"
        self._config = layout.run / "supervisord.conf"
        self._pid_file = layout.run / "supervisord.pid"
        if len(os.fsencode(self._socket)) > _LONGEST_SOCKET - 10:
            raise StackError(
                f"{self._socket} is too long a path for a socket (at most {_LONGEST_SOCKET - 10} bytes): "
                "set SKYWATT_DATA to a folder with a shorter path"
            )

    def pid(self) -> int | None:
        """Its process id, or None while it does not answer."""
        try:
            pid: int = self._call("getPID")
        except (OSError, HTTPException):
            return None
        return pid

    def start(self, programs: Iterable[Program]) -> None:
        """Starts supervisord with these programs, none of them running yet. Raises StackError where it does not start.

        To be called only while it does not run.
        """
        self._write_config(programs)
        for stale in (self._socket, self._pid_file):
            stale.unlink(missing_ok=True)
        answer = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", str(self._config)],
            env={**os.environ, MARKER: str(self._layout.root)},
            capture_output=True,
            text=True,
            timeout=_START_S,
            check=False,
            umask=0o077,  # its own log as well
        )
        if answer.returncode != 0:
            raise StackError(f"supervisord did not start: {(answer.stdout + answer.stderr).strip()[-500:]}")
        deadline = time.monotonic() + _START_S
        while self.pid() is None:
            if time.monotonic() > deadline:
                raise StackError(
                    f"supervisord did not answer within {_START_S:.0f} s: {self._layout.log('supervisord')}"
                )
            time.sleep(0.05)

    def update(self, programs: Iterable[Program]) -> list[str]:
        """Makes the programs known that were not, forgets those that are gone, and takes changed commands over.

        Gives the names of those that ran and were stopped for that: they are known, and not started again.
        """
        self._write_config(programs)
        ran = {state.name for state in self.states().values() if state.state not in _ENDED}
        added, changed, removed = self._call("reloadConfig")[0]
        for name in (*removed, *changed):
            self._stop(name)
            self._call("removeProcessGroup", name)
        for name in (*added, *changed):
            self._call("addProcessGroup", name)
        return [name for name in changed if name in ran]

    def states(self) -> dict[str, ProcessState]:
        """What it knows of each program; nothing while it does not run."""
        try:
            found = self._call("getAllProcessInfo")
        except (OSError, HTTPException):
            return {}
        return {
            info["name"]: ProcessState(info["name"], info["statename"], info["pid"] or None, info["start"])
            for info in found
        }

    def start_program(self, name: str) -> bool:
        """Starts a program without waiting for it. False where it runs already."""
        try:
            self._call("startProcess", name, False)
        except Fault as fault:
            if fault.faultCode == Faults.ALREADY_STARTED:
                return False
            if fault.faultCode == Faults.SPAWN_ERROR:
                raise StackError(f"{name}: cannot be started; its log: {self._layout.log(name)}") from fault
            raise
        return True

    def stop_programs(self, names: Iterable[str], timeout_s: float = 60) -> None:
        """Stops programs at the same time and waits until they have ended.

        Raises StackError at the deadline. One that has just died is not running, and would be started again: it is
        asked until it is stopped for good.
        """
        names = set(names)
        deadline = time.monotonic() + timeout_s
        while waiting := {state.name for state in self.states().values() if state.state not in _ENDED} & names:
            if time.monotonic() > deadline:
                raise StackError(f"{', '.join(sorted(waiting))} did not end within {timeout_s:.0f} s")
            for name in waiting:
                self._stop(name, wait=False)
            time.sleep(0.1)

    def shut_down(self) -> None:
        """Ends supervisord itself; its programs are to be stopped before."""
        self._call("shutdown")

    def _stop(self, name: str, *, wait: bool = True) -> None:
        try:
            self._call("stopProcess", name, wait)
        except Fault as fault:
            if fault.faultCode != Faults.NOT_RUNNING:
                raise

    def _call(self, method: str, *arguments: Any) -> Any:
        server = ServerProxy("http://127.0.0.1", transport=SupervisorTransport(None, None, f"unix://{self._socket}"))
        with server:
            return getattr(server.supervisor, method)(*arguments)

    def _write_config(self, programs: Iterable[Program]) -> None:
        text = _daemon_section(self._layout, self._socket, self._pid_file)
        text += "".join(_program_section(program, self._layout) for program in programs)
        self._config.write_text(text)


def _daemon_section(layout: Layout, socket: Path, pid_file: Path) -> str:
    user = "user=root\n" if os.geteuid() == 0 else ""  # we mean it: supervisord warns otherwise
    return f"""\
[unix_http_server]
file={_escape(socket)}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisord]
{user}umask=077
directory={_escape(layout.root)}
identifier=skywatt
pidfile={_escape(pid_file)}
logfile={_escape(layout.log("supervisord"))}
logfile_maxbytes={_LOG_BYTES}
logfile_backups={_LOG_BACKUPS}
childlogdir={_escape(layout.logs)}
"""


def _program_section(program: Program, layout: Layout) -> str:
    environment = {MARKER: str(layout.root), **program.environment}
    command = [str(word) for word in program.command]
    set_variables = [f"{name}={value}" for name, value in environment.items()]
    command = ["/usr/bin/env", *(["-i"] if program.clean else []), *set_variables, *command]
    return f"""
[program:{program.name}]
command={_escape(shlex.join(command))}
directory={_escape(program.directory)}
autostart=false
autorestart=true
startsecs=3
startretries=100000
stopsignal=TERM
stopwaitsecs={program.stop_wait_s}
stopasgroup={str(not program.stops_its_children).lower()}
killasgroup=true
redirect_stderr=true
stdout_logfile={_escape(layout.log(program.name))}
stdout_logfile_maxbytes={_LOG_BYTES}
stdout_logfile_backups={_LOG_BACKUPS}
"""


def _escape(value: object) -> str:
    """A value as supervisord's configuration spells it: it expands ``%(name)s``."""
    return str(value).replace("%", "%%")
