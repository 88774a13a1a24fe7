"""The stores' stand-ins for tests of what is written to them: documents in memory."""

import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from unittest.mock import Mock

import orjson
from pymongo import DeleteOne, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError

Document = dict[str, Any]
TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
    "$in": lambda value, listed: value in listed,
    "$exists": lambda value, wanted: (value is not None) == wanted,
}


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
    """Documents by `_id`, of MongoDB; `written` counts what was written."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self.written = 0

    def find(self, which: Document | None = None, _fields: Document | None = None) -> Found:
        which = which or {}
        return Found([dict(one) for one in self._near(which.get("_id")) if _takes(one, which)])

    def _near(self, _id: Any) -> Iterable[Document]:
        """Those that may have the id."""
        if _id is None:
            return self.documents.values()
        ids = _id["$in"] if isinstance(_id, dict) else [_id]
        return [self.documents[one] for one in ids if one in self.documents]

    def find_one(
        self, which: Document, fields: Document | None = None, sort: list[tuple[str, int]] | None = None
    ) -> Document | None:
        found = self.find(which, fields)
        for name, order in sort or []:
            found = found.sort(name, order)
        return next(iter(found), None)

    def distinct(self, name: str, which: Document) -> list[Any]:
        return sorted({one[name] for one in self.find(which)})

    def estimated_document_count(self) -> int:
        return len(self.documents)

    def insert_many(self, documents: list[Document], *, ordered: bool) -> None:
        errors = []
        for place, one in enumerate(documents):
            if one["_id"] in self.documents:
                errors.append({"index": place, "code": 11000})
            else:
                self.documents[one["_id"]] = dict(one)
                self.written += 1
        if errors:
            raise BulkWriteError({"writeErrors": errors})

    def bulk_write(self, operations: list[Any], *, ordered: bool = True) -> Any:
        matched = 0
        for one in operations:
            found = next((known for known in self._near(one._filter["_id"]) if _takes(known, one._filter)), None)
            matched += found is not None
            if isinstance(one, DeleteOne):
                if found:
                    del self.documents[found["_id"]]
            elif isinstance(one, ReplaceOne):
                if found:
                    self.documents[found["_id"]] = {"_id": found["_id"], **one._doc}
                    self.written += 1
            elif isinstance(one, UpdateOne):
                _id = one._filter["_id"]
                self.documents[_id] = {**self.documents.get(_id, {"_id": _id}), **one._doc["$set"]}
        return Mock(matched_count=matched)


class View:
    """Documents by index and `_id`, of Elasticsearch: their sources."""

    def __init__(self) -> None:
        self.documents: dict[tuple[str, str], Document] = {}
        self.written = 0
        self.on_bulk: Callable[[], None] = lambda: None
        """Called before a bulk is carried out."""

    def perform_request(self, _method: str, path: str, *, headers: Document, body: bytes) -> Any:
        assert path.startswith("/_bulk")
        self.on_bulk()
        lines = body.splitlines()
        items, errors = [], False
        for action, source in zip(lines[::2], lines[1::2], strict=True):
            ((operation, of),) = orjson.loads(action).items()
            place = of["_index"], of["_id"]
            taken = operation == "index" or place not in self.documents
            if taken:
                self.documents[place] = orjson.loads(source)
                self.written += 1
            errors |= not taken
            items.append({operation: {"status": 201 if taken else 409}})
        return Mock(body={"errors": errors, "items": items})

    def mget(self, *, docs: list[Document]) -> Document:
        return {
            "docs": [
                {**one, "found": True, "_source": self.documents[one["_index"], one["_id"]]}
                if (one["_index"], one["_id"]) in self.documents
                else {**one, "found": False}
                for one in docs
            ]
        }


def database() -> Any:
    """Collections by name."""
    return defaultdict(Collection)


def _takes(one: Document, which: Document) -> bool:
    return all(_fits(one.get(name), wanted) for name, wanted in which.items())


def _fits(value: Any, wanted: Any) -> bool:
    if not isinstance(wanted, dict) or not any(name in TESTS for name in wanted):
        return bool(value == wanted)
    return all(
        TESTS[test](value, bound) if test == "$exists" or value is not None else False for test, bound in wanted.items()
    )
