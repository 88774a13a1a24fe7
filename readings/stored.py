"""What every room knows of stored documents: ids, versions, what Elasticsearch has, many by their ids, removal."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import orjson
from elasticsearch import Elasticsearch
from pymongo.collection import Collection

from readings.connections import Document

REMOVED_AT_ONCE = 2000
IDS_PER_FIND = 100
"""The local server takes 0.13 ms an id up to here, and 1.6 ms in a list of 2,000."""


def version(document: Mapping[str, Any]) -> int:
    """A number that grows with each message about a reading: the document's version in Elasticsearch.

    Of its ``kafka``: 41 bits of the arrival, in milliseconds, and 20 of the offset, for those within a millisecond.
    """
    kafka = document["kafka"]
    arrived_at: datetime = kafka["arrived_at"]
    offset: int = kafka["offset"]
    return int(arrived_at.timestamp() * 1000) << 20 | offset & 0xFFFFF


def as_source(document: Document) -> Document:
    """What is found in Elasticsearch as the source of a document that was written, without its ``_id``."""
    loaded: Document = orjson.loads(orjson.dumps({**document, "_id": None}, option=orjson.OPT_UTC_Z))
    del loaded["_id"]
    return loaded


def production_sum_id(area: str, group: str, period: str, begins: date) -> str:
    """Of a document of ``production_sums``; `period` is ``month`` or ``day``."""
    return f"{area}|{group}|{period}|{begins.isoformat()}"


def forecast_error_id(region: str, horizon_h: int) -> str:
    """Of a document of ``forecast_errors``."""
    return f"{region}|{horizon_h:03d}"


def find_by_id(collection: "Collection[Document]", ids: Sequence[str]) -> Iterator[Document]:
    """The documents of those ids that are there in MongoDB. Raises PyMongoError."""
    for start in range(0, len(ids), IDS_PER_FIND):
        yield from collection.find({"_id": {"$in": list(ids[start : start + IDS_PER_FIND])}})


def remove_from_view(view: Elasticsearch, indices: str, query: Document) -> int:
    """Removes what a query finds in Elasticsearch, and gives how much it was. Raises what the client raises.

    By `_id`, for Elasticsearch's own deleting by query is a module that local mode has not.
    """
    view.indices.refresh(index=indices)
    deleted = 0
    while hits := view.search(index=indices, query=query, size=REMOVED_AT_ONCE, source=False)["hits"]["hits"]:
        answer = view.bulk(
            operations=[{"delete": {"_index": hit["_index"], "_id": hit["_id"]}} for hit in hits], refresh=True
        )
        removed = sum(item["delete"]["status"] == 200 for item in answer["items"])
        if removed == 0:
            raise RuntimeError(f"Elasticsearch deletes nothing of {indices}: {answer['items'][0]}")
        deleted += removed
    return deleted
