"""``python -m elk.rebuild``: fills Elasticsearch again from MongoDB, while readings flow.

Readings keep their version, so that one which the consumer writes meanwhile is not put back. Of the forecasts MongoDB
has the newest of each hour; dead letters and arrivals are in Elasticsearch alone and are left as they are.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import orjson
from elasticsearch import ApiError, Elasticsearch, TransportError
from elasticsearch.helpers import streaming_bulk
from pymongo.database import Database
from pymongo.errors import PyMongoError
from rich.console import Console
from rich.progress import Progress

from readings.connections import connect_elasticsearch, connect_mongodb
from readings.errors import ConfigError
from readings.settings import load_settings
from readings.stored import version
from readings.stream import Stream, load_streams

Document = dict[str, Any]
TOTALS: Mapping[str, Mapping[str, str]] = {
    "weather": {"predictions": "forecasts-weather"},
    "production": {"production_sums": "totals-production"},
    "meter": {"meter_totals": "totals-meter"},
    "market": {"market_sums": "totals-market"},
}
"""By stream: what is worked out of it, collection and index."""
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
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    wanted = [stream for stream in streams.values() if arguments.stream in (None, stream.name)]
    try:
        refused = rebuild(connect_mongodb(settings), connect_elasticsearch(settings), settings.prefix, wanted)
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
        for collection, actions in _all_actions(database, prefix, streams):
            task = progress.add_task(collection, total=database[collection].estimated_document_count())
            written = 0
            for done, item in streaming_bulk(
                client, actions, chunk_size=2000, raise_on_error=False, max_retries=RETRIES, initial_backoff=1
            ):
                result = item["index"]
                written += done
                progress.advance(task)
                if not done and result["status"] != CONFLICT:  # what stands there is later
                    reason = result["error"]["reason"]
                    refused[reason] = refused.get(reason, 0) + 1
            print(f"{collection}: {written:,} documents")
    return refused


def _all_actions(
    database: "Database[Document]", prefix: str, streams: list[Stream]
) -> Iterator[tuple[str, Iterator[Document]]]:
    for stream in streams:
        yield stream.collection, _readings(database, stream)
        for collection, index in TOTALS.get(stream.name, {}).items():
            yield collection, _totals(database, collection, f"{prefix}{index}")


def _readings(database: "Database[Document]", stream: Stream) -> Iterator[Document]:
    for document in database[stream.collection].find({}):
        at: datetime = document[stream.model.time_field]
        action = _action(document, stream.index(at))
        yield action | {"version": version(document), "version_type": "external_gte"}


def _totals(database: "Database[Document]", collection: str, index: str) -> Iterator[Document]:
    for document in database[collection].find({}):
        if "issued_at" in document:  # every issue of a forecast has a document of its own
            document["_id"] = f"{document['_id']}|{document['issued_at'].isoformat()}"
        at: datetime = document["timestamp"]
        yield _action(document, f"{index}-{at:%Y.%m}")


def _action(document: Document, index: str) -> Document:
    _id = document.pop("_id")
    source = orjson.loads(orjson.dumps(document, option=orjson.OPT_UTC_Z))  # times spelt as the consumer spells them
    return {"_op_type": "index", "_index": index, "_id": _id, "_source": source}


if __name__ == "__main__":
    sys.exit(main())
