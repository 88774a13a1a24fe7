"""The consumer as a process, readings to feed it, and what the stores hold: shared by the tests of the whole way."""

import functools
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import psutil
from elasticsearch import ApiError
from elasticsearch.helpers import ScanError, scan
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from tenacity import retry, retry_if_exception, stop_after_delay, wait_fixed

from elk.setup import put_templates
from elk.templates import templates
from local_stack.spare import SpareStack
from readings.config import ROOT
from readings.connections import connect_elasticsearch, connect_mongodb, kafka_options, make_topics
from readings.stream import Stream, load_streams
from spark_consumer.offsets import kept

Documents = dict[str, dict[str, Any]]


@dataclass
class Consumer:
    """``python -m spark_consumer`` on a stack's servers; its log goes to a file."""

    stack: SpareStack
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "spark_consumer"], cwd=ROOT, env=self.stack.environment, stderr=log, stdout=log
            )

    @property
    def running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None
        return self.process

    def kill(self) -> None:
        """kill -9 of the driver and all it started, as when the machine's memory runs out."""
        if self.running.poll() is not None:
            return  # it ended by itself
        processes = [psutil.Process(self.running.pid)]
        processes += processes[0].children(recursive=True)
        for process in processes:
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        self.running.wait()
        psutil.wait_procs(processes, timeout=10)

    def text(self) -> str:
        return self.log.read_text()


def put_index_templates(stack: SpareStack) -> None:
    """What ``python -m elk.setup`` does, within this process."""
    put_templates(connect_elasticsearch(stack.settings), templates(stack.settings.prefix, load_streams(stack.settings)))


@contextmanager
def running_consumer(stack: SpareStack, log: Path) -> Iterator[Consumer]:
    """A consumer with the topics and templates it needs; killed at the end."""
    make_topics(stack.settings, load_streams(stack.settings))
    put_index_templates(stack)
    consumer = Consumer(stack, log)
    consumer.start()
    try:
        yield consumer
    finally:
        consumer.kill()


@dataclass
class Feed:
    """Sends readings, and knows which Kafka acknowledged."""

    stack: SpareStack
    acknowledged: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.began = datetime.now(UTC).replace(second=0, microsecond=0)
        self.producer = KafkaProducer(
            **kafka_options(self.stack.settings),
            acks="all",
            enable_idempotence=True,
            max_request_size=4 * 1024 * 1024,
            delivery_timeout_ms=180_000,
        )

    @functools.cached_property
    def stream(self) -> Stream:
        """Read once: the settings' files cost more than the sending."""
        return load_streams(self.stack.settings)["weather"]

    def send(self, region: str, number: float, temperature_c: float = 5.0) -> None:
        """A good reading of a region: each number is another minute before the feed began."""
        reading = self.stream.model.model_validate(
            {
                "source": "test",
                "region": region,
                "timestamp": self.began - timedelta(minutes=number),
                "temperature_c": temperature_c,
            }
        )
        value = orjson.dumps(reading.model_dump(exclude_none=True), option=orjson.OPT_UTC_Z)
        sent = self.producer.send(self.stream.topic, key=region.encode(), value=value)
        sent.add_callback(lambda _metadata, key=reading.key: self.acknowledged.add(key))

    def send_raw(self, value: bytes | None, key: bytes | None = None) -> None:
        self.producer.send(self.stream.topic, key=key, value=value)

    def flush(self) -> None:
        self.producer.flush(timeout=180)


def delete_messages(stack: SpareStack, topic: str) -> None:
    """Kafka removes what it has of a topic, as when its days are over."""
    admin = KafkaAdminClient(**kafka_options(stack.settings))
    ends = kept(stack.settings, [topic]).end[topic]
    admin.delete_records({TopicPartition(topic, partition): end for partition, end in ends.items()})
    admin.close()


def in_mongodb(stack: SpareStack) -> Documents:
    """Every weather document by ``_id``."""
    return {document.pop("_id"): document for document in connect_mongodb(stack.settings)["weather"].find({})}


def _is_being_made(error: BaseException) -> bool:
    """Whether an index was asked whose shards are not there yet: alone, or beside others whose are."""
    return isinstance(error, ScanError) or (isinstance(error, ApiError) and error.meta.status == 503)


@retry(retry=retry_if_exception(_is_being_made), stop=stop_after_delay(60), wait=wait_fixed(0.5), reraise=True)
def in_elasticsearch(stack: SpareStack, index: str = "readings-weather-*") -> Documents:
    """Every document of an index by ``_id``; fails where an id stands in two indices."""
    client = connect_elasticsearch(stack.settings)
    pattern = f"{stack.settings.prefix}{index}"
    client.indices.refresh(index=pattern, ignore_unavailable=True)
    found: Documents = {}
    for hit in scan(client, index=pattern, ignore_unavailable=True, size=1000):
        assert hit["_id"] not in found, f"{hit['_id']} is there twice"
        found[hit["_id"]] = hit["_source"]
    return found


def as_json(documents: Documents) -> Documents:
    """MongoDB's documents with the times spelt as Elasticsearch's source has them."""
    loaded: Documents = orjson.loads(orjson.dumps(documents, option=orjson.OPT_UTC_Z))
    return loaded


def wait_until(condition: Callable[[], bool], what: str, deadline_s: float = 240) -> None:
    """Returns when the condition holds; fails with what was waited for at the deadline.

    Twice as long as a look at it took it is left alone, so that looking at the stores keeps nobody from writing them.
    """
    deadline = time.monotonic() + deadline_s
    while True:
        began = time.monotonic()
        if condition():
            return
        now = time.monotonic()
        if now > deadline:
            raise AssertionError(f"not within {deadline_s:.0f} s: {what}")
        time.sleep(max(0.25, 2 * (now - began)))
