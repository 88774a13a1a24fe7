"""What happens to one partition of a batch, in a Spark Python worker: check the messages, write both stores.

The order of writes, of each stream beside the others, which makes at-least-once delivery an exactly-once result:

1. dead letters go to their topic, acknowledged;
2. new readings are inserted into MongoDB and created in Elasticsearch, side by side; neither replaces anything;
3. where either had the reading already, MongoDB decides what is to be kept (`documents.merge`), and Elasticsearch
   gets that, unless it has a later version; Cassandra, where it is set, gets production as MongoDB has it;
4. the sums that they belong to are noted as due;
5. only when all of it is acknowledged does the partition end, and only when all partitions have ended does Spark
   commit the batch's offsets.

A kill at any point makes Spark repeat the batch, and the repetition finds its own readings and ends in the same state.
"""

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import orjson
import pyarrow as pa
from pydantic import ValidationError

from readings import dead_letters, parts
from readings.connections import connect_elasticsearch, connect_mongodb
from readings.dead_letters import DeadLetter, encode_message
from readings.logs import set_up_logs
from readings.settings import Settings, load_settings
from readings.stream import Stream, load_streams
from spark_consumer.documents import Document, by_id, make_document, merge_all
from spark_consumer.messages import Problem, read_message
from spark_consumer.repeated_hour import settle
from spark_consumer.sinks import dead_letters as dead_letter_sink
from spark_consumer.sinks import elasticsearch, mongodb
from spark_consumer.sinks.elasticsearch import Refused
from spark_consumer.streams import facility
from spark_consumer.sums import due
from spark_consumer.waiting import until_answered

if TYPE_CHECKING:
    from spark_consumer.sinks.cassandra import Cassandra

CASSANDRA_STREAM = "production"
"""What goes to Cassandra, too."""

CHUNK_MESSAGES = 2000
"""Messages checked and written together: large enough for the stores' bulk calls, small enough for memory."""

REFUSED = "Elasticsearch refused it (MongoDB has it)"
"""How the reason of a dead letter begins that is a stored reading: `python -m elk.rebuild` is for it."""

COLUMNS = ("topic", "partition", "offset", "arrived_ms", "value")
"""Of `kafka_source.with_arrival`."""

TALLY_SCHEMA = pa.schema(
    [
        ("stream", pa.string()),
        ("written", pa.int64()),
        ("late", pa.int64()),
        ("dead_letters", pa.int64()),
        ("newest", pa.map_(pa.string(), pa.timestamp("us", "UTC"))),
    ]
)


class Message(NamedTuple):
    """One Kafka record."""

    topic: str
    partition: int
    offset: int
    arrived_at: datetime
    value: bytes | None


@dataclass
class Tally:
    """What was done of one stream."""

    written: int = 0
    late: int = 0
    dead_letters: int = 0
    newest: dict[str, datetime] = field(default_factory=dict)
    """The newest event time by series."""


@dataclass
class Chunk:
    """Checked messages, ready to be written: documents by stream, letters to send, letters to index."""

    messages: int
    documents: dict[str, list[Document]] = field(default_factory=lambda: defaultdict(list))
    letters: list[DeadLetter] = field(default_factory=list)
    arrived_letters: list[Document] = field(default_factory=list)


