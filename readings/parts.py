"""How each part tells that it is alive: an upsert into MongoDB's ``parts`` every 5 seconds.

``{_id: part, state: running|waiting|failed, since, waiting_for, counts, at, pid}``, and ``feeds``
(``[{feed, state, what, since}]``, those that wait or failed) of a part that tells them apart: read by
``run.sh status``, the ``stalled`` rule and the dashboard. A part whose ``at`` is old is not alive. The consumer
tells how far each of its queries has read in ``offsets`` (``[{query, topic, partition, offset}]``, what comes next),
and in ``tariff_zone`` whose days the totals of meters are of; the processes that work for a query add the messages that
they went through to ``gone_through`` (by query).
"""

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pymongo.database import Database
from pymongo.errors import PyMongoError

from readings.connections import Document

COLLECTION = "parts"
HEARTBEAT_S = 5.0
ALIVE_S = 20.0
"""A part that has not been heard of for longer is taken for dead."""

CONSUMER = "consumer"
INGEST = "ingest"
"""The consumer's query that writes readings; its others read the same topics for themselves."""

BESIDE = "(readings go on"
"""Stands in what is waited for beside the work, ``forecaster (readings go on)``: that is no standstill of readings."""

Partition = tuple[str, int]
"""A topic and a partition's number."""
State = Literal["running", "waiting", "failed"]

log = logging.getLogger(__name__)


def is_alive(told: Document, now: datetime) -> bool:
    """Whether a part's heartbeat is young enough for it to be taken for alive."""
    return bool(now - told["at"] <= timedelta(seconds=ALIVE_S))


def read_by(told: Mapping[str, Any]) -> dict[str, dict[Partition, int]]:
    """How far a part says that each of its queries has read: by query and partition the offset that comes next."""
    found: dict[str, dict[Partition, int]] = {}
    for one in told.get("offsets", []):
        query = one.get("query", INGEST)  # earlier consumers told of that one alone
        found.setdefault(query, {})[one["topic"], one["partition"]] = one["offset"]
    return found


def add_gone_through(database: "Database[Document]", name: str, query: str, messages: int) -> None:
    """Tells that a worker of a part's query went through so many messages. Raises PyMongoError."""
    database[COLLECTION].update_one({"_id": name}, {"$inc": {f"gone_through.{query}": messages}})


class Part:
    """One part's heartbeat. Use as a context manager: it beats in a thread of its own until the end."""

    def __init__(self, database: "Database[Document]", name: str) -> None:
        self._collection = database[COLLECTION]
        self._name = name
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._state: State = "running"
        self._since = datetime.now(UTC)
        self._waiting_for: str | None = None
        self._counts: dict[str, float] = {}
        self._facts: dict[str, object] = {}
        self._heard = True
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> "Part":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join(timeout=HEARTBEAT_S)

    def running(self) -> None:
        """Says that the part does its work."""
        self._change("running", None)

    def waiting(self, what: str) -> None:
        """Says that the part waits, and for what: ``elasticsearch``, ``openweathermap (Retry-After 30 s)``."""
        self._change("waiting", what)

    def failed(self, why: str) -> None:
        """Says that the part cannot go on by itself, and why."""
        self._change("failed", why)

    @contextmanager
    def waits(self, what: str) -> Iterator[None]:
        """Says `waiting` within the block, and `running` after it."""
        self.waiting(what)
        try:
            yield
        finally:
            self.running()

    def count(self, **counts: float) -> None:
        """Adds to the part's counts since it started, e.g. ``part.count(sent=12, failed=1)``."""
        with self._lock:
            for name, number in counts.items():
                self._counts[name] = self._counts.get(name, 0) + number

    def note(self, **facts: object) -> None:
        """Keeps what the part tells beside its counts, as it is now, e.g. ``part.note(offsets=[…])``."""
        with self._lock:
            self._facts |= facts

    def _change(self, state: State, what: str | None) -> None:
        with self._lock:
            if (state, what) != (self._state, self._waiting_for):
                if state != self._state:
                    self._since = datetime.now(UTC)
                self._state, self._waiting_for = state, what

    def _beat(self) -> None:
        self._write()
        while not self._stop.wait(HEARTBEAT_S):
            self._write()
        self._write()

    def _write(self) -> None:
        with self._lock:
            document = {
                "state": self._state,
                "since": self._since,
                "waiting_for": self._waiting_for,
                "counts": dict(self._counts),
                "at": datetime.now(UTC),
                "pid": os.getpid(),
                **self._facts,
            }
        try:
            self._collection.update_one({"_id": self._name}, {"$set": document}, upsert=True)
            self._heard = True
        except PyMongoError as error:
            if self._heard:  # said once, not every 5 seconds: the next beat tries again
                log.warning("the heartbeat cannot be written: %s", type(error).__name__)
            self._heard = False
