"""Takes messages out of the outbox one by one, oldest first, in a thread of its own: evaluation never waits for Slack.

What is new goes before what is to be edited. An edit is simply made again until Slack has taken it.

The order of writes: ``sending`` is stored, the message is sent, ``sent`` is stored. A message that is found ``sending``
may have arrived: it is looked for, and sent again only if it is not there a while later. So it is after an error that
nobody foresaw. A webhook's success in other words than Slack's is repeated a few times, and is `sent` then: whether a
relay took it or a portal answered cannot be seen.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pymongo.errors import PyMongoError

from alerts.errors import CannotLook, Gone, NotSent, OtherWords, Refused, Unclear
from alerts.outbox import Outbox, to_message
from alerts.routes import Letter, Posted, Route
from readings.connections import Document

LOOK_AGAIN = timedelta(seconds=15)
"""Slack may keep a message so long after its answer did not come: only then is it sure that it is not there."""
POLL_S = 1.0
"""How often the outbox is looked into when nothing wakes the sender."""
FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 60.0
REFUSED_RETRY_S = 30.0
TRIES_IN_OTHER_WORDS = 3
"""So often a message is sent that is answered with success, but not in Slack's words; then it counts as sent."""

log = logging.getLogger(__name__)


class Sender:
    """The thread that sends while `may_send`, in the name of `holder`.

    `waits` is told what it waits for, or None; `sent` that one went out.
    """

    def __init__(
        self,
        outbox: Outbox,
        route: Route,
        may_send: Callable[[], bool],
        waits: Callable[[str | None], object],
        sent: Callable[[], None],
        holder: str,
    ) -> None:
        self._holder = holder
        self._outbox = outbox
        self._route = route
        self._may_send = may_send
        self._waits = waits
        self._sent = sent
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._failures = 0
        self._other_words = 0
        self._doubt: str | None = None
        self._not_before = time.monotonic() + route.pause_s  # the one before may have gone out just before an end
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)

    def __enter__(self) -> "Sender":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout=15)

    @property
    def is_at_work(self) -> bool:
        """Whether a message may still be under way."""
        return self._thread.is_alive()

    def wake(self) -> None:
        """Says that there is something in the outbox."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            delay = self._not_before - time.monotonic()
            if delay > 0:
                self._stop.wait(delay)
                continue
            if not (self._may_send() and self._send_next()):
                self._wake.wait(POLL_S)

    def _send_next(self) -> bool:
        """Sends the oldest message, or makes an edit, if there is one; whether there was."""
        try:
            if document := self._outbox.next(datetime.now(UTC)):
                self._post(document)
            elif document := self._outbox.next_edit():
                self._edit(document)
            else:
                self._waits(self._doubt)
                return False
        except PyMongoError as error:
            self._later("mongodb", None, error)
        except Refused as error:
            self._later(f"slack ({error})", REFUSED_RETRY_S, error)
        except NotSent as error:
            self._later(f"slack ({error})", error.wait_s, error)
        except Unclear as error:
            self._later(f"slack ({error})", None, error)
        except Exception as error:  # noqa: BLE001 - a thread that ends sends nothing more; its text may hold a token
            self._later(f"slack ({type(error).__name__})", None, error)
        else:
            self._failures = 0
            self._not_before = time.monotonic() + self._route.pause_s
            self._waits(self._doubt)
        return True

    def _post(self, document: Document) -> None:
        posted = self._send(document)
        if posted is None:
            return
        self._outbox.change(
            document["_id"],
            state="sent",
            sent_at=datetime.now(UTC),
            route=self._route.name,
            channel=posted.channel,
            ts=posted.ts,
        )
        if not document.get("first"):
            self._outbox.shown(document["_id"], document.get("revision", 0))
        self._sent()

    def _edit(self, document: Document) -> None:
        identifier = document["_id"]
        try:
            if document.get("route") != self._route.name:
                raise Gone("it was sent another way")
            letter = Letter(identifier, to_message(document["message"]), None, None)
            self._route.edit(Posted(document["channel"], document["ts"]), letter)
        except Gone as error:
            log.debug("a message stays as it is: %s", error, extra={"message.id": identifier})
        self._outbox.shown(identifier, document["revision"])
        self._sent()

    def _send(self, document: Document) -> Posted | None:
        """Sends a message, or finds it; None where another engine does. Raises PyMongoError, NotSent, Unclear."""
        identifier = document["_id"]
        letter = self._letter(document)
        if not self._outbox.claim(document, self._holder, datetime.now(UTC)):
            return None
        if document["state"] == "sending":
            tried_at = document["tried_at" if "tried_at" in document else "written_at"]
            since = min(document["written_at"], tried_at)  # the clock may have been put back between the two
            try:
                posted = self._route.find(letter, since, self._outbox.channel_id(self._route.name))
            except CannotLook as error:
                log.warning("a message may go out twice: %s", error, extra={"message.id": identifier})
                letter = replace(letter, repeated=True)
            else:
                if posted:
                    return posted
                now = datetime.now(UTC)
                if tried_at > now:  # the clock was put back: it is waited for from now on
                    self._outbox.change(identifier, tried_at=now)
                if (wait := LOOK_AGAIN - (now - tried_at)) > timedelta(0):
                    raise NotSent("it may still arrive: it is looked for again", min(wait, LOOK_AGAIN).total_seconds())
            if not self._may_send():  # looking may take a while
                return None
            self._outbox.change(identifier, tried_at=datetime.now(UTC))
        return self._try(letter)

    def _try(self, letter: Letter) -> Posted:
        """Sends once. Raises PyMongoError, NotSent, Unclear."""
        try:
            posted = self._route.send(letter)
        except NotSent:
            if not letter.repeated:  # the earlier try stays unclear
                self._outbox.change(letter.id, state="queued")
            raise
        except OtherWords as error:
            self._other_words += 1
            if self._other_words < TRIES_IN_OTHER_WORDS:
                raise
            self._doubt = f"slack to answer ok: after {error} the last message counts as sent"
            log.warning(
                "a message counts as sent, after %d tries and %s",
                self._other_words,
                error,
                extra={"message.id": letter.id},
            )
            posted = Posted()
        else:
            self._doubt = None
        self._other_words = 0
        return posted

    def _letter(self, document: Document) -> Letter:
        message = to_message(document.get("first") or document["message"])
        answered = self._outbox.get(document["answers"]) if document["answers"] else None
        if answered is None:
            return Letter(document["_id"], message, None, None)
        same_route = answered.get("route") == self._route.name and answered.get("ts")
        thread = Posted(answered["channel"], answered["ts"]) if same_route else None
        began = answered.get("title") or (answered.get("first") or answered["message"])["title"]
        return Letter(document["_id"], message, thread, began, broadcast=document["event"] == "repeat")

    def _later(self, what: str, wait_s: float | None, error: Exception) -> None:
        self._failures += 1
        if wait_s is None:
            longest = min(FIRST_RETRY_S * 2 ** (self._failures - 1), LONGEST_RETRY_S)
            wait_s = longest * random.uniform(0.5, 1)  # noqa: S311 - spreads retries, guards nothing
        log.warning(
            "a message waits: %s; the next try is in %.1f s", what, wait_s, extra={"error.type": type(error).__name__}
        )
        self._not_before = time.monotonic() + wait_s
        self._waits(what)
