"""How long ``bash run.sh`` takes, and what everything together needs of memory.

``python -m benchmarks.bring_up --json`` clones the repository into a temporary folder with a home and caches of its
own, so that nothing was downloaded before, and runs there, on free ports:

``cold_s``           the first ``bash run.sh up``, downloads included, until it returns
``first_reading_s``  from its beginning until a reading is in both stores
``warm_s``           ``bash run.sh up`` after a ``down``
``rss_mb``           the most that all processes of the stack took together in the minute after the warm start, in
                     proportional set size

Only what is committed is measured.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from elasticsearch import ApiError, Elasticsearch, TransportError
from pymongo.database import Database
from pymongo.errors import PyMongoError

from benchmarks.progress import say
from local_stack import processes
from local_stack.layout import layout
from local_stack.spare import settings_of, spare_environment
from readings.config import ROOT
from readings.connections import Document, connect_elasticsearch, connect_mongodb
from readings.settings import Settings
from readings.stream import Stream, load_streams

REST_S = 60.0
"""How long the stack's memory is looked at."""


def main() -> None:
    """Measures and prints; the last line is one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bring_up", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print only the JSON line on standard output")
    parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="skywatt-bring-up-") as folder:
        print(json.dumps(_measure(Path(folder))))


def _measure(folder: Path) -> dict[str, Any]:
    clone = folder / "skywatt"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True, stdout=sys.stderr)
    (folder / "home").mkdir()
    environment = spare_environment(
        folder, HOME=str(folder / "home"), SKYWATT_HOME=str(folder / "cache"), XDG_CACHE_HOME=str(folder / "xdg")
    )
    try:
        first = _FirstReading(environment)
        cold_s = _run(clone, environment, "up")
        first_reading_s = first.seconds()
        _run(clone, environment, "down")
        warm_s = _run(clone, environment, "up")
        rss_mb = _memory_mb(settings_of(environment))
    finally:
        _run(clone, environment, "down", "--data")
    return {
        "cold_s": round(cold_s, 1),
        "warm_s": round(warm_s, 1),
        "rss_mb": round(rss_mb),
        "first_reading_s": round(first_reading_s, 1),
    }


def _run(clone: Path, environment: Mapping[str, str], *arguments: str) -> float:
    """Seconds that ``run.sh`` took; what it says goes to standard error."""
    say(f"$ bash run.sh {' '.join(arguments)}")
    began = time.monotonic()
    subprocess.run(["bash", "run.sh", *arguments], cwd=clone, env=environment, check=True, stdout=sys.stderr)
    seconds = time.monotonic() - began
    say(f"  {seconds:.1f} s")
    return seconds


class _FirstReading:
    """Looks for the first reading in both stores, in a thread of its own, from its making on."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._found: list[float] = []
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def seconds(self) -> float:
        """How long it took. To be asked when ``up`` has returned: it waits for the first readings too."""
        self._thread.join(30)
        return self._found[0]

    def _look(self) -> None:
        while not Path(self._environment["SKYWATT_ENV_FILE"]).exists():
            time.sleep(0.2)  # between two looks
        settings = settings_of(self._environment)
        streams = load_streams(settings).values()
        database = connect_mongodb(settings, timeout_s=1)
        with connect_elasticsearch(settings, timeout_s=1, max_retries=0) as view:
            while not _is_in_both(streams, database, view):
                time.sleep(0.2)  # likewise
        self._found.append(time.monotonic() - self._began)
        database.client.close()


def _is_in_both(streams: Iterable[Stream], database: "Database[Document]", view: Elasticsearch) -> bool:
    """Whether MongoDB and Elasticsearch have a reading of the same stream, whichever that is."""
    try:
        return any(
            database[stream.collection].find_one({}) and view.count(index=f"{stream.index_prefix}*")["count"]
            for stream in streams
        )
    except (PyMongoError, ApiError, TransportError):  # still starting
        return False


def _memory_mb(settings: Settings) -> float:
    """The largest sum over all processes that was seen in `REST_S`."""
    most = 0.0
    deadline = time.monotonic() + REST_S
    while time.monotonic() < deadline:
        most = max(most, sum(processes.pss_mb(process) for process in processes.of_stack(layout(settings))))
        time.sleep(5)  # between two sums, which take processor time themselves
    return most


if __name__ == "__main__":
    main()
