"""Whether the meters' query can go on from its checkpoint: not where an older version kept its states in another form,
nor where the meters were replayed and are live now; nor where Kafka deleted messages that it did not read, which is
looked at for each query (`spark_consumer.checkpoint`).

With a new checkpoint the states are made of what MongoDB has, where the ingest has written what it read.
"""

import logging
from pathlib import Path

from pymongo.database import Database

from readings import anew
from readings.anew import Anew
from readings.connections import Document
from spark_consumer.checkpoint import remove
from spark_consumer.meters.store import MeterStore

OLDER = '"operatorName":"applyInPandasWithState"'
"""By which operator states were kept before."""

log = logging.getLogger(__name__)


def remove_where_older(folder: Path) -> None:
    """Removes a checkpoint whose states a version before December 2026 wrote: Spark cannot go on from those."""
    metadata = folder / "state" / "0" / "_metadata" / "metadata"
    if metadata.exists() and OLDER in metadata.read_text():
        log.warning("the meters' states are of an older version: a new checkpoint is begun, from what is stored")
        remove(folder)


def begin_anew(folder: Path, store: MeterStore, database: "Database[Document]") -> Anew:
    """Removes the checkpoint, and the totals of what was replayed, where the meters went live since it was begun.

    Gives which messages count no more. Safe to repeat. Raises what the stores raise.
    """
    asked = anew.asked(database, "meter")
    if asked.due:
        log.warning("the meters went live: a new checkpoint is begun, without what was replayed")
        if folder.exists():
            remove(folder)
        store.remove(asked.series)
        anew.done(database, "meter", asked)
    return asked