class Writer:
    """Writes messages to both stores. One a worker process: its clients are kept from batch to batch."""

    def __init__(self, settings: Settings, streams: dict[str, Stream]) -> None:
        self._streams = streams
        self._facts = facility.enrichment(streams["facility"].config.places() if "facility" in streams else ())
        self._by_topic = {stream.topic: stream for stream in streams.values()}
        self._prefix = settings.prefix
        self._dead_letter_topic = settings.prefix + dead_letters.TOPIC
        self._database = connect_mongodb(settings)
        self._elasticsearch = connect_elasticsearch(settings, http_compress=False)
        self._producer = functools.cache(lambda: dead_letter_sink.make_producer(settings))
        self._cassandra = functools.cache(lambda: connect_cassandra(settings)) if settings.cassandra_is_on else None
        self._of_streams = ThreadPoolExecutor(len(streams), thread_name_prefix="stream")
        self._stores = ThreadPoolExecutor(2 * len(streams), thread_name_prefix="store")
        self._chunks = ThreadPoolExecutor(1, thread_name_prefix="chunk")

    def write(self, messages: Iterable[Message]) -> dict[str, Tally]:
        """Writes the messages in their order, the next chunk being checked meanwhile. Tells what was done by stream."""
        tallies: dict[str, Tally] = defaultdict(Tally)
        writing: Future[None] | None = None
        messages = iter(messages)
        while batch := list(islice(messages, CHUNK_MESSAGES)):
            chunk = self._check(batch, tallies)
            if writing:
                writing.result()
            writing = self._chunks.submit(self._write, chunk)
        if writing:
            writing.result()
        return tallies

    def _check(self, messages: list[Message], tallies: dict[str, Tally]) -> Chunk:
        chunk = Chunk(len(messages))
        for message in messages:
            if message.topic == self._dead_letter_topic:
                letter = _arrived_letter(message)
                chunk.arrived_letters.append({"_id": letter.key, **letter.model_dump(exclude_none=True)})
                continue
            stream = self._by_topic.get(message.topic)
            if stream is None:
                chunk.letters.append(_strange_letter(message))
                continue
            tally = tallies[stream.name]
            for read in read_message(stream, message.value, message.arrived_at):
                if isinstance(read, Problem):
                    chunk.letters.append(_letter(stream, message, read))
                    tally.dead_letters += 1
                else:
                    document = make_document(stream, read, message.arrived_at, message.partition, message.offset)
                    if stream.name == "facility":
                        document |= self._facts(document)
                    chunk.documents[stream.name].append(document)
                    tally.written += 1
                    tally.late += document["late"]
                    series, at = document["series"], read.event_time
                    tally.newest[series] = max(at, tally.newest.get(series, at))
        return chunk

    def _write(self, chunk: Chunk) -> None:
        if chunk.letters:
            self._send_letters(chunk.letters)
        writing = [self._of_streams.submit(self._write_stream, *of_stream) for of_stream in chunk.documents.items()]
        wait(writing)  # where one fails, too: the others end before the batch is repeated
        if refused := [letter for one in writing for letter in one.result()]:
            self._send_letters(refused)
        if chunk.arrived_letters:
            self._index_letters(chunk.arrived_letters)
        until_answered(parts.add_gone_through)(self._database, parts.CONSUMER, parts.INGEST, chunk.messages)

    def _write_stream(self, name: str, documents: list[Document]) -> list[DeadLetter]:
        """Gives what Elasticsearch refused."""
        stream = self._streams[name]
        refused = self._write_readings(stream, by_id(one for one in documents if "repeated_hour" not in one))
        refused += self._write_repeated(stream, [one for one in documents if "repeated_hour" in one])
        if name in due.NAMES:
            until_answered(due.note)(self._database, name, documents)
        return [_refused_letter(stream, one) for one in refused]

    def _write_readings(self, stream: Stream, arrived: dict[str, list[Document]]) -> list[Refused]:
        if not arrived:
            return []

        def index(document: Document) -> str:
            return stream.index(document[stream.model.time_field])

        collection = self._database[stream.collection]
        documents = {_id: merge_all(several) if len(several) > 1 else several[0] for _id, several in arrived.items()}
        values = list(documents.values())
        inserting = self._stores.submit(until_answered(mongodb.insert_new), collection, values)
        creating = self._stores.submit(until_answered(elasticsearch.create_new), self._elasticsearch, values, index)
        known, (known_to_view, refused) = inserting.result(), creating.result()
        kept: dict[str, Document] = {}
        if again := known | known_to_view:
            kept = until_answered(mongodb.replace_revised)(collection, {_id: arrived[_id] for _id in again})
            refused += until_answered(elasticsearch.overwrite)(self._elasticsearch, kept.values(), index)
        if self._cassandra and stream.name == CASSANDRA_STREAM:
            until_answered(self._cassandra().write)((documents | kept).values())
        return refused

    def _write_repeated(self, stream: Stream, documents: list[Document]) -> list[Refused]:
        if not documents:
            return []
        settled = until_answered(settle)(stream, self._database[stream.collection], documents)
        return [one for placed in settled for one in self._write_readings(stream, by_id(placed))]

    @until_answered
    def _send_letters(self, letters: list[DeadLetter]) -> None:
        dead_letter_sink.send(self._producer(), self._dead_letter_topic, letters)

    @until_answered
    def _index_letters(self, letters: list[Document]) -> None:
        refused = elasticsearch.put(
            self._elasticsearch, letters, lambda letter: dead_letter_sink.index(self._prefix, letter["arrived_at"])
        )
        if refused:
            raise RuntimeError(f"Elasticsearch refused dead letters; run python -m elk.setup: {refused[0].reason}")


