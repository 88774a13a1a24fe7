"""Elasticsearch, the view: ``_bulk`` bodies made by hand, since the client's helpers cost more than the writing."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from elasticsearch import ApiError, Elasticsearch

from readings.stored import version
from readings.stream import Stream
from spark_consumer.documents import Document

MAX_BODY_BYTES = 8 * 1024 * 1024
"""A ``_bulk`` body is sent when it grows past this; one large document may make it larger."""

CONFLICT = 409
TOO_MANY_REQUESTS = 429
HEADERS = {"content-type": "application/x-ndjson", "accept": "application/json"}
PATH = "/_bulk?filter_path=errors,items.*.error,items.*.status"


@dataclass(frozen=True)
class Refused:
    """A document that Elasticsearch will not take, e.g. because its template knows no such field."""

    document: Document
    reason: str


class TooManyRequests(Exception):
    """Elasticsearch's write queue is full: the same documents are to be sent again, later."""


def create_new(
    client: Elasticsearch, documents: Iterable[Document], index: Callable[[Document], str]
) -> tuple[set[str], list[Refused]]:
    """Creates the documents whose ``_id`` is not there yet: gives back the ids that are, and what was refused."""
    return _send(client, documents, lambda document: _action("create", index(document), document["_id"]))


def overwrite(client: Elasticsearch, documents: Iterable[Document], index: Callable[[Document], str]) -> list[Refused]:
    """Writes the documents over whatever is there, unless that is of a later version."""
    return _send(
        client,
        documents,
        lambda document: _action("index", index(document), document["_id"], version(document)),
    )[1]


def put(client: Elasticsearch, documents: Iterable[Document], index: Callable[[Document], str]) -> list[Refused]:
    """Writes documents that are the same whenever they are written: dead letters, forecasts."""
    return _send(client, documents, lambda document: _action("index", index(document), document["_id"]))[1]


def refresh(client: Elasticsearch, streams: Iterable[Stream]) -> None:
    """What was written of the streams can be searched when this returns."""
    client.indices.refresh(index=[f"{stream.index_prefix}*" for stream in streams], ignore_unavailable=True)


def sources(
    client: Elasticsearch, documents: Iterable[Document], index: Callable[[Document], str]
) -> dict[str, Document]:
    """What is there of the documents, by ``_id``."""
    wanted = [{"_index": index(document), "_id": document["_id"]} for document in documents]
    found = client.mget(docs=wanted)["docs"] if wanted else []
    return {one["_id"]: one["_source"] for one in found if one.get("found")}


def _send(
    client: Elasticsearch, documents: Iterable[Document], action: Callable[[Document], bytes]
) -> tuple[set[str], list[Refused]]:
    conflicts: set[str] = set()
    refused: list[Refused] = []
    for body, sent in _bodies(documents, action):
        answer: Any = client.perform_request("POST", PATH, headers=HEADERS, body=body).body
        if not answer["errors"]:
            continue
        for document, item in zip(sent, answer["items"], strict=True):
            result = next(iter(item.values()))
            if result["status"] == CONFLICT:
                conflicts.add(document["_id"])
            elif result["status"] == TOO_MANY_REQUESTS or result["status"] >= 500:
                raise TooManyRequests(result["error"]["reason"])
            elif "error" in result:
                refused.append(Refused(document, f"{result['error']['type']}: {result['error']['reason']}"))
    return conflicts, refused


def _action(operation: str, index: str, _id: str, version: int | None = None) -> bytes:
    """An action's line; with a version it is refused where a later one is there. No index's name needs escaping."""
    which = f',"version":{version},"version_type":"external_gte"' if version is not None else ""
    return b'{"%b":{"_index":"%b","_id":%b%b}}' % (
        operation.encode(),
        index.encode(),
        orjson.dumps(_id),
        which.encode(),
    )


def _bodies(
    documents: Iterable[Document], action: Callable[[Document], bytes]
) -> Iterator[tuple[bytes, list[Document]]]:
    lines: list[bytes] = []
    sent: list[Document] = []
    size = 0
    for document in documents:
        source = document.copy()
        del source["_id"]
        pair = action(document), orjson.dumps(source, option=orjson.OPT_UTC_Z)
        size += len(pair[0]) + len(pair[1]) + 2
        lines += pair
        sent.append(document)
        if size > MAX_BODY_BYTES:
            yield b"\n".join([*lines, b""]), sent
            lines, sent, size = [], [], 0
    if sent:
        yield b"\n".join([*lines, b""]), sent


def is_transient(error: BaseException) -> bool:
    """Whether an ApiError tells of a server that is full or not ready, and not of a wrong request."""
    return isinstance(error, ApiError) and (error.meta.status == TOO_MANY_REQUESTS or error.meta.status >= 500)
