"""Whether readings flow, asked in a way that costs the stores little: they are busy with all that was there before.

To count a collection is to go through it in the local MongoDB-wire server, and nothing is written meanwhile; so it is
only asked whether there is a first one.
"""

import time

from elasticsearch import Elasticsearch
from pymongo.database import Database

from local_stack.status import TIMEOUT_S, ServerErrors
from local_stack.table import REPLAY
from readings.connections import Document, connect_elasticsearch, connect_mongodb
from readings.declared import declared
from readings.settings import Settings
from readings.stream import Stream, load_streams

LOOK_S = 1.0


def readings_flow(settings: Settings, deadline_s: float) -> bool:
    """Returns True when each stream is fed and what is replayed is in both stores, with its forecasts.

    What is live comes when it comes: perhaps nothing has happened yet. False where it is not so by the deadline.
    """
    streams = list(load_streams(settings).values())
    database = connect_mongodb(settings, TIMEOUT_S / 2, socketTimeoutMS=int(TIMEOUT_S * 1000), maxPoolSize=1)
    deadline = time.monotonic() + deadline_s
    try:
        with connect_elasticsearch(settings, TIMEOUT_S, max_retries=0) as view:
            while not _all_flow(streams, database, view):
                if time.monotonic() > deadline:
                    return False
                time.sleep(LOOK_S)
    finally:
        database.client.close()
    return True


def _all_flow(streams: list[Stream], database: "Database[Document]", view: Elasticsearch) -> bool:
    try:
        return all(_flows(stream, database, view) for stream in streams)
    except ServerErrors:  # too busy to answer
        return False


def _flows(stream: Stream, database: "Database[Document]", view: Elasticsearch) -> bool:
    source = declared(database, stream)
    if source.since is None or source.source != REPLAY:
        return source.since is not None
    made = [stream.collection, *(["predictions"] if stream.name == "weather" else [])]
    if any(database[name].find_one({}, {"_id": 1}) is None for name in made):
        return False
    return bool(view.count(index=f"{stream.index_prefix}*", ignore_unavailable=True)["count"])
