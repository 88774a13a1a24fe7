"""Waits until parts are well, and says what is wrong with the one that does not become so."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from local_stack.errors import NotReadyError
from local_stack.layout import Layout
from local_stack.status import PartStatus, part_statuses
from local_stack.supervisor import Supervisor
from readings.settings import Settings

_LOOK_S = 0.25
_STARTS = 3
"""A part that was started so often, and ended each time, has given its answer."""
_LAST_LINES = 12


def wait_ready(
    settings: Settings,
    layout: Layout,
    names: Iterable[str],
    deadline_s: float,
    told: Callable[[PartStatus], None] = lambda _: None,
) -> None:
    """Returns when all the named parts run; `told` hears of each as it does.

    Raises NotReadyError with the end of its log when one ends again and again, or at the deadline.
    """
    left = set(names)
    starts = {name: set[int]() for name in left}
    deadline = time.monotonic() + deadline_s
    while left:
        now = {part.name: part for part in part_statuses(settings, layout, sorted(left), memory=False)}
        for name in sorted(left):
            part = now[name]
            if part.state == "running":
                told(part)
                left.discard(name)
        _give_up_on_broken(left, starts, layout)
        if left and time.monotonic() > deadline:
            name = min(left)
            raise NotReadyError(
                f"{name} is not ready after {deadline_s:.0f} s"
                f"{', it waits for ' + now[name].waiting_for if now[name].waiting_for else ''}\n{log_end(layout, name)}"
            )
        if left:
            time.sleep(_LOOK_S)


def log_end(layout: Layout, name: str) -> str:
    """The last lines of a part's log, and where it is."""
    path = layout.log(name)
    return f"the end of {path}:\n{_tail(path)}"


def _give_up_on_broken(left: set[str], starts: dict[str, set[int]], layout: Layout) -> None:
    states = Supervisor(layout).states()
    for name in left & states.keys():
        starts[name].add(states[name].started)
        if states[name].state == "FATAL" or (states[name].state == "BACKOFF" and len(starts[name]) >= _STARTS):
            raise NotReadyError(f"{name} ends as soon as it is started\n{log_end(layout, name)}")


def _tail(path: Path) -> str:
    if not path.exists():
        return "  (nothing yet)"
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 20_000))
        lines = file.read().decode(errors="replace").splitlines()[-_LAST_LINES:]
    return "\n".join(f"  {line[:400]}" for line in lines)
