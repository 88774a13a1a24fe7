"""How the pipeline itself is, sample by sample: the parts' heartbeats, and how far Kafka's topics are read.

The consumer tells in its heartbeat up to where it has read; the ends of the topics are asked of Kafka.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from pymongo.database import Database
from pymongo.errors import PyMongoError

from readings import parts
from readings.connections import Document, kafka_options
from readings.parts import Partition
from readings.settings import Settings

EVERY_S = 5.0
TIMEOUT_MS = 4000

log = logging.getLogger(__name__)
logging.getLogger("kafka").setLevel(logging.CRITICAL)  # it says each try; we say when it is away, and back


@dataclass(frozen=True)
class Sample:
    """The pipeline at one moment."""

    at: datetime
    parts: Mapping[str, Document]
    """The heartbeats by part."""
    ends: Mapping[Partition, int] | None
    """The offset that comes next in each partition; None where Kafka did not answer."""
    read: Mapping[str, Mapping[Partition, int]]
    """The offset that each of the consumer's queries reads next."""


@dataclass(frozen=True)
class Pipeline:
    """The samples of the last while, oldest first."""

    samples: Sequence[Sample] = ()
    topics: Sequence[str] = ()
    """Those whose ends are asked for, also while Kafka does not answer."""

    def window(self, length: timedelta, now: datetime) -> Sequence[Sample]:
        """The samples of the window that ends now; none where they do not go back that far yet."""
        within = [sample for sample in self.samples if sample.at >= now - length]
        return within if within and len(within) < len(self.samples) else ()


class Watch:
    """Takes a sample every few seconds, in a thread of its own. A server that is down is what it is here to see.

    `waits` is told what nobody foresaw, or None.
    """

    def __init__(
        self,
        settings: Settings,
        database: "Database[Document]",
        topics: Sequence[str],
        kept: timedelta,
        waits: Callable[[str | None], object],
    ) -> None:
        self._waits = waits
        self._settings = settings
        self._database = database
        self._topics = topics
        self._samples: deque[Sample] = deque(maxlen=int(kept.total_seconds() / EVERY_S) + 3)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._consumer: Any = None
        self._kafka_answers = True
        self._thread = threading.Thread(target=self._run, name="pipeline", daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join(timeout=2 * TIMEOUT_MS / 1000)

    @property
    def pipeline(self) -> Pipeline:
        """What was seen."""
        with self._lock:
            return Pipeline(tuple(self._samples), self._topics)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._sample()
            except PyMongoError as error:  # then the engine stands as well, and says so
                log.debug("no heartbeats: %s", type(error).__name__)
            except Exception as error:  # noqa: BLE001 - a thread that ends sees nothing more
                log.warning("a look at the pipeline failed: %s", type(error).__name__)
                self._waits(f"a look at the pipeline ({type(error).__name__})")
                self._close()
            else:
                self._waits(None)
            self._stop.wait(EVERY_S)
        self._close()

    def _sample(self) -> None:
        ends = self._ends()
        told = {part["_id"]: part for part in self._database[parts.COLLECTION].find({})}
        sample = Sample(datetime.now(UTC), told, ends, parts.read_by(told.get(parts.CONSUMER, {})))
        with self._lock:
            self._samples.append(sample)

    def _ends(self) -> Mapping[Partition, int] | None:
        """The topics' ends, None where Kafka does not answer; a topic that is not there has none."""
        try:
            if self._consumer is None:
                self._consumer = KafkaConsumer(
                    **kafka_options(self._settings),
                    group_id=None,
                    request_timeout_ms=TIMEOUT_MS,
                    bootstrap_timeout_ms=TIMEOUT_MS,
                )
            wanted = [
                TopicPartition(topic, number)
                for topic in self._topics
                for number in sorted(self._consumer.partitions_for_topic(topic) or ())
            ]
            ends = self._consumer.end_offsets(wanted, TIMEOUT_MS)
        except (KafkaError, OSError) as error:
            if self._kafka_answers:
                log.warning("kafka does not answer: %s", type(error).__name__)
            self._kafka_answers = False
            self._close()
            return None
        if not self._kafka_answers:
            log.info("kafka answers again")
        self._kafka_answers = True
        return {(one.topic, one.partition): end for one, end in ends.items()}

    def _close(self) -> None:
        if self._consumer is not None:
            with suppress(Exception):  # it is given up anyway
                self._consumer.close()
            self._consumer = None
