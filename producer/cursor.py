"""How far a source has been sent: MongoDB's ``cursors``, moved only after Kafka has acknowledged.

``{_id: source/stream, until: [{series, at}], facts: {…}}``: of each series everything up to `at` is in Kafka.
`facts` are what the source chose once and keeps, as by how much a recording is shifted.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import PyMongoError

from producer.states import State
from readings.connections import Document
from readings.mongodb import waited_for
from readings.parts import BESIDE

COLLECTION = "cursors"

log = logging.getLogger(__name__)


class Cursor(Protocol):
    """How far a source has been sent."""

    until: dict[str, datetime]
    facts: dict[str, Any]

    def move(self, until: Mapping[str, datetime]) -> None:
        """Notes what Kafka has acknowledged. A series' cursor never moves back."""


class UnkeptCursor:
    """A cursor that ends with the process: for dry runs, and recordings that are played from their beginning."""

    def __init__(self) -> None:
        self.until: dict[str, datetime] = {}
        self.facts: dict[str, Any] = {}

    def move(self, until: Mapping[str, datetime]) -> None:
        """Notes what was sent. A series' cursor never moves back."""
        for series, instant in until.items():
            self.until[series] = max(instant, self.until.get(series, instant))


class KeptCursor(UnkeptCursor):
    """A cursor kept in MongoDB. While that is away or takes no writes it moves on in memory, and is kept later."""

    def __init__(self, database: "Database[Document]", name: str, state: State) -> None:
        """Reads the cursor; raises pymongo's errors where MongoDB is away."""
        super().__init__()
        self._name = name
        self._collection: Collection[Document] = database[COLLECTION]
        self._state = state
        self._away = False
        found = self._collection.find_one({"_id": name}) or {}
        self.facts = found.get("facts", {})
        self.until = {one["series"]: one["at"] for one in found.get("until", [])}

    def move(self, until: Mapping[str, datetime]) -> None:
        """Notes what Kafka has acknowledged. A series' cursor never moves back."""
        super().move(until)
        try:
            self.keep()
        except PyMongoError as error:
            what = waited_for(error)
            if what is None:
                raise
            self._away = True
            self._state.waiting(f"{what} {BESIDE}, the cursor is kept when it is back)")
        else:
            if self._away:
                self._state.running()
            self._away = False

    def keep(self) -> None:
        """Keeps what was noted; raises pymongo's errors where MongoDB does not."""
        kept = {"facts": self.facts, "until": [{"series": name, "at": at} for name, at in sorted(self.until.items())]}
        self._collection.update_one({"_id": self._name}, {"$set": kept}, upsert=True)


def forget(database: "Database[Document]", name: str) -> None:
    """Forgets a cursor, so that its source begins anew."""
    database[COLLECTION].delete_one({"_id": name})
