"""Only one engine evaluates at a time: MongoDB's ``alert_engine`` says which. A second one waits."""

import os
import socket
import uuid
from datetime import UTC, datetime, timedelta

import psutil
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from readings.connections import Document

COLLECTION = "alert_engine"
LENGTH = timedelta(seconds=20)
_NEVER = datetime.min.replace(tzinfo=UTC)


class Lease:
    """The right to evaluate, for `LENGTH` at a time. Every method raises PyMongoError."""

    def __init__(self, database: "Database[Document]") -> None:
        self._collection = database[COLLECTION]
        self._me = {"holder": uuid.uuid4().hex, "host": socket.gethostname(), "pid": os.getpid()}
        self._renew_at = _NEVER

    def take(self, now: datetime) -> bool:
        """Takes or keeps the right; False while another engine has it. One killed on this machine has it no more."""
        if now < self._renew_at:
            return True
        self._renew_at = _NEVER
        mine = {**self._me, "until": now + LENGTH}
        free = [{"holder": self._me["holder"]}, {"until": {"$lt": now}}]
        held = self._collection.find_one({"_id": "lease"})
        if held and held["host"] == self._me["host"] and not psutil.pid_exists(held["pid"]):
            free.append({"holder": held["holder"]})
        try:
            self._collection.update_one({"_id": "lease", "$or": free}, {"$set": mine}, upsert=True)
        except DuplicateKeyError:
            return False
        self._renew_at = now + LENGTH / 4
        return True

    def give_back(self) -> None:
        """Lets another engine begin at once."""
        self._collection.delete_one({"_id": "lease", "holder": self._me["holder"]})
