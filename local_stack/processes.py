"""Processes of a stack: all that belong to it, how much memory a part's tree takes, and how they are ended."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from local_stack.layout import Layout
from local_stack.supervisor import MARKER

_TERMINATE_S = 30.0
_KILL_S = 10.0


def of_stack(layout: Layout) -> list[psutil.Process]:
    """Every process that was started by this stack's supervisord, and it itself, told by their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get(MARKER) == str(layout.root) and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:  # it ended just now, or is another user's: not ours
            continue
        if ours and process.pid != os.getpid():
            found.append(process)
    return found


def programs(processes: Iterable[psutil.Process]) -> set[str]:
    """The names under which a supervisord started them; of a program that inherits nothing there is none."""
    found = set()
    for process in processes:
        with suppress(psutil.Error):  # it ended just now
            found.add(process.environ().get("SUPERVISOR_PROCESS_NAME"))
    return {name for name in found if name}


def end(processes: Iterable[psutil.Process]) -> int:
    """Asks processes to end, kills those that do not, and says how many there were."""
    left = list(processes)
    for process in left:
        _send(process, "terminate")
    _, stubborn = psutil.wait_procs(left, timeout=_TERMINATE_S)
    for process in stubborn:
        _send(process, "kill")
    psutil.wait_procs(stubborn, timeout=_KILL_S)
    return len(left)


def tree(pid: int) -> list[psutil.Process]:
    """A process with all its descendants; none where it is gone."""
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def memory_mb(pid: int) -> float:
    """The proportional set size of a process and its descendants in MB: a page that n processes share counts 1/n."""
    return round(sum(pss_mb(process) for process in tree(pid)), 1)


def pss_mb(process: psutil.Process) -> float:
    """The proportional set size of one process in MB; 0 where it has ended."""
    return _pss_bytes(process) / 1e6


def started_at(pid: int) -> float | None:
    """When a process was started, in seconds since 1970; None where it is gone."""
    try:
        started: float = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None
    return started


def _pss_bytes(process: psutil.Process) -> int:
    try:
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        pass  # it ended, or this is no Linux, or it is another user's: what is known of it is the resident set
    try:
        resident: int = process.memory_info().rss
    except psutil.Error:
        return 0
    return resident


def _send(process: psutil.Process, what: str) -> None:
    try:
        getattr(process, what)()
    except psutil.NoSuchProcess:
        return
