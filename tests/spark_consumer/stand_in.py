"""The stores' stand-ins for tests of what is written to them: documents in memory."""

from collections import defaultdict
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any
from unittest.mock import Mock

import orjson
from pymongo import DeleteOne, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError

from tests import stand_in as shared
from tests.stand_in import Document, takes


class Collection(shared.Collection):
    """A collection of MongoDB that is written to; `written` counts what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0

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
            found = next((known for known in self.near(one._filter["_id"]) if takes(known, one._filter)), None)
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

    def delete_many(self, which: Document) -> Any:
        old = list(self.find(which))
        for one in old:
            del self.documents[one["_id"]]
        return Mock(deleted_count=len(old))

    def update_one(self, which: Document, change: Document, *, upsert: bool = False) -> None:
        known = self.find_one(which)
        if known or upsert:
            self.documents[which["_id"]] = {**(known or {"_id": which["_id"]}), **change["$set"]}


class View:
    """Documents by index and `_id`, of Elasticsearch: their sources."""

    def __init__(self) -> None:
        self.documents: dict[tuple[str, str], Document] = {}
        self.written = 0
        self.on_bulk: Callable[[], None] = lambda: None
        """Called before a bulk is carried out."""
        self.indices = Mock()

    def search(self, *, index: str, query: Document, size: int, source: bool) -> Any:
        hits = [
            {"_index": one_index, "_id": _id}
            for (one_index, _id), one in self.documents.items()
            if fnmatchcase(one_index, index) and _asks_for(query, one)
        ]
        return {"hits": {"hits": hits[:size]}}

    def bulk(self, *, operations: list[Document], refresh: bool) -> Any:
        for one in operations:
            del self.documents[one["delete"]["_index"], one["delete"]["_id"]]
        return {"items": [{"delete": {"status": 200}} for _ in operations]}

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


def _asks_for(query: Document, source: Document) -> bool:
    ((kind, of),) = query.items()
    match kind:
        case "exists":
            return of["field"] in source
        case "terms":
            return all(source.get(name) in wanted for name, wanted in of.items())
        case "bool":
            return not _asks_for(of["must_not"], source)
        case _:
            return kind == "match_all"


def database() -> Any:
    """Collections by name."""
    return defaultdict(Collection)
