"""Whether the meters' query can go on from its checkpoint: not where Kafka deleted messages that it did not read, nor
where an older version kept its states in another form, nor where the meters were replayed and are live now.

The states would go on without those messages' readings. With a new checkpoint the states are made of what MongoDB has,
where the ingest has written what it read of them. Looked at when the query starts: one that runs is never days behind.
"""

import logging
import shutil
from pathlib import Path

from pymongo.database import Database

from readings import anew
from readings.anew import Anew
from readings.connections import Document
from spark_consumer.meters.store import MeterStore
from spark_consumer.offsets import Offsets, lost, offsets_read

OLDER = '"operatorName":"applyInPandasWithState"'
"""By which operator states were kept before."""

log = logging.getLogger(__name__)


def remove_where_lost(folder: Path, first: Offsets) -> None:
    """Removes the checkpoint where it ends before one of the first offsets that Kafka has."""
    missing = lost(offsets_read(folder), first)
    if not missing:
        return
    log.warning(
        "Kafka deleted messages before the meters' totals were worked out of them (%s): a new checkpoint is begun, "
        "from what is stored",
        ", ".join(f"{partition}: {number}" for partition, number in missing.items()),
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
