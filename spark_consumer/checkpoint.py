"""Whether a query can go on from its checkpoint, looked at each time when it starts.

Where messages are missing it is decided here, not by Spark: at a topic that was made again Spark goes on from its end,
and reads nothing of what is there. Such a checkpoint is begun anew, from what Kafka has.
"""

import logging
import shutil
from collections.abc import Collection
from pathlib import Path

from readings.settings import Settings
from spark_consumer.offsets import Missing, kept, missing, note_topics, offsets_begun
from spark_consumer.waiting import until_answered

log = logging.getLogger(__name__)


class DataLost(Exception):
    """Kafka no longer has messages that were not read yet."""

    def __init__(self, query: str, gone: Missing) -> None:
        super().__init__(
            f"{query}: Kafka deleted messages before they were read (its retention, or its data was removed): {gone}; "
            "SKYWATT_ACCEPT_DATA_LOSS=1 goes on with what is there"
        )


def make_ready(
    settings: Settings,
    query: str,
    folder: Path,
    topics: Collection[str],
    *,
    accept_loss: bool,
    anew_where_lost: bool = False,
) -> bool:
    """Makes a query's checkpoint one to go on from. Gives whether Spark must be told that messages are missing.

    Where a topic is another one than was read, and with `anew_where_lost` where messages were deleted, too, the
    checkpoint is removed. Raises DataLost where either is so and no loss is accepted.
    """
    has = until_answered(kept)(settings, topics)
    gone = missing(folder, has)
    if gone and not accept_loss:
        raise DataLost(query, gone)
    anew = bool(gone.replaced or (gone.lost and anew_where_lost))
    if gone:
        goes_on = "a new checkpoint is begun" if anew else "it goes on with what is there"
        log.warning("Kafka deleted messages before they were read (%s): %s", gone, goes_on, extra={"query": query})
    if anew:
        remove(folder)
    changed = topics_changed(folder, topics)
    note_topics(folder, has)
    return changed or bool(gone and not anew)


def topics_changed(folder: Path, topics: Collection[str]) -> bool:
    """Whether a checkpoint was made of other topics than these.

    Then skywatt.yml has other streams than before, and Spark must be told to go on: it takes a topic that went, and one
    that came and whose first messages Kafka has deleted, for a loss. The ones that come are read from their beginning.
    """
    before = offsets_begun(folder).keys() or set(topics)
    came, went = set(topics) - before, before - set(topics)
    if came or went:
        log.warning("other streams than before: not read any more: %s; new: %s", _listed(went), _listed(came))
    return bool(came or went)


def remove(folder: Path) -> None:
    """Removes a checkpoint, so that a new one is begun."""
    old = folder.with_name(f"{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    folder.rename(old)  # at once: a kill leaves all of it or none
    shutil.rmtree(old)


def _listed(topics: Collection[str]) -> str:
    return ", ".join(sorted(topics)) or "none"
