"""MongoDB's stand-in for tests of what reads it: collections in memory that answer the dashboard's questions."""

import operator
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

from dashboard.store import Store
from readings.config import ROOT, load_config
from readings.reading import reading_key
from readings.stream import MODELS, Stream

Document = dict[str, Any]
TESTS = {"$gt": operator.gt, "$gte": operator.ge, "$lt": operator.lt, "$lte": operator.le, "$ne": operator.ne}


class Found:
    """A cursor."""

    def __init__(self, documents: list[Document]) -> None:
        self._documents = documents

    def __iter__(self) -> Iterator[Document]:
        return iter(self._documents)

    def sort(self, name: str, order: int) -> "Found":
        return Found(sorted(self._documents, key=lambda one: one[name], reverse=order < 0))

    def limit(self, number: int) -> "Found":
        return Found(self._documents[:number])


class Collection:
    """Documents by `_id`; `asked` counts the questions."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self.asked: list[Document] = []

    def put(self, *documents: Document) -> None:
        self.documents |= {one["_id"]: one for one in documents}

    def find(self, which: Document | None = None, fields: Document | None = None, **how: Any) -> Found:
        self.asked.append(which or {})
        found = Found([_fields(one, fields) for one in self.documents.values() if _takes(one, which or {})])
        for name, order in how.get("sort", ()):
            found = found.sort(name, order)
        return found

    def find_one(self, which: Document, fields: Document | None = None, **how: Any) -> Document | None:
        return next(iter(self.find(which, fields, **how)), None)


def stand_in() -> Store:
    """A store with nothing in it, and the streams of `skywatt.yml`."""
    config = load_config(ROOT / "skywatt.yml")
    streams = {name: Stream(name, MODELS[name], one, "") for name, one in config.streams.items()}
    return Store(Mock(mqtt_url=None), defaultdict(Collection), streams)


def reading(series: str, at: Any, *, late: bool = False, delay_s: float = 1.0, **values: Any) -> Document:
    """What the consumer stores of a reading, without the names of its series."""
    facts = {"source": "test", "mode": "live", "arrived_at": at + timedelta(seconds=delay_s)}
    key = reading_key([series], at)
    return {"_id": key, "series": series, "timestamp": at, "late": late, "delay_s": delay_s, **facts, **values}


def _takes(one: Document, which: Document) -> bool:
    return all(_fits(one.get(name), wanted) for name, wanted in which.items())


def _fits(value: Any, wanted: Any) -> bool:
    if not isinstance(wanted, dict):
        return bool(value == wanted)
    return all(
        value in bound if test == "$in" else value is not None and TESTS[test](value, bound)
        for test, bound in wanted.items()
    )


def _fields(one: Document, fields: Document | None) -> Document:
    if not fields:
        return dict(one)
    wanted = {name for name, shown in fields.items() if shown}
    hidden = {name for name, shown in fields.items() if not shown}
    return {
        name: value
        for name, value in one.items()
        if name not in hidden and (not wanted or name in wanted or name == "_id")
    }
