"""What the stores keep of a reading, and which of two messages about the same reading wins.

A document holds the reading's own fields and, beside them:

``series``      its name, e.g. ``Bergen``
``arrived_at``  when the first message about it was appended to Kafka
``delay_s``     that arrival minus the event time; ``late`` whether it was more than allowed (live readings only)
``revision``    how often its values changed since; ``revised_at`` when they last did
``kafka``       ``{arrived_at, partition, offset}`` of the message that the present values come from
"""

import functools
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from readings.reading import Reading
from readings.stream import FACTS, Stream

Document = dict[str, Any]

BESIDE_VALUES = frozenset(
    {"_id", "source", "mode", "series", "arrived_at", "delay_s", "late", "revision", "revised_at", "kafka"}
).union(*(facts.model_fields for facts in FACTS.values()))
"""The fields that are not the reading's values: a difference in them is no revision."""

FIRST = ("arrived_at", "delay_s", "late", "first_seen_at")
"""What a revision keeps of the first message."""

PREVIOUS = {"quantity_kwh": "previous_kwh"}
"""Of these values the one before the last revision is kept, under this name."""


def make_document(stream: Stream, reading: Reading, arrived_at: datetime, partition: int, offset: int) -> Document:
    """The document of a reading that nothing is known of yet. `arrived_at` is the broker's append time, aware UTC."""
    delay_s = stream.delay_s(reading.event_time, arrived_at)
    document = reading.values
    document |= {
        "_id": reading.key,
        "series": reading.series,
        "arrived_at": arrived_at,
        "delay_s": delay_s,
        "late": stream.is_late(reading.mode, delay_s),
        "revision": 0,
        "kafka": {"arrived_at": arrived_at, "partition": partition, "offset": offset},
    }
    if "first_seen_at" in _facts(stream.name):
        document["first_seen_at"] = arrived_at
    return document


def merge(stored: Document, arrived: Document) -> Document:
    """The document to keep of two about the same reading: `stored` itself where nothing is to be written.

    Only a later message replaces, by (arrived_at, partition, offset), and only a changed value counts: a topic that
    is read again from its beginning ends where it was. A revision keeps the first arrival, its delay and lateness.
    """
    if _place(arrived) <= _place(stored) or _values(arrived) == _values(stored):
        return stored
    first = {field: stored[field] for field in FIRST if field in stored}
    previous = {name: stored[field] for field, name in PREVIOUS.items() if field in stored}
    revision = {"revision": stored["revision"] + 1, "revised_at": arrived["kafka"]["arrived_at"]}
    return arrived | first | previous | revision


def by_id(documents: Iterable[Document]) -> dict[str, list[Document]]:
    """The documents of each ``_id``, in the order of their arrival."""
    found: dict[str, list[Document]] = {}
    for document in documents:
        found.setdefault(document["_id"], []).append(document)
    return found


def merge_all(documents: Iterable[Document], stored: Document | None = None) -> Document:
    """What is to be kept of documents about one reading, in the order of their arrival, after `stored` if there is one.

    One after the other, and not as one: else how they fall into batches would change how often they count as revised.
    """
    return functools.reduce(merge, documents) if stored is None else functools.reduce(merge, documents, stored)


@functools.cache
def _facts(stream: str) -> frozenset[str]:
    return frozenset(FACTS[stream].model_fields) if stream in FACTS else frozenset()


def _place(document: Document) -> tuple[datetime, int, int]:
    kafka = document["kafka"]
    return kafka["arrived_at"], kafka["partition"], kafka["offset"]


def _values(document: Document) -> Document:
    return {field: value for field, value in document.items() if field not in BESIDE_VALUES}
