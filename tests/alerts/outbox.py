"""An outbox that is kept in a dict, as MongoDB would, and a sender for it."""

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from alerts.messages import Message
from alerts.outbox import Outbox
from alerts.routes import choose_route
from alerts.sender import Sender
from readings.settings import Settings


@dataclass
class Stored:
    """An outbox without a server."""

    documents: list[dict[str, Any]] = field(default_factory=list)

    def put(self, identifier: str, text: str, answers: str | None = None, state: str = "queued") -> None:
        self.documents.append(
            {
                "_id": identifier,
                "event": "resolved" if answers else "firing",
                "revision": 0,
                "stale": False,
                "message": asdict(Message(text, ["series", "Bergen"], "rule late")),
                "title": text,
                "answers": answers,
                "state": state,
                "written_at": datetime.now(UTC),
                "tried_at": datetime.now(UTC),
            }
        )

    def next_edit(self) -> dict[str, Any] | None:
        return next((copy.deepcopy(one) for one in self.documents if one["state"] == "sent" and one["stale"]), None)

    def edit(self, identifier: str, text: str) -> None:
        one = next(one for one in self.documents if one["_id"] == identifier)
        message = asdict(Message(text, ["series", "Bergen"], "rule late"))
        one.update(message=message, revision=one["revision"] + 1, stale=True)

    def shown(self, identifier: str, revision: int) -> None:
        one = next(one for one in self.documents if one["_id"] == identifier)
        one["stale"] = one["stale"] and one["revision"] != revision

    def next(self, _now: datetime) -> dict[str, Any] | None:
        return next((copy.deepcopy(one) for one in self.documents if one["state"] != "sent"), None)

    def get(self, identifier: str) -> dict[str, Any] | None:
        return next((copy.deepcopy(one) for one in self.documents if one["_id"] == identifier), None)

    def change(self, identifier: str, **fields: object) -> None:
        next(one for one in self.documents if one["_id"] == identifier).update(fields)

    def claim(self, document: dict[str, Any], holder: str, now: datetime) -> bool:
        one = next(one for one in self.documents if one["_id"] == document["_id"])
        if (one["state"], one.get("by")) != (document["state"], document.get("by")):
            return False
        one.update({"tried_at": now} if one["state"] == "queued" else {}, state="sending", by=holder)
        return True

    def channel_id(self, route: str) -> str | None:
        return next((one["channel"] for one in self.documents if one.get("route") == route), None)

    @property
    def states(self) -> list[str]:
        return [one["state"] for one in self.documents]


def settings(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


@contextmanager
def sending(stored: Stored, of: Settings, holder: str = "one") -> Iterator[list[str | None]]:
    waits: list[str | None] = []
    with Sender(cast(Outbox, stored), choose_route(of), lambda: True, waits.append, lambda: None, holder):
        yield waits


def wait_until(condition: Callable[[], bool], deadline_s: float = 10) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.01)


def all_sent(stored: Stored) -> Callable[[], bool]:
    return lambda: set(stored.states) == {"sent"} and not any(one["stale"] for one in stored.documents)
