"""``python -m elk.rebuild``: fills Elasticsearch again from MongoDB, while readings flow.

Readings keep their version, so that one which the consumer writes meanwhile is not put back. Totals have none: those
that MongoDB has otherwise by the time they are written are written again. Of the forecasts MongoDB has the newest of
each hour, and not what came of them, so that those alone are written that are not there. Dead letters and arrivals are
in Elasticsearch alone and are left as they are.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from elasticsearch import ApiError, Elasticsearch, TransportError
from elasticsearch.helpers import streaming_bulk
from pymongo.database import Database
from pymongo.errors import PyMongoError
from rich.console import Console
from rich.progress import Progress

from readings.connections import connect_elasticsearch, connect_mongodb
from readings.errors import ConfigError
from readings.settings import load_settings
from readings.stored import as_source, find_by_id, version
from readings.stream import Stream, load_streams

Document = dict[str, Any]
FORECASTS: Mapping[str, Mapping[str, str]] = {"weather": {"predictions": "forecasts-weather"}}
TOTALS: Mapping[str, Mapping[str, str]] = {
    "production": {"production_sums": "totals-production"},
    "meter": {"meter_totals": "totals-meter"},
    "facility": {"market_sums": "totals-market"},
    "market": {"market_sums": "totals-market"},
    "weather": {"forecast_errors": "totals-forecast"},
}
"""By stream: what is worked out of it, collection and index. What is of two streams is written once."""
CHUNK = 2000
CONFLICT = 409
RETRIES = 8
"""Of a document that a full Elasticsearch does not take, waiting twice as long each time."""


def main() -> int:
    """Gives 0 when all is there, 1 where a server did not answer or refused documents, 2 on a wrong setting."""
    parser = argparse.ArgumentParser(
        prog="python -m elk.rebuild",
        description="Fills Elasticsearch again from MongoDB, while readings flow: readings, totals, newest forecasts.",
    )
    parser.add_argument("--stream", metavar="S", help="this stream alone, with what is worked out of it")
    arguments = parser.parse_args()
    try:
        settings = load_settings()
        streams = load_streams(settings)
        if arguments.stream not in (None, *streams):
            raise ConfigError(f"--stream: read {arguments.stream!r}, expected one of {', '.join(streams)}")
        database, client = connect_mongodb(settings), connect_elasticsearch(settings)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    wanted = [stream for stream in streams.values() if arguments.stream in (None, stream.name)]
    try:
        refused = rebuild(database, client, settings.prefix, wanted)
    except (PyMongoError, ApiError, TransportError) as error:
        print(f"ended by: {error}; the same command goes over all of it again", file=sys.stderr)
        return 1
    for reason, number in refused.items():
        print(f"{number:,} documents were refused: {reason}", file=sys.stderr)
    return 1 if refused else 0


def rebuild(
    database: "Database[Document]", client: Elasticsearch, prefix: str, streams: list[Stream]
) -> dict[str, int]:
    """Writes what MongoDB has of the streams; gives how many documents were refused, by the reason."""
    refused: dict[str, int] = {}
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        for collection, written in _all(database, client, prefix, streams):
            task = progress.add_task(collection, total=database[collection].estimated_document_count())
            number = 0
            for done, reason in written:
                number += done
                progress.advance(task)
                if reason is not None:
                    refused[reason] = refused.get(reason, 0) + 1
            print(f"{collection}: {number:,} documents")
    return refused


Written = Iterator[tuple[bool, str | None]]
"""Of each document whether it was written, and why it was refused, if it was."""


def _all(
    database: "Database[Document]", client: Elasticsearch, prefix: str, streams: list[Stream]
) -> Iterator[tuple[str, Written]]:
    totals: dict[str, str] = {}
    for stream in streams:
        yield stream.collection, _bulk(client, _readings(database, stream))
        for collection, index in FORECASTS.get(stream.name, {}).items():
            yield collection, _bulk(client, _forecasts(database, collection, f"{prefix}{index}"))
        totals |= TOTALS.get(stream.name, {})
    for collection, index in totals.items():
        yield collection, _totals(database, client, collection, f"{prefix}{index}")


def _readings(database: "Database[Document]", stream: Stream) -> Iterator[Document]:
    for document in database[stream.collection].find({}):
        at: datetime = document[stream.model.time_field]
        action = _action(document, stream.index(at))
        yield action | {"version": version(document), "version_type": "external_gte"}


def _forecasts(database: "Database[Document]", collection: str, index: str) -> Iterator[Document]:
    for document in database[collection].find({}):  # every issue of a forecast has a document of its own
        issue = {**document, "_id": f"{document['_id']}|{document['issued_at'].isoformat()}"}
        yield _action(issue, _of_month(index, document), "create")


def _totals(database: "Database[Document]", client: Elasticsearch, collection: str, index: str) -> Written:
    """Each chunk is written until MongoDB has it as it was written: the consumer writes there first."""
    found = iter(database[collection].find({}))
    while chunk := list(islice(found, CHUNK)):
        while chunk:
            yield from _bulk(client, [_action(one, _of_month(index, one)) for one in chunk])
            now = {one["_id"]: one for one in find_by_id(database[collection], [one["_id"] for one in chunk])}
            chunk = [now[one["_id"]] for one in chunk if now.get(one["_id"], one) != one]


def _of_month(index: str, document: Document) -> str:
    return f"{index}-{document['timestamp']:%Y.%m}"


def _bulk(client: Elasticsearch, actions: Iterable[Document]) -> Written:
    for done, item in streaming_bulk(
        client, actions, chunk_size=CHUNK, raise_on_error=False, max_retries=RETRIES, initial_backoff=1
    ):
        (result,) = item.values()
        # a conflict is no refusal: what stands there is later, or knows more
        yield done, None if done or result["status"] == CONFLICT else result["error"]["reason"]


def _action(document: Document, index: str, operation: str = "index") -> Document:
    return {"_op_type": operation, "_index": index, "_id": document["_id"], "_source": as_source(document)}


if __name__ == "__main__":
    sys.exit(main())
