"""How far a query's checkpoint has read Kafka, and what Kafka still has."""

import json
import logging
from collections.abc import Collection, Mapping
from pathlib import Path

from kafka import KafkaConsumer, TopicPartition

from readings.connections import kafka_options
from readings.settings import Settings
from spark_consumer.waiting import until_answered

Offsets = Mapping[str, Mapping[int, int]]
"""By topic and partition."""

log = logging.getLogger(__name__)


def offsets_read(folder: Path) -> Offsets:
    """Which offset comes next after the last batch that a checkpoint has committed; nothing where there is none."""
    commits = _numbers(folder / "commits")
    return _offsets_of(folder, max(commits)) if commits else {}


def _numbers(folder: Path) -> list[int]:
    return [int(one.name) for one in folder.glob("[0-9]*")]


def _offsets_of(folder: Path, batch: int) -> Offsets:
    _version, _metadata, *sources = (folder / "offsets" / str(batch)).read_text().splitlines()
    return {
        topic: {int(partition): offset for partition, offset in partitions.items()}
        for source in sources
        for topic, partitions in json.loads(source).items()
    }


def beginnings(settings: Settings, offsets: Offsets) -> Offsets:
    """The first offsets that Kafka has of those topics and partitions. Raises KafkaError."""
    wanted = [TopicPartition(topic, partition) for topic, partitions in offsets.items() for partition in partitions]
    if not wanted:
        return {}
    consumer = KafkaConsumer(**kafka_options(settings))
    try:
        first = consumer.beginning_offsets(wanted)
    finally:
        consumer.close()
    found: dict[str, dict[int, int]] = {topic: {} for topic in offsets}
    for one, offset in first.items():
        found[one.topic][one.partition] = offset
    return found


def lost(read: Offsets, first: Offsets) -> dict[str, int]:
    """How many messages lie between what was read and what Kafka has, by topic and partition as people write them."""
    return {
        f"{topic} {partition}": first[topic][partition] - offset
        for topic, partitions in read.items()
        for partition, offset in partitions.items()
        if first[topic][partition] > offset
    }


def topics_changed(settings: Settings, folder: Path, topics: Collection[str]) -> bool:
    """Whether a checkpoint was made of other topics than these, and of those that stay nothing was lost.

    Then skywatt.yml has other streams than before, and Spark must be told to go on: it takes a topic that went, and one
    that came and whose first messages Kafka has deleted, for a loss. The ones that come are read from their beginning.
    """
    begun = _numbers(folder / "offsets")
    before = _offsets_of(folder, max(begun)).keys() if begun else set(topics)
    came, went = set(topics) - before, before - set(topics)
    if not came and not went:
        return False
    stay = {topic: partitions for topic, partitions in offsets_read(folder).items() if topic in topics}
    if lost(stay, until_answered(beginnings)(settings, stay)):
        return False
    log.warning("other streams than before: not read any more: %s; new: %s", _listed(went), _listed(came))
    return True


def _listed(topics: Collection[str]) -> str:
    return ", ".join(sorted(topics)) or "none"
