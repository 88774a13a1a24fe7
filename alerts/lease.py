"""Only one engine works at a time: MongoDB's ``alert_engine`` says which. A second one waits."""

import os
import socket
import time
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import psutil
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from readings.connections import Document

COLLECTION = "alert_engine"
SHORTEST = timedelta(seconds=20)

Taken = Literal["new", "kept"]
"""Whether another engine may have worked since this one last had the right."""


class Lease:
    """The right to work, for a while at a time, and longer than from one round to the next."""

    def __init__(self, database: "Database[Document]", every: timedelta) -> None:
        self._collection = database[COLLECTION]
        self._length = max(SHORTEST, 3 * every)
        self.holder = uuid.uuid4().hex
        """Names this engine."""
        self._me = {"host": socket.gethostname(), "boot": _boot(), "pid": os.getpid(), "started": _started(os.getpid())}
        self._taken_at: float | None = None

    def take(self, now: datetime) -> Taken | None:
        """Takes or keeps the right; None while another engine has it. Raises PyMongoError.

        An engine that was killed on this machine has it no more.
        """
        began = time.monotonic()
        if self._taken_at is not None and began < self._taken_at + self._length.total_seconds() / 4:
            return "kept"
        self._taken_at = None
        mine = {**self._me, "holder": self.holder, "until": now + self._length}
        if self._collection.update_one({"_id": "lease", "holder": self.holder}, {"$set": mine}).matched_count:
            self._taken_at = began
            return "kept"
        free: list[Document] = [{"until": {"$lt": now}}]
        held = self._collection.find_one({"_id": "lease"})
        if held and self._has_ended(held):
            free.append({"holder": held["holder"]})
        try:
            self._collection.update_one({"_id": "lease", "$or": free}, {"$set": mine}, upsert=True)
        except DuplicateKeyError:
            return None
        self._taken_at = began
        return "new"

    def lasts(self, span_s: float) -> bool:
        """Whether the right lasts for so long at least, whatever others do."""
        end = None if self._taken_at is None else self._taken_at + self._length.total_seconds()
        return end is not None and time.monotonic() + span_s < end

    def give_back(self) -> None:
        """Lets another engine begin at once. Raises PyMongoError."""
        self._taken_at = None
        self._collection.delete_one({"_id": "lease", "holder": self.holder})

    def _has_ended(self, held: Document) -> bool:
        """Whether a holder was a process of this machine, of its present run, that is there no more."""
        here = all(held.get(name) == self._me[name] for name in ("host", "boot"))
        return here and _started(held["pid"]) != held.get("started")


def _boot() -> str:
    """Names the run of this machine: machines and containers may have the same host name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return str(int(psutil.boot_time()))


def _started(pid: int) -> str | None:
    """When a process began, None where there is none: a number is given again, in a container at once.

    In ticks since the machine's start where Linux tells them: the clock may be set meanwhile.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except OSError:
        pass
    try:
        return None if Path("/proc/self/stat").exists() else str(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None
