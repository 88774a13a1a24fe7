"""MongoDB's stand-in for tests of what reads it or writes to it: collections in memory that answer simple questions."""

import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Document = dict[str, Any]
TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
    "$ne": operator.ne,
    "$in": lambda value, listed: value in listed,
    "$exists": lambda value, wanted: (value is not None) == wanted,
}
OF_NOTHING = ("$ne", "$in", "$exists")
"""Those that a field which is not there can pass."""


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
    """Documents by `_id`; `asked` has the questions."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self.asked: list[Document] = []

    def find(
        self,
        which: Document | None = None,
        fields: Document | None = None,
        sort: Iterable[tuple[str, int]] = (),
    ) -> Found:
        which = which or {}
        self.asked.append(which)
        found = Found([one for one in self.near(which.get("_id")) if takes(one, which)])
        for name, order in sort:
            found = found.sort(name, order)
        return Found([_shown(one, fields or {}) for one in found])

    def find_one(
        self, which: Document, fields: Document | None = None, sort: Iterable[tuple[str, int]] = ()
    ) -> Document | None:
        return next(iter(self.find(which, fields, sort)), None)

    def near(self, _id: Any) -> Iterable[Document]:
        """Those that may have the id."""
        if _id is None or (isinstance(_id, dict) and "$in" not in _id):
            return self.documents.values()
        ids = _id["$in"] if isinstance(_id, dict) else [_id]
        return [self.documents[one] for one in ids if one in self.documents]


def takes(one: Document, which: Document) -> bool:
    """Whether a filter takes a document."""
    return all(_fits(one.get(name), wanted) for name, wanted in which.items())


def _fits(value: Any, wanted: Any) -> bool:
    if not isinstance(wanted, dict) or not any(name in TESTS for name in wanted):
        return bool(value == wanted)
    return all(
        (value is not None or test in OF_NOTHING) and TESTS[test](value, bound) for test, bound in wanted.items()
    )


def _shown(one: Document, fields: Document) -> Document:
    wanted = {name for name, shown in fields.items() if shown}
    hidden = fields.keys() - wanted
    return {
        name: value
        for name, value in one.items()
        if name not in hidden and (not wanted or name in wanted or name == "_id")
    }
