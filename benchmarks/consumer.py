"""How many readings a second the consumer takes from Kafka into both stores, beside a bare loop on the same servers.

``python -m benchmarks.consumer --json`` starts servers of its own, on free ports. The consumer drains readings that
wait in Kafka, in a warm session; the bare loop writes the same documents, encoded beforehand, with as many threads as
there are cores for each store. Both alternate; medians are printed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bson
import orjson
from bson.raw_bson import RawBSONDocument
from kafka import KafkaProducer
from pymongo.database import Database
from pyspark.sql import SparkSession

from benchmarks.progress import say
from local_stack.spare import spare_stack
from readings.connections import connect_elasticsearch, connect_mongodb, kafka_options, make_topics
from readings.settings import Settings
from readings.stream import Stream, load_streams
from spark_consumer.application import make_indexes
from spark_consumer.documents import Document, make_document
from spark_consumer.ingest import start_ingest
from spark_consumer.session import make_session
from spark_consumer.sinks.elasticsearch import HEADERS, PATH

CHUNK = 2000
THREADS = os.cpu_count() or 2


def main() -> None:
    """Measures and prints; the last line is one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.consumer", description=__doc__)
    parser.add_argument("--readings", type=int, default=100_000, help="a round (default 100,000)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--json", action="store_true", help="print only the JSON line on standard output")
    options = parser.parse_args()

    with spare_stack() as servers:
        settings = servers.settings
        streams = load_streams(settings)
        database = connect_mongodb(settings)
        subprocess.run([sys.executable, "-m", "elk.setup"], check=True, env=servers.environment, stdout=sys.stderr)
        make_topics(settings, streams)
        make_indexes(database, streams)
        os.environ.update(servers.environment)  # for Spark's workers
        result = _measure(settings, streams["weather"], database, options.readings, options.rounds, options.series)
    print(json.dumps(result))


def _measure(
    settings: Settings, stream: Stream, database: "Database[Document]", readings: int, rounds: int, series: int
) -> dict[str, Any]:
    session = make_session(settings, "benchmark")
    drained, bare = [], []
    with tempfile.TemporaryDirectory() as checkpoint:
        for number in range(-1, rounds):  # round -1 warms the session up
            values = list(_readings(readings, series, number))
            _load(settings, stream, values)
            seconds = _drain(session, settings, stream, Path(checkpoint))
            bare_seconds = _bare_loop(settings, stream, database, values, number)
            say(f"round {number}: consumer {readings / seconds:,.0f}/s, bare loop {readings / bare_seconds:,.0f}/s")
            if number >= 0:
                drained.append(readings / seconds)
                bare.append(readings / bare_seconds)
    found = database[stream.collection].count_documents({})
    if found != readings * (rounds + 1):
        raise SystemExit(f"{found} readings are in MongoDB, expected {readings * (rounds + 1)}")
    session.stop()
    return {
        "readings_per_s": round(statistics.median(drained)),
        "bare_loop_per_s": round(statistics.median(bare)),
        "ratio": round(statistics.median(a / b for a, b in zip(drained, bare, strict=True)), 3),
        "readings": readings,
        "rounds": rounds,
        "series": series,
    }


def _readings(number: int, series: int, round_number: int) -> Iterator[bytes]:
    """Made-up readings, each of another series and time, about as large as real ones."""
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=20 * (round_number + 1))
    for i in range(number):
        yield orjson.dumps(
            {
                "source": "benchmark",
                "mode": "backfill",
                "region": f"place-{i % series}",
                "timestamp": start + timedelta(seconds=60 * (i // series)),
                "temperature_c": round(i % 400 / 10 - 10, 1),
                "humidity_pct": i % 100,
                "wind_speed_ms": i % 30,
            },
            option=orjson.OPT_UTC_Z,
        )


def _load(settings: Settings, stream: Stream, values: list[bytes]) -> None:
    producer = KafkaProducer(**kafka_options(settings), acks="all", compression_type="zstd", linger_ms=50)
    for i, value in enumerate(values):
        producer.send(stream.topic, value=value, partition=i % stream.config.partitions)
    producer.flush()
    producer.close()


def _drain(session: SparkSession, settings: Settings, stream: Stream, checkpoint: Path) -> float:
    """Seconds from the query's start until its last batch is committed."""
    start = time.perf_counter()
    query = start_ingest(session, settings, {"weather": stream}, checkpoint, lambda _tallies: None)
    query.processAllAvailable()
    seconds = time.perf_counter() - start
    query.stop()
    return seconds


def _bare_loop(
    settings: Settings, stream: Stream, database: "Database[Document]", values: list[bytes], number: int
) -> float:
    """Writes the documents that the consumer writes, encoded beforehand, to a collection and index beside."""
    now = datetime.now(UTC)
    index = stream.index(now).replace("weather", "weather-bare")
    inserts: list[list[RawBSONDocument]] = []
    bodies: list[bytes] = []
    documents = [
        make_document(stream, stream.model.model_validate_json(value), now, 0, i) for i, value in enumerate(values)
    ]
    for i in range(0, len(documents), CHUNK):
        chunk = documents[i : i + CHUNK]
        inserts.append([RawBSONDocument(bson.encode(document)) for document in chunk])
        lines = []
        for document in chunk:
            _id = document.pop("_id")
            lines.append(orjson.dumps({"create": {"_index": index, "_id": f"{number}|{_id}"}}))
            lines.append(orjson.dumps(document, option=orjson.OPT_UTC_Z))
        bodies.append(b"\n".join([*lines, b""]))
    bare = replace(stream, name=f"bare{number}")
    make_indexes(database, {bare.name: bare})
    collection = database[bare.collection]
    view = connect_elasticsearch(settings, http_compress=False)

    def put(body: bytes) -> None:
        answer: Any = view.perform_request("POST", PATH, headers=HEADERS, body=body).body
        if answer["errors"]:
            raise SystemExit(f"Elasticsearch refused the bare loop's documents: {answer['items'][0]}")

    start = time.perf_counter()
    with ThreadPoolExecutor(2 * THREADS) as threads:
        writes: list[Future[Any]] = [threads.submit(collection.insert_many, one, ordered=False) for one in inserts]
        writes += [threads.submit(put, body) for body in bodies]
        for write in writes:
            write.result()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
