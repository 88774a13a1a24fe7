"""Which processes the processor's time goes to."""

from collections.abc import Callable, Iterable, Mapping

import psutil

Processes = Callable[[], Iterable[psutil.Process]]


class Cpu:
    """The processor's time that parts have used since it was made."""

    def __init__(self, parts: Mapping[str, Processes]) -> None:
        """`parts` gives the processes of each."""
        self._parts = parts
        self._before = self._now()

    def seconds(self) -> dict[str, float]:
        """By part; what processes used that have ended meanwhile is left out."""
        used = dict.fromkeys(self._parts, 0.0)
        for (part, pid), seconds in self._now().items():
            used[part] += seconds - self._before.get((part, pid), 0.0)
        return used

    def _now(self) -> dict[tuple[str, int], float]:
        found: dict[tuple[str, int], float] = {}
        for part, processes in self._parts.items():
            for process in processes():
                try:
                    times = process.cpu_times()
                except psutil.NoSuchProcess:
                    continue
                found[part, process.pid] = times.user + times.system
        return found
