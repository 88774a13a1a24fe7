"""MongoDB, the system of record: inserts what is new, replaces what was revised."""

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ReplaceOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from readings.stored import find_by_id
from spark_consumer.documents import Document, merge_all

DUPLICATE_KEY = 11000


def insert_new(collection: "Collection[Document]", documents: list[Document]) -> set[str]:
    """Inserts the documents whose ``_id`` is not there yet, and gives back the ids that are.

    Upserts were measured 15 times slower than inserts, and nearly every reading is new.
    """
    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        return duplicates(error, documents)
    return set()


def put(collection: "Collection[Document]", documents: list[Document]) -> None:
    """Writes documents over those of the same ``_id``: what is worked out anew and the same for all."""
    known = insert_new(collection, documents)
    if known:
        again = (one for one in documents if one["_id"] in known)  # upsert: one may have been removed since
        collection.bulk_write([ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in again])


def replace_revised(
    collection: "Collection[Document]", arrived: Mapping[str, Sequence[Document]]
) -> dict[str, Document]:
    """Replaces those stored documents that arrived ones (by ``_id``, in order) revise; gives back what is stored now.

    A replacement is bound to the version it was worked out from: where another consumer was faster, it is worked
    out again.
    """
    now: dict[str, Document] = {}
    open_ids = set(arrived)
    while open_ids:
        stored = {document["_id"]: document for document in find_by_id(collection, sorted(open_ids))}
        for _id in open_ids - stored.keys():  # removed in between (retention): it is new again
            stored[_id] = merge_all(arrived[_id])
            insert_new(collection, [stored[_id]])
        kept = {_id: merge_all(arrived[_id], document) for _id, document in stored.items()}
        revised = {_id for _id in kept if kept[_id] is not stored[_id]}
        if revised:
            result = collection.bulk_write(
                [ReplaceOne({"_id": _id, "kafka": stored[_id]["kafka"]}, kept[_id]) for _id in revised], ordered=False
            )
            if result.matched_count == len(revised):
                revised = set()
        now |= {_id: document for _id, document in kept.items() if _id not in revised}
        open_ids = revised
    return now


def duplicates(error: BulkWriteError, documents: list[Document]) -> set[str]:
    """The ids that an unordered bulk write of the documents found taken. Raises the error where it tells of more."""
    details: Any = error.details
    errors: list[Any] = details.get("writeErrors", [])
    if details.get("writeConcernErrors") or any(one["code"] != DUPLICATE_KEY for one in errors):
        raise error
    return {documents[one["index"]]["_id"] for one in errors}
