"""``python -m spark_consumer redrive``: dead letters are sent again, each once, when what was wrong is mended.

A letter is a message as it was, so it goes to the topic that it came from, with its series as key. A header says when
it came first (`kafka_source.with_arrival`): it is no later than it was, and replaces nothing that came after it.
That it went is noted in MongoDB (`redriven`) after Kafka has acknowledged it: killed between the two, it goes twice,
and a reading that comes twice is written once.
What a source answered is no message; it is fetched again by its source.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from elasticsearch import Elasticsearch
from elasticsearch.helpers import scan
from kafka import KafkaProducer
from pymongo.database import Database

from readings import dead_letters
from readings.connections import Document
from readings.dead_letters import DeadLetter
from readings.stream import Stream
from spark_consumer.kafka_source import ARRIVED_HEADER
from spark_consumer.messages import Problem, read_message
from spark_consumer.sinks import mongodb
from spark_consumer.writer import REFUSED

COLLECTION = "redriven"
AT_ONCE = 100


def redrive(
    view: Elasticsearch,
    database: "Database[Document]",
    producer: KafkaProducer,
    prefix: str,
    reason: str | None,
    stream: str | None,
    streams: Mapping[str, Stream],
    *,
    dry_run: bool = False,
) -> Counter[str]:
    """Sends the letters whose reason holds the text, of one stream where it is named; gives their number by reason."""
    sent: Counter[str] = Counter()
    by_topic = {one.topic: one for one in streams.values() if stream in (None, one.name)}
    found = _letters(view, prefix, reason, by_topic)
    while letters := list(islice(found, AT_ONCE)):
        keys = [letter.key for letter in letters]
        known = {one["_id"] for one in database[COLLECTION].find({"_id": {"$in": keys}})}
        fresh = [letter for letter in letters if letter.key not in known]
        if not dry_run and fresh:
            acknowledged = [_send(producer, letter, by_topic[letter.topic]) for letter in fresh]
            producer.flush()
            for one in acknowledged:
                one.get(timeout=0)
            at = datetime.now(UTC)
            mongodb.put(database[COLLECTION], [{"_id": letter.key, "redriven_at": at} for letter in fresh])
        sent.update(letter.reason for letter in fresh)
    return sent


def _send(producer: KafkaProducer, letter: DeadLetter, stream: Stream) -> Any:
    arrived_ms = round(letter.arrived_at.timestamp() * 1000)
    headers = [(ARRIVED_HEADER, str(arrived_ms).encode())]
    return producer.send(letter.topic, key=_key(letter, stream), value=letter.message_bytes, headers=headers)


def _key(letter: DeadLetter, stream: Stream) -> bytes | None:
    """The series of the reading that it is now; none where it still is no reading."""
    for read in read_message(stream, letter.message_bytes, letter.arrived_at):
        if not isinstance(read, Problem):
            return read.series.encode()
    return None


def _letters(view: Elasticsearch, prefix: str, reason: str | None, topics: Iterable[str]) -> Iterator[DeadLetter]:
    """Those of messages that were read from one of the topics and are stored nowhere.

    By topic: of a message that was read while no stream had its topic, the letter names no stream.
    """
    filters: list[dict[str, Any]] = [{"exists": {"field": "partition"}}, {"terms": {"topic": list(topics)}}]
    if reason:
        escaped = reason.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
        filters.append({"wildcard": {"reason": {"value": f"*{escaped}*"}}})
    query = {"query": {"bool": {"filter": filters}}}
    for hit in scan(view, index=f"{prefix}{dead_letters.TOPIC}-*", query=query, ignore_unavailable=True):
        letter = DeadLetter.model_validate(hit["_source"])
        if not letter.reason.startswith(REFUSED):
            yield letter
