"""Progress bars, where a person watches."""

import sys
from collections.abc import Iterator

from rich.console import Console
from rich.progress import Progress


def watch(batches: Iterator[int], total: int, what: str) -> Iterator[int]:
    """The same batches, with a progress bar on standard error until `total` is reached, when a person watches."""
    if total <= 0 or not sys.stderr.isatty():
        yield from batches
        return
    done = 0
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        for number in batches:
            done += number
            progress.advance(task, number)
            yield number
            if done >= total:
                break
    yield from batches
