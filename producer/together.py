"""Several feeds of one process, each in a thread of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from producer.clock import WallClock
from producer.errors import Stopped


def together(feeds: Sequence[Callable[[], None]], clock: WallClock) -> None:
    """Returns when all have ended; one that breaks, or has enough, ends the others, and what broke it is raised."""
    with ThreadPoolExecutor(len(feeds), "feed") as pool:
        futures = [pool.submit(feed) for feed in feeds]
        wait(futures, return_when=FIRST_EXCEPTION)
        clock.stop()
    for error in (future.exception() for future in futures):
        if error is not None and not isinstance(error, Stopped):
            raise error
