"""What is to be told, written down before it is told: MongoDB's ``alert_messages``, one document a message.

``event``    firing (a notice), repeat or resolved (both answer a notice)
``state``    queued, then sending while it is not known whether it arrived, then sent
``by``       the engine that sends it, since ``tried_at``
``revision`` of a notice, grows with each change; ``shown`` is the one that Slack has
``not_before`` of an end in quiet hours, when these are over; of all others long ago
``first``    of a notice that was over before it was sent: what it said when it began
``title``    as it was posted: what answers it says that it belongs to this
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from alerts.alert_store import from_document, to_document
from alerts.links import Link
from alerts.messages import Message
from alerts.notices import HOUR, Changes, Event, Notice, Post
from readings.connections import Document

COLLECTION = "alert_messages"
KEPT = timedelta(days=30)
"""How long a sent message is kept; a notice from its last change on, and longer while it is open."""
AT_ANY_TIME = datetime.fromtimestamp(0, UTC)
"""From when on what is not held back may be sent, also where the clock is put back before it is."""
WAITING = {"state": {"$in": ["queued", "sending"]}}


class Outbox:
    """Messages from the moment of the change until they are sent and beyond. Every method raises PyMongoError."""

    def __init__(self, database: "Database[Document]") -> None:
        self._messages = database[COLLECTION]

    def prepare(self) -> None:
        """Makes the indexes it is read by."""
        self._messages.create_index([("state", ASCENDING), ("written_at", ASCENDING)])
        self._messages.create_index([("open", ASCENDING)])

    def put(self, changes: Changes, now: datetime) -> None:
        """Writes down what is to be posted, then what is changed. Safe to repeat."""
        for number, post in enumerate(changes.posts):
            not_before = post.not_before if post.not_before > now else AT_ANY_TIME
            written_at = now + timedelta(milliseconds=number)
            document = _post(post, changes.notices.get(post.id), not_before, written_at)
            with suppress(DuplicateKeyError):  # it is written already: then it stays as it is
                self._messages.insert_one(document)
        for notice in changes.notices.values():
            if notice.open:
                self._messages.update_one({"_id": notice.id}, {"$set": _notice(notice)})
            else:
                self._close(notice)

    def close_ended(self) -> None:
        """Closes the notices whose end is written down: an engine may be killed between the two."""
        notices = {f"resolved-{notice.id}": notice for notice in self.open_notices()}
        for end in self._messages.find({"_id": {"$in": list(notices)}}):
            rows = tuple(from_document(alert) for alert in end["alerts"])
            notice = notices[end["_id"]]
            over = replace(notice, rows=rows, message=to_message(end["message"]), edited_at=end["written_at"])
            self._close(replace(over, revision=notice.revision + 1, open=False))

    def closed(self, identifiers: Collection[str]) -> set[str]:
        """Which of these notices are over."""
        over = {"_id": {"$in": list(identifiers)}, "open": False}
        return {document["_id"] for document in self._messages.find(over, {"_id": 1})}

    def open_notices(self) -> list[Notice]:
        """The notices that are not over."""
        return [_to_notice(document) for document in self._messages.find({"open": True})]

    def of_last_hour(self, event: Event, now: datetime) -> list[datetime]:
        """When the messages of an event were written in the last hour."""
        recent = {"event": event, "written_at": {"$gt": now - HOUR}}
        return [document["written_at"] for document in self._messages.find(recent, {"written_at": 1})]

    def next(self, now: datetime) -> Document | None:
        """The oldest message that is due and not sent, without its alerts; never before the one that it answers.

        Where the clock was put back between the two, the answer seems older.
        """
        due = {**WAITING, "not_before": {"$lte": now}}
        oldest = self._messages.find_one(due, {"alerts": 0}, sort=[("written_at", ASCENDING)])
        if oldest is None or oldest["answers"] is None:
            return oldest
        return self._messages.find_one({**WAITING, "_id": oldest["answers"]}, {"alerts": 0}) or oldest

    def next_edit(self) -> Document | None:
        """A message that was sent and has changed since, without its alerts."""
        return self._messages.find_one({"state": "sent", "stale": True}, {"alerts": 0}, sort=[("edited_at", ASCENDING)])

    def get(self, identifier: str) -> Document | None:
        """A message by its id, without its alerts."""
        return self._messages.find_one({"_id": identifier}, {"alerts": 0})

    def claim(self, document: Document, holder: str, now: datetime) -> bool:
        """Notes that an engine sends a message that it read; False where another changed it since."""
        as_read = {"_id": document["_id"], "state": document["state"], "by": document.get("by")}
        tried = {"tried_at": now} if document["state"] == "queued" else {}
        taken = self._messages.update_one(as_read, {"$set": {"state": "sending", "by": holder, **tried}})
        return taken.matched_count > 0

    def change(self, identifier: str, **fields: object) -> None:
        """Notes how far a message's sending is."""
        self._messages.update_one({"_id": identifier}, {"$set": fields})

    def shown(self, identifier: str, revision: int) -> None:
        """Notes that Slack has a revision; one that changed meanwhile stays stale."""
        self._messages.update_one({"_id": identifier, "revision": revision}, {"$set": {"stale": False}})

    def channel_id(self, route: str) -> str | None:
        """The id of the channel that messages of a route went to, as Slack told it."""
        sent = self._messages.find_one({"route": route, "state": "sent"}, {"channel": 1})
        return sent["channel"] if sent else None

    def waiting(self) -> int:
        """How many messages are not sent."""
        return self._messages.count_documents(WAITING)

    def prune(self, now: datetime) -> None:
        """Forgets messages sent long ago, except notices that are open, to be edited, or answered by what waits."""
        answered = [document["answers"] for document in self._messages.find(WAITING, {"answers": 1})]
        over = {"state": "sent", "open": {"$ne": True}, "stale": {"$ne": True}, "_id": {"$nin": answered}}
        long_ago = {"written_at": {"$lt": now - KEPT}, "edited_at": {"$not": {"$gte": now - KEPT}}}
        self._messages.delete_many(over | long_ago)

    def _close(self, notice: Notice) -> None:
        """What was not sent yet still says first that it began."""
        found = self._messages.find_one({"_id": notice.id}, {"state": 1, "message": 1, "first": 1})
        if found is None:
            return
        first = found.get("first") or (found["message"] if found["state"] != "sent" else None)
        self._messages.update_one({"_id": notice.id}, {"$set": {**_notice(notice), "first": first}})


