"""Where alerts live between rounds: MongoDB's ``alerts``, one document an alert that is not inactive.

Each change is also put into ``alert_changes``, from where it is copied to Elasticsearch.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import Any, TypeVar

from pymongo import ReplaceOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from alerts.states import Alert, Finding, Key
from readings.connections import Document

COLLECTION = "alerts"
CHANGES = "alert_changes"

DUPLICATE = 11000
"""MongoDB's code for an ``_id`` that is there already."""

AT_ONCE = 100
"""Documents in one request: each request has the client's time-out for itself."""
REQUESTS_AT_ONCE = 8
"""The local MongoDB-wire server makes each replaced document durable apart, but those of several requests together."""

Alerts = dict[Key, Alert]
One = TypeVar("One")


def load_alerts(database: "Database[Document]") -> Alerts:
    """Every alert that is not inactive. Raises PyMongoError."""
    return {alert.key: alert for alert in map(from_document, database[COLLECTION].find({}))}


def write_alerts(database: "Database[Document]", changed: Iterable[Alert]) -> None:
    """Stores alerts as they are now, resolved ones only as a change. Safe to repeat.

    No change is there before its alert is: an incident that the next engine does not know would never end.
    """
    changed = list(changed)
    alive = [to_document(alert) for alert in changed if alert.state != "resolved"]
    _in_pieces(partial(_replace, database, COLLECTION), alive)
    told = [alert for alert in changed if alert.state != "pending"]
    changes = [{**to_document(alert), "_id": alert.incident} for alert in told]
    _in_pieces(partial(_replace, database, CHANGES), changes)


def remove_alerts(database: "Database[Document]", gone: Iterable[Key]) -> None:
    """Removes alerts that are inactive now. Safe to repeat."""
    _in_pieces(lambda names: database[COLLECTION].delete_many({"_id": {"$in": names}}), [str(key) for key in gone])


def to_document(alert: Alert) -> Document:
    """The alert as MongoDB keeps it."""
    fields = asdict(alert)
    history = [{"state": state, "at": at} for state, at in fields.pop("history")]
    return {"_id": str(alert.key), **fields.pop("key"), **fields.pop("finding"), **fields, "history": history}


def from_document(document: Document) -> Alert:
    """The alert of a stored document."""
    fields: dict[str, Any] = {name: value for name, value in document.items() if name != "_id"}
    key = Key(*(fields.pop(name) for name in ("rule", "stream", "series")))
    found = {name: fields.pop(name) for name in ("began", "count", "worst_delay_s", "what", "beyond") if name in fields}
    finding = Finding(**found)
    history = tuple((one["state"], one["at"]) for one in fields.pop("history", []))
    return Alert(key=key, finding=finding, history=history, **fields)


def _in_pieces(write: Callable[[Sequence[One]], object], whole: Sequence[One]) -> None:
    """Writes it in requests of `AT_ONCE`, some of them side by side."""
    pieces = [whole[start : start + AT_ONCE] for start in range(0, len(whole), AT_ONCE)]
    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as threads:
        for _ in threads.map(write, pieces):
            pass  # raises what writing raised


def _replace(database: "Database[Document]", collection: str, documents: Sequence[Document]) -> None:
    """Inserts what is new and replaces what is there: the local MongoDB-wire server upserts fifteen times slower."""
    try:
        database[collection].insert_many(documents, ordered=False)
    except BulkWriteError as error:
        refused = error.details["writeErrors"]
        if any(one["code"] != DUPLICATE for one in refused):
            raise
        there = [documents[one["index"]] for one in refused]
        # upsert: it may have been removed meanwhile
        writes = [ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in there]
        database[collection].bulk_write(writes, ordered=False)
