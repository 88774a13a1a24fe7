"""Where alerts live between rounds: MongoDB's ``alerts``, one document an alert that is not inactive."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pymongo import DeleteOne, ReplaceOne
from pymongo.database import Database

from alerts.states import Alert, Finding, Key
from readings.connections import Document

COLLECTION = "alerts"

Alerts = dict[Key, Alert]


def load_alerts(database: "Database[Document]") -> Alerts:
    """Every alert that is not inactive. Raises PyMongoError."""
    return {alert.key: alert for alert in map(from_document, database[COLLECTION].find({}))}


def write_alerts(database: "Database[Document]", changed: Iterable[Alert], gone: Iterable[Key] = ()) -> None:
    """Stores alerts as they are now: resolved ones, and those in `gone`, are removed. Safe to repeat."""
    writes: list[ReplaceOne[Document] | DeleteOne] = [DeleteOne({"_id": str(key)}) for key in gone]
    for alert in changed:
        if alert.state == "resolved":
            writes.append(DeleteOne({"_id": str(alert.key)}))
        else:
            writes.append(ReplaceOne({"_id": str(alert.key)}, to_document(alert), upsert=True))
    if writes:
        database[COLLECTION].bulk_write(writes, ordered=False)


def to_document(alert: Alert) -> Document:
    """The alert as MongoDB keeps it."""
    fields = asdict(alert)
    return {"_id": str(alert.key), **fields.pop("key"), **fields.pop("finding"), **fields}


def from_document(document: Document) -> Alert:
    """The alert of a stored document."""
    fields: dict[str, Any] = {name: value for name, value in document.items() if name != "_id"}
    key = Key(fields.pop("rule"), fields.pop("stream"), fields.pop("series"))
    finding = Finding(fields.pop("began"), fields.pop("count"), fields.pop("worst_delay_s"))
    return Alert(key=key, finding=finding, **fields)


def incident(alert: Alert) -> str:
    """The name of this firing of the alert, the same however often it is worked out."""
    return f"{alert.key}|{_instant(alert.since)}"


def _instant(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds")