def connect_cassandra(settings: Settings) -> "Cassandra":
    """Waits until Cassandra answers. Its driver is loaded only where it is used. Raises ConfigError."""
    from spark_consumer.sinks.cassandra import Cassandra

    return until_answered(Cassandra)(settings)


def write_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """For `mapInArrow`: writes a partition with the columns of Kafka's source, gives rows of `TALLY_SCHEMA`."""
    tallies = _writer().write(messages_of(batches))
    rows = [{"stream": name, **vars(tally), "newest": list(tally.newest.items())} for name, tally in tallies.items()]
    yield pa.RecordBatch.from_pylist(rows, schema=TALLY_SCHEMA)


@functools.cache
def _writer() -> Writer:
    settings = load_settings()
    set_up_logs(settings, parts.CONSUMER)
    return Writer(settings, load_streams(settings))


def messages_of(batches: Iterable[pa.RecordBatch]) -> Iterator[Message]:
    """The messages of batches with the columns of `kafka_source.with_arrival`."""
    for batch in batches:
        topics, partitions, offsets, arrivals, values = (batch.column(name).to_pylist() for name in COLUMNS)
        instants = {arrived_ms: datetime.fromtimestamp(arrived_ms / 1000, UTC) for arrived_ms in set(arrivals)}
        arrived_at = map(instants.__getitem__, arrivals)
        yield from map(Message, topics, partitions, offsets, arrived_at, values)


def _letter(stream: Stream | None, message: Message, problem: Problem) -> DeadLetter:
    text, encoding = encode_message(problem.message)
    return DeadLetter(
        stream=stream and stream.name,
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        position=problem.position,
        reason=problem.reason,
        message=text,
        encoding=encoding,
        arrived_at=message.arrived_at,
    )


def _refused_letter(stream: Stream, refused: Refused) -> DeadLetter:
    kafka = refused.document["kafka"]
    return DeadLetter(
        stream=stream.name,
        topic=stream.topic,
        partition=kafka["partition"],
        offset=kafka["offset"],
        source=refused.document["source"],
        reason=f"{REFUSED}: {refused.reason}"[:2000],
        message=orjson.dumps(refused.document, option=orjson.OPT_UTC_Z).decode(),
        arrived_at=kafka["arrived_at"],
    )


def _arrived_letter(message: Message) -> DeadLetter:
    """The letter that a message of the dead-letter topic is; one that is none becomes one itself, and is kept too."""
    try:
        return DeadLetter.model_validate_json(message.value or b"")
    except ValidationError:
        reason = "the message on this topic is no dead letter, expected the fields of DeadLetter as JSON"
        return _letter(None, message, Problem(0, reason, message.value or b""))


def _strange_letter(message: Message) -> DeadLetter:
    """Of a batch that was begun when skywatt.yml still had the topic's stream."""
    reason = f"no stream of skywatt.yml has the topic {message.topic}; where one has it again, redrive"
    return _letter(None, message, Problem(0, reason, message.value or b""))
