"""Whether the meters' query can go on from its checkpoint: not where Kafka deleted messages that it did not read, nor
where an older version kept its states in another form, nor where the meters were replayed and are live now.

The states would go on without those messages' readings. With a new checkpoint the states are made of what MongoDB has,
where the ingest has written what it read of them. Looked at when the query starts: one that runs is never days behind.
"""

import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

from kafka import KafkaConsumer, TopicPartition
from pymongo.database import Database

from readings import anew
from readings.anew import Anew
from readings.connections import Document, kafka_options
from readings.settings import Settings
from spark_consumer.meters.store import MeterStore

Offsets = Mapping[str, Mapping[int, int]]
"""By topic and partition."""
OLDER = '"operatorName":"applyInPandasWithState"'
"""By which operator states were kept before."""

log = logging.getLogger(__name__)


def offsets_read(folder: Path) -> Offsets:
    """Which offset comes next after the last batch that a checkpoint has committed; nothing where there is none."""
    commits = [int(one.name) for one in (folder / "commits").glob("[0-9]*")]
    if not commits:
        return {}
    _version, _metadata, *sources = (folder / "offsets" / str(max(commits))).read_text().splitlines()
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


def remove_where_lost(folder: Path, first: Offsets) -> None:
    """Removes the checkpoint where it ends before one of the first offsets that Kafka has."""
    lost = {
        f"{topic} {partition}": first[topic][partition] - offset
        for topic, partitions in offsets_read(folder).items()
        for partition, offset in partitions.items()
        if first[topic][partition] > offset
    }
    if not lost:
        return
    log.warning(
        "Kafka deleted messages before the meters' totals were worked out of them (%s): a new checkpoint is begun, "
        "from what is stored",
        ", ".join(f"{partition}: {number}" for partition, number in lost.items()),
    )
    _remove(folder)


def remove_where_older(folder: Path) -> None:
    """Removes a checkpoint whose states a version before December 2026 wrote: Spark cannot go on from those."""
    metadata = folder / "state" / "0" / "_metadata" / "metadata"
    if metadata.exists() and OLDER in metadata.read_text():
        log.warning("the meters' states are of an older version: a new checkpoint is begun, from what is stored")
        _remove(folder)


def begin_anew(folder: Path, store: MeterStore, database: "Database[Document]") -> Anew:
    """Removes the checkpoint, and the totals of what was replayed, where the meters went live since it was begun.

    Gives which messages count no more. Safe to repeat. Raises what the stores raise.
    """
    asked = anew.asked(database, "meter")
    if asked.due:
        log.warning("the meters went live: a new checkpoint is begun, without what was replayed")
        if folder.exists():
            _remove(folder)
        store.remove(asked.series)
        anew.done(database, "meter", asked)
    return asked


def _remove(folder: Path) -> None:
    old = folder.with_name(f"{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    folder.rename(old)  # at once: a kill leaves all of it or none
    shutil.rmtree(old)