def _post(post: Post, notice: Notice | None, not_before: datetime, written_at: datetime) -> Document:
    document = {
        "_id": post.id,
        "event": post.event,
        "message": asdict(post.message),
        "title": post.message.title,
        "alerts": [to_document(alert) for alert in post.rows],
        "answers": None if post.event == "firing" else post.notice,
        "written_at": written_at,
        "not_before": not_before,
        "state": "queued",
    }
    return document | (_notice(notice) if notice and post.event == "firing" else {})


def _notice(notice: Notice) -> Document:
    return {
        "rule": notice.rule,
        "stream": notice.stream,
        "begun_at": notice.begun_at,
        "alerts": [to_document(alert) for alert in notice.rows],
        "total": notice.total,
        "message": asdict(notice.message),
        "edited_at": notice.edited_at,
        "revision": notice.revision,
        "stale": notice.revision > 0,
        "repeats": notice.repeats,
        "repeat_at": notice.repeat_at,
        "open": notice.open,
    }


def _to_notice(document: Mapping[str, Any]) -> Notice:
    names = ("rule", "stream", "begun_at", "total", "edited_at", "revision", "repeats", "repeat_at", "open")
    rows = tuple(from_document(alert) for alert in document["alerts"])
    fields = {name: document[name] for name in names}
    return Notice(id=document["_id"], rows=rows, message=to_message(document["message"]), **fields)


def to_message(document: Mapping[str, Any]) -> Message:
    """The message of a stored document."""
    facts = tuple((name, text) for name, text in document.get("facts", ()))
    link = Link(**document["link"]) if document.get("link") else None
    return Message(document["title"], document["table"], document["footer"], facts, link)
