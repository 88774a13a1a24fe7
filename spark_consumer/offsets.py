"""How far a query's checkpoint has read Kafka, what Kafka still has, and what lies between."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import NoError, UnknownTopicOrPartitionError, for_code

from readings.connections import FIRST_ANSWER_MS, kafka_options
from readings.settings import Settings

Offsets = Mapping[str, Mapping[int, int]]
"""By topic and partition."""
TOPICS = "topics.json"
"""Of a checkpoint: the ids of the topics that it has read. A topic that is made again has another one."""


@dataclass(frozen=True)
class Kept:
    """What Kafka has of topics: their ids, and of each partition its first offset and the one after its last.

    No partition of a topic that there is not.
    """

    ids: Mapping[str, str]
    first: Offsets
    end: Offsets


@dataclass(frozen=True)
class Missing:
    """What Kafka no longer has of what a checkpoint has not read."""

    lost: Mapping[str, int]
    """How many messages were deleted, by topic and partition as people write them."""
    replaced: Collection[str]
    """Topics that were made again: how much of the former ones was not read, nobody knows."""

    def __bool__(self) -> bool:
        return bool(self.lost or self.replaced)

    def __str__(self) -> str:
        said = [f"{partition}: {number} messages were deleted" for partition, number in self.lost.items()]
        if self.replaced:
            said.append(f"{', '.join(self.replaced)}: made again since it was read")
        return ", ".join(said)


def kept(settings: Settings, topics: Collection[str]) -> Kept:
    """What Kafka has of these topics. Raises KafkaError."""
    admin = KafkaAdminClient(**kafka_options(settings), bootstrap_timeout_ms=FIRST_ANSWER_MS)
    try:
        told = admin.describe_topics(sorted(topics))
        for one in told:
            error = for_code(one["error_code"])
            if error not in (NoError, UnknownTopicOrPartitionError):
                raise error(one["name"])
        partitions = [TopicPartition(one["name"], of["partition_index"]) for one in told for of in one["partitions"]]
        first, end = (
            admin.list_partition_offsets(dict.fromkeys(partitions, which))
            for which in (OffsetSpec.EARLIEST, OffsetSpec.LATEST)
        )
    finally:
        admin.close()
    ids = {one["name"]: str(one["topic_id"]) for one in told}

    def by_topic(offsets: Mapping[TopicPartition, Any]) -> Offsets:
        return {
            topic: {one.partition: told.offset for one, told in offsets.items() if one.topic == topic} for topic in ids
        }

    return Kept(ids, by_topic(first), by_topic(end))


def offsets_read(folder: Path) -> Offsets:
    """Which offset comes next after the last batch that a checkpoint has committed; before the first, where it began.

    Nothing where nothing was begun.
    """
    if commits := _numbers(folder / "commits"):
        return _offsets_of_batch(folder, max(commits))
    if (initial := folder / "sources" / "0" / "0").exists():
        return _offsets_of(initial.read_text().splitlines()[1:])
    return {}


def offsets_begun(folder: Path) -> Offsets:
    """Which offset comes next after the last batch that a checkpoint has begun; nothing where there is none."""
    begun = _numbers(folder / "offsets")
    return _offsets_of_batch(folder, max(begun)) if begun else {}


def missing(folder: Path, has: Kept) -> Missing:
    """What a checkpoint has not read of the topics that were looked at, and Kafka does not have."""
    read, begun, known = offsets_read(folder), offsets_begun(folder), _topics(folder)
    replaced = [
        topic
        for topic, end in sorted(has.end.items())
        if (topic in begun and known.get(topic, has.ids[topic]) != has.ids[topic])
        or any(
            offset > end.get(partition, -1)
            for offsets in (read, begun)
            for partition, offset in offsets.get(topic, {}).items()
        )
    ]
    return Missing(lost({topic: of for topic, of in read.items() if topic not in replaced}, has.first), replaced)


def lost(read: Offsets, first: Offsets) -> dict[str, int]:
    """How many messages lie between what was read and what Kafka has, by topic and partition as people write them.

    Of a partition that came since, what Kafka has begins at 0.
    """
    return {
        f"{topic} {partition}": offset - read[topic].get(partition, 0)
        for topic in sorted(read.keys() & first.keys())
        for partition, offset in first[topic].items()
        if offset > read[topic].get(partition, 0)
    }


def note_topics(folder: Path, has: Kept) -> None:
    """Notes which topics a checkpoint reads from now on."""
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / f"{TOPICS}.new"
    new.write_text(json.dumps({**_topics(folder), **has.ids}))
    new.replace(folder / TOPICS)


def _topics(folder: Path) -> dict[str, str]:
    noted: dict[str, str] = json.loads(path.read_text()) if (path := folder / TOPICS).exists() else {}
    return noted


def _numbers(folder: Path) -> list[int]:
    return [int(one.name) for one in folder.glob("[0-9]*")]


def _offsets_of_batch(folder: Path, batch: int) -> Offsets:
    _version, _metadata, *sources = (folder / "offsets" / str(batch)).read_text().splitlines()
    return _offsets_of(sources)


def _offsets_of(sources: list[str]) -> Offsets:
    return {
        topic: {int(partition): offset for partition, offset in partitions.items()}
        for source in sources
        for topic, partitions in json.loads(source).items()
    }
