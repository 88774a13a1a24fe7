"""What a user of quixstreams would write instead of the consumer: run by `benchmarks.consumer`, in its own environment.

``python -m benchmarks.quixstreams_app own|bulk`` reads the weather topic until nothing more comes and prints, as
JSON, when it began and ended (Unix seconds). `own` uses the sinks that quixstreams comes with, given the reading's
``_id`` and UTC times; `bulk` checks each message as Skywatt does, and writes with Skywatt's bulk calls.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from quixstreams import Application
from quixstreams.kafka.configuration import ConnectionConfig
from quixstreams.sinks.base import BatchingSink, SinkBatch
from quixstreams.sinks.base.item import SinkItem
from quixstreams.sinks.community.elasticsearch import ElasticsearchSink
from quixstreams.sinks.community.mongodb import MongoDBSink

from benchmarks.consumer_load import FIRST
from readings.connections import connect_elasticsearch, connect_mongodb, kafka_options
from readings.settings import Settings, load_settings
from readings.stream import Stream, load_streams
from spark_consumer.documents import make_document
from spark_consumer.messages import Problem, read_message
from spark_consumer.sinks import elasticsearch, mongodb

COMMIT_EVERY = 2000
"""Messages a flush, as many as Skywatt writes together. (By default quixstreams flushes every 5 s.)"""
NOTHING_MORE_S = 5.0

Values = dict[str, Any]


class Timed:
    """When the first message came and when the last flush ended."""

    def __init__(self) -> None:
        self.began: float | None = None
        self.ended = 0.0

    def begin(self) -> None:
        """Tells of a message."""
        if self.began is None:
            self.began = time.time()

    def end(self) -> None:
        """Tells of a flush."""
        self.ended = time.time()


class OwnElasticsearch(ElasticsearchSink):  # type: ignore[misc] # quixstreams is in another environment
    """quixstreams' sink; its setup asks ``GET /``, which Elasticsearch's integ-test distribution does not answer."""

    def setup(self) -> None:
        """Connects; the index is made by its template."""
        self._client = connect_elasticsearch(load_settings(), http_compress=False)


class Ours(BatchingSink):  # type: ignore[misc] # likewise
    """Skywatt's checks, documents and bulk calls, both stores at once."""

    def __init__(self, settings: Settings, stream: Stream) -> None:
        super().__init__()
        self._stream = stream
        self._collection = connect_mongodb(settings)[stream.collection]
        self._view = connect_elasticsearch(settings, http_compress=False)
        self._stores = ThreadPoolExecutor(2)

    def write(self, batch: SinkBatch) -> None:
        """Writes what was gathered of one partition."""
        documents = [one for item in batch for one in self._documents(batch.partition, item)]
        inserting = self._stores.submit(mongodb.insert_new, self._collection, documents)
        creating = self._stores.submit(
            elasticsearch.create_new, self._view, documents, lambda one: self._stream.index(one["timestamp"])
        )
        if inserting.result() or creating.result() != (set(), []):
            raise SystemExit("a reading was there already, or was refused")

    def _documents(self, partition: int, item: SinkItem) -> list[Values]:
        arrived_at = datetime.fromtimestamp(item.timestamp / 1000, UTC)
        found = []
        for reading in read_message(self._stream, item.value, arrived_at):
            if isinstance(reading, Problem):
                raise SystemExit(reading.reason)
            found.append(make_document(self._stream, reading, arrived_at, partition, item.offset))
        return found


def main() -> None:
    """Reads the weather topic of the settings' namespace."""
    kind = sys.argv[1]
    settings = load_settings()
    stream = load_streams(settings)["weather"]
    timed = Timed()
    options = kafka_options(settings)
    app = Application(
        broker_address=ConnectionConfig(
            bootstrap_servers=",".join(options["bootstrap_servers"]),
            security_protocol=options["security_protocol"].lower(),
            sasl_mechanism=options["sasl_mechanism"],
            sasl_username=options["sasl_plain_username"],
            sasl_password=options["sasl_plain_password"],
        ),
        consumer_group=f"quixstreams-{kind}",
        auto_offset_reset="earliest",
        auto_create_topics=False,
        commit_every=COMMIT_EVERY,
        loglevel="WARNING",
        on_message_processed=lambda *_: timed.begin(),
    )
    if kind == "own":
        rows = app.dataframe(app.topic(stream.topic, value_deserializer="json"))
        sinks: list[BatchingSink] = _own_sinks(settings, stream)
    else:
        rows = app.dataframe(app.topic(stream.topic, value_deserializer="bytes"))
        sinks = [Ours(settings, stream)]
    for sink in sinks:
        _tell(sink, timed)
        rows.sink(sink)
    app.run(timeout=NOTHING_MORE_S)
    print(json.dumps({"began": timed.began, "ended": timed.ended}))


def _own_sinks(settings: Settings, stream: Stream) -> list[BatchingSink]:
    mongodb_sink = MongoDBSink(
        host=f"127.0.0.1:{settings.skywatt_mongodb_port}/?authSource=admin",
        port=settings.skywatt_mongodb_port,
        db=settings.database,
        collection=stream.collection,
        username="skywatt",
        password=settings.local_mongodb_password.get_secret_value(),
        document_matcher=lambda item: {"_id": _id(item)},
        value_selector=_as_stored,
        update_method="ReplaceOne",
        w="majority",
        journal=True,
    )
    view = OwnElasticsearch(
        settings.elasticsearch_address,
        stream.index(FIRST),
        document_id_setter=_id,
        batch_size=COMMIT_EVERY,
    )
    return [mongodb_sink, view]


def _id(item: SinkItem) -> str:
    return f"{item.value['region']}|{item.value['timestamp']}"


def _as_stored(reading: Any) -> Any:
    return {**reading, "timestamp": datetime.fromisoformat(reading["timestamp"])}


def _tell(sink: BatchingSink, timed: Timed) -> None:
    flush = sink.flush

    def timed_flush() -> None:
        flush()
        timed.end()

    sink.flush = timed_flush


if __name__ == "__main__":
    main()
