"""What would be run instead of the consumer, each on topics, a database and indices of its own, on the same servers."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import bson
import orjson
from bson.raw_bson import RawBSONDocument
from pyspark.sql import DataFrame, SparkSession

from benchmarks.consumer_load import chunks
from local_stack.spare import SpareStack
from readings.config import ROOT
from readings.connections import connect_elasticsearch, connect_mongodb
from readings.stream import Stream
from spark_consumer.documents import Document, make_document
from spark_consumer.kafka_source import spark_kafka_options
from spark_consumer.sinks.elasticsearch import HEADERS, PATH

CHUNK = 2000
THREADS = os.cpu_count() or 2
LOCK = Path(__file__).with_name("quixstreams.lock")


class BareLoop:
    """The documents that the consumer writes, encoded beforehand; as many threads a store as there are cores."""

    def __init__(self, servers: SpareStack, stream: Stream, values: list[bytes]) -> None:
        self._collection = connect_mongodb(servers.settings)[stream.collection]
        self._view = connect_elasticsearch(servers.settings, http_compress=False)
        self._inserts: list[list[RawBSONDocument]] = []
        self._bodies: list[bytes] = []
        now = datetime.now(UTC)
        for part in chunks(values, CHUNK):
            readings = (stream.model.model_validate_json(value) for value in part)
            documents = [make_document(stream, reading, now, 0, i) for i, reading in enumerate(readings)]
            self._inserts.append([RawBSONDocument(bson.encode(document)) for document in documents])
            self._bodies.append(_create_body(stream, documents))

    def seconds(self) -> float:
        """Writes it all, once."""
        start = time.perf_counter()
        with ThreadPoolExecutor(2 * THREADS) as threads:
            writes: list[Future[Any]] = []
            for documents, body in zip(self._inserts, self._bodies, strict=True):
                writes.append(threads.submit(self._collection.insert_many, documents, ordered=False))
                writes.append(threads.submit(self._create, body))
            for write in writes:
                write.result()
        return time.perf_counter() - start

    def _create(self, body: bytes) -> None:
        answer: Any = self._view.perform_request("POST", PATH, headers=HEADERS, body=body).body
        if answer["errors"]:
            raise SystemExit(f"Elasticsearch refused the bare loop's documents: {answer['items'][0]}")


def quixstreams_seconds(servers: SpareStack, kind: Literal["own", "bulk"], processes: int) -> float:
    """From the first message to the last flush, of so many processes of the application, together."""
    command = [str(_quixstreams_python(servers)), "-m", "benchmarks.quixstreams_app", kind]
    with tempfile.TemporaryDirectory() as folder:
        running = [
            subprocess.Popen(command, cwd=ROOT, env=_apart(servers, folder), stdout=subprocess.PIPE, text=True)
            for _ in range(processes)
        ]
        answers = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise SystemExit("quixstreams' application failed")
    times = [json.loads(answer.splitlines()[-1]) for answer in answers]
    times = [one for one in times if one["began"]]  # one that was given no partition did nothing
    return float(max(one["ended"] for one in times) - min(one["began"] for one in times))


def row_by_row_seconds(session: SparkSession, servers: SpareStack, stream: Stream) -> float:
    """A query that collects each batch to the driver, writes it row by row, and looks before each prediction."""
    database = connect_mongodb(servers.settings)
    view = connect_elasticsearch(servers.settings)
    began: list[float] = []

    def write(batch: DataFrame, _batch_id: int) -> None:
        began.append(time.perf_counter())
        for row in batch.collect():
            reading = stream.model.model_validate_json(row["value"])
            document = make_document(stream, reading, row["timestamp"].astimezone(UTC), row["partition"], row["offset"])
            _write_row(database[stream.collection], view, stream, document)
            if database["predictions"].find_one({"_id": document["_id"]}) is None:
                prediction = {key: document[key] for key in ("_id", "region", "timestamp", "temperature_c")}
                database["predictions"].insert_one(prediction)

    with tempfile.TemporaryDirectory() as checkpoint:
        query = (
            session.readStream.format("kafka")
            .options(**spark_kafka_options(servers.settings), subscribe=stream.topic, startingOffsets="earliest")
            .load()
            .writeStream.foreachBatch(write)
            .option("checkpointLocation", checkpoint)
            .start()
        )
        query.processAllAvailable()
        ended = time.perf_counter()
        query.stop()
    return ended - began[0]


def _write_row(collection: Any, view: Any, stream: Stream, document: Document) -> None:
    collection.replace_one({"_id": document["_id"]}, document, upsert=True)
    source = {field: value for field, value in document.items() if field != "_id"}
    view.index(index=stream.index(document["timestamp"]), id=document["_id"], document=source)


def _create_body(stream: Stream, documents: list[Document]) -> bytes:
    lines = []
    for document in documents:
        index = stream.index(document["timestamp"])
        lines.append(orjson.dumps({"create": {"_index": index, "_id": document["_id"]}}))
        source = {field: value for field, value in document.items() if field != "_id"}
        lines.append(orjson.dumps(source, option=orjson.OPT_UTC_Z))
    return b"\n".join([*lines, b""])


def _apart(servers: SpareStack, folder: str) -> dict[str, str]:
    return {**servers.environment, "PYTHONPATH": str(ROOT), "Quix__State__Dir": folder}


def _quixstreams_python(servers: SpareStack) -> Path:
    """The Python of an environment that has what the lock says: made in the cache folder where it is not there."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    folder = servers.settings.skywatt_home / f"quixstreams-{digest}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "-q", "-p", sys.executable, str(folder)], check=True)
        install = ["pip", "install", "-q", "--python", str(python), "--require-hashes", "-r", str(LOCK)]
        subprocess.run([uv, *install], check=True)
        (folder / "complete").touch()
    return python
