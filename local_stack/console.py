"""What a person sees while something is brought up: each step with its time, and bars for downloads.

Without a terminal they are plain lines.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from local_stack.terminal import show_what_it_can

PLAIN_WIDTH = 120
_PLAIN_EVERY_S = 5.0


def make_console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal; wide enough for our tables where there is none."""
    show_what_it_can()
    console = Console(stderr=stderr, highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=PLAIN_WIDTH)


class Step:
    """One step while it runs."""

    def __init__(self) -> None:
        self.note = ""

    def say(self, note: str) -> None:
        """What is told beside the step when it is done."""
        self.note = note


@contextmanager
def step(console: Console, title: str) -> Iterator[Step]:
    """Shows a step while it runs, and how long it took, whether it went well or not."""
    began, current = time.monotonic(), Step()
    try:
        if console.is_terminal:
            with console.status(title):
                yield current
        else:
            yield current
    except BaseException:
        say(console, "✗", title, began)
        raise
    say(console, "✓", title, began, current.note)


def say(console: Console, sign: str, title: str, began: float, note: str = "") -> None:
    """One line: a sign, what it is about, the seconds since `began`, and a note."""
    colour = {"✓": "green", "✗": "red"}.get(sign, "yellow")
    line = f"[{colour}]{sign}[/] {title:<42} {time.monotonic() - began:6.1f} s"
    console.print(f"{line}  [dim]{escape(note)}[/]" if note else line)


class Downloads:
    """Bars of bytes, one a download; without a terminal a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = Lock()
        self._tasks: dict[str, TaskID] = {}
        self._said: dict[str, float] = {}
        self._bars = Progress(
            TextColumn("  {task.description:<24}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> "Downloads":
        self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bars.stop()

    def __call__(self, name: str, here: int, total: int) -> None:
        """Told by `artifacts.fetch` from its threads."""
        with self._lock:
            if self._console.is_terminal:
                if name not in self._tasks:
                    self._tasks[name] = self._bars.add_task(name, total=total)
                self._bars.update(self._tasks[name], completed=here)
            elif here == total or time.monotonic() - self._said.get(name, 0.0) > _PLAIN_EVERY_S:
                self._said[name] = time.monotonic()
                self._console.print(f"  {name}: {here / 1e6:.0f} of {total / 1e6:.0f} MB")
