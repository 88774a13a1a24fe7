"""Which sums are to be worked out again: a list in MongoDB, so that a kill loses none of it.

The ingest notes what a chunk's readings belong to when they are stored, and before the batch's offsets are committed.
The driver works each of it out from what is stored then, and strikes it off unless it was noted anew meanwhile.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from pymongo import DeleteOne
from pymongo.database import Database

from spark_consumer.sinks import mongodb

Document = dict[str, Any]
COLLECTION = "sums_due"
OSLO = ZoneInfo("Europe/Oslo")
STEP = timedelta(minutes=5)


@dataclass(frozen=True)
class Due:
    """A sum's name, e.g. ``2026-11-25`` of production, and what tells whether it was noted anew."""

    stream: str
    name: str
    noted: str


def five_minutes(instant: datetime) -> str:
    """The stamp of five minutes, which is their end, as ISO-8601. A time between two stamps has the one before."""
    return (
        instant - timedelta(minutes=instant.minute % 5, seconds=instant.second, microseconds=instant.microsecond)
    ).isoformat()


NAMES: Mapping[str, Callable[[Document], str]] = {
    "production": lambda document: document["start_time"].astimezone(OSLO).date().isoformat(),
    "facility": lambda document: five_minutes(document["timestamp"]),
    "market": lambda document: five_minutes(document["timestamp"]),
}
"""By stream that is summed up: what a reading's sums are named by."""


def note(database: "Database[Document]", stream: str, documents: Iterable[Document]) -> None:
    """Notes the sums that stored readings belong to."""
    noted = uuid4().hex  # never the same, also where a task is repeated: another one's reading may have come meanwhile
    notes: list[Document] = [
        {"_id": f"{stream}|{name}", "stream": stream, "name": name, "noted": noted}
        for name in {NAMES[stream](document) for document in documents}
    ]
    if notes:
        mongodb.put(database[COLLECTION], notes)


def noted(database: "Database[Document]", stream: str, most: int) -> list[Due]:
    """The first sums of a stream that are due, in the order of their names."""
    found = database[COLLECTION].find({"stream": stream}).sort("name", 1).limit(most)
    return [Due(stream, one["name"], one["noted"]) for one in found]


def strike_off(database: "Database[Document]", done: Iterable[Due]) -> None:
    """Forgets what was worked out, where it was not noted anew since."""
    strokes = [DeleteOne({"_id": f"{one.stream}|{one.name}", "noted": one.noted}) for one in done]
    if strokes:
        database[COLLECTION].bulk_write(strokes, ordered=False)
