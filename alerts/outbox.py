"""What is to be told, written down before it is told: MongoDB's ``alert_messages``.

A message carries the alerts it tells of as they are after the change, so that writing it is the moment the change
happens. What comes after (the alerts themselves, the copy in Elasticsearch, the sending) can be made up for from it:

``applied``  the alerts in ``alerts`` are as the message says
``viewed``   they are in Elasticsearch
``state``    queued, then sending while it is not known whether it arrived, then sent
"""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from alerts.alert_store import from_document, incident, load_alerts, to_document, write_alerts
from alerts.messages import Message
from alerts.states import Alert, Event
from readings.connections import Document

COLLECTION = "alert_messages"
KEPT = timedelta(days=30)
"""How long a sent message is kept, and longer while its alert fires."""


@dataclass(frozen=True)
class Told:
    """One message with the alerts it tells of."""

    id: str
    event: Event
    alerts: Sequence[Alert]
    message: Message
    answers: str | None
    """The message that told what this one resolves."""


def message_id(event: Event, alerts: Iterable[Alert]) -> str:
    """The same for the same incidents, however often it is worked out."""
    names = "\n".join(sorted(incident(alert) for alert in alerts))
    return f"{event}-{hashlib.sha256(names.encode()).hexdigest()[:24]}"


class Outbox:
    """Messages from the moment of the change until they are sent and beyond. Every method raises PyMongoError."""

    def __init__(self, database: "Database[Document]") -> None:
        self._database = database
        self._messages = database[COLLECTION]

    def prepare(self) -> None:
        """Makes the index it is read by."""
        self._messages.create_index([("state", ASCENDING), ("written_at", ASCENDING)])

    def put(self, told: Sequence[Told], now: datetime) -> None:
        """Writes messages down, then makes the changes they tell of."""
        for number, one in enumerate(told):
            document = {
                "_id": one.id,
                "event": one.event,
                "alerts": [to_document(alert) for alert in one.alerts],
                "message": asdict(one.message),
                "answers": one.answers,
                "written_at": now + timedelta(milliseconds=number),
                "applied": False,
                "viewed": False,
                "state": "queued",
            }
            with suppress(DuplicateKeyError):  # it is written already: then it stays as it is
                self._messages.insert_one(document)
        for one in told:
            self._apply(one.id, one.alerts)

    def recover(self) -> int:
        """Makes the changes of messages that were written just before an end; gives how many there were."""
        unfinished = list(self._messages.find({"applied": False}).sort("written_at", ASCENDING))
        for document in unfinished:
            self._apply(document["_id"], [from_document(alert) for alert in document["alerts"]])
        return len(unfinished)

    def not_viewed(self) -> list[Document]:
        """The messages whose alerts are not in Elasticsearch yet, oldest first."""
        return list(self._messages.find({"viewed": False}).sort("written_at", ASCENDING).limit(100))

    def mark_viewed(self, identifier: str) -> None:
        """Says that the alerts of a message are in Elasticsearch."""
        self._messages.update_one({"_id": identifier}, {"$set": {"viewed": True}})

    def next(self) -> Document | None:
        """The oldest message that is not sent, without its alerts."""
        waiting = {"state": {"$in": ["queued", "sending"]}, "applied": True}
        return self._messages.find_one(waiting, {"alerts": 0}, sort=[("written_at", ASCENDING)])

    def get(self, identifier: str) -> Document | None:
        """A message by its id, without its alerts."""
        return self._messages.find_one({"_id": identifier}, {"alerts": 0})

    def change(self, identifier: str, **fields: object) -> None:
        """Notes how far a message's sending is."""
        self._messages.update_one({"_id": identifier}, {"$set": fields})

    def channel_id(self, route: str) -> str | None:
        """The id of the channel that messages of a route went to, as Slack told it."""
        sent = self._messages.find_one({"route": route, "state": "sent"}, {"channel": 1})
        return sent["channel"] if sent else None

    def waiting(self) -> int:
        """How many messages are not sent."""
        return self._messages.count_documents({"state": {"$in": ["queued", "sending"]}})

    def prune(self, now: datetime) -> None:
        """Forgets messages sent long ago, except those whose alerts still fire."""
        old = {"state": "sent", "viewed": True, "written_at": {"$lt": now - KEPT}}
        needed = {alert.message for alert in load_alerts(self._database).values()}
        for document in self._messages.find(old, {"_id": 1}):
            if document["_id"] not in needed:
                self._messages.delete_one({"_id": document["_id"]})

    def _apply(self, identifier: str, alerts: Iterable[Alert]) -> None:
        write_alerts(self._database, alerts)
        self.change(identifier, applied=True)
