"""A local stand-in of Slack's Web API and of an incoming webhook: what the tests send to, and what it then holds.

It checks the token, the scope of each method and Block Kit's limits, keeps the channel's history with metadata,
threads, edits and scheduled messages, and misbehaves when told to: ``slack.misbehave.append("429")`` is used up by the
next message that is posted or edited.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from pydantic import SecretStr

from readings.settings import Settings

PAGE = "<html>Sign in to this network"
TOKEN = "xoxb-stand-in-0123456789"
CHANNEL = "C0123ABCDEF"
HOOK = "/services/T000/B000/hook-secret"
SCOPES = {
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "chat.scheduleMessage": "chat:write",
    "chat.deleteScheduledMessage": "chat:write",
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
}
"""What each method needs (api.slack.com/methods)."""
RETRY_AFTER_S = 2
SLOW_S = 1.5
_PAGES = {"500": b"<html>oops", "502": b"<html>Erreur de passerelle r\xe9seau"}
"""What a gateway answers with, the second as latin-1 has it."""
_PIECES = {"cut": b'{"ok":true,"chan', "empty": b""}
"""What is left of an answer that ends with its connection."""


@dataclass
class Slack:
    """What the stand-in holds."""

    url: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    """Every message posted, oldest first, with ``at`` (monotonic), as it was posted; edits are in `edits`."""
    edits: list[dict[str, Any]] = field(default_factory=list)
    """Every edit, oldest first, with the ``ts`` of its message."""
    scheduled: list[dict[str, Any]] = field(default_factory=list)
    """What is to be posted later."""
    misbehave: list[str] = field(default_factory=list)
    """For the next posts: ``429``, ``500``, ``502``, ``hang`` (no answer, not posted), ``swallow`` (posted, no answer),
    ``cut`` or ``empty`` (posted, of the answer the beginning or nothing comes),
    ``slow`` (posted, the answer comes after `SLOW_S`), ``late`` (posted after `SLOW_S`, with its answer)."""
    refuse: str | None = None
    """While set, every call is answered with this error."""
    page: int | None = None
    """While set, every call is answered with a proxy's page of this status."""
    taken: str = "ok"
    """What the webhook answers when it has taken a message."""
    scopes: set[str] = field(default_factory=lambda: {"chat:write", "channels:history"})
    deleted: set[str] = field(default_factory=set)
    """The ``ts`` of messages that are gone. An answer to one of them is posted in the channel, as Slack does."""
    refuses_answers: bool = False
    """Whether an answer to one of them is refused instead."""
    problems: list[str] = field(default_factory=list)
    """What clients did that Slack does not take."""
    calls: list[tuple[str, float]] = field(default_factory=list)
    before_keeping: Callable[[], None] | None = None
    """Called once, when the next message has come and before it is posted; then there is no answer."""
    before_answering: Callable[[], None] | None = None
    """Called once, when the next message is posted and before the answer; then there is none."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def api(self) -> str:
        return f"{self.url}/api/"

    @property
    def hook(self) -> str:
        return f"{self.url}{HOOK}"

    @property
    def texts(self) -> list[str]:
        with self.lock:
            return [message["text"] for message in self.messages]

    @property
    def shown(self) -> list[str]:
        """What people see of each message now, after edits."""
        with self.lock:
            newest = {edit["ts"]: edit["text"] for edit in self.edits}
            return [newest.get(message["ts"], message["text"]) for message in self.messages]


@contextmanager
def slack_stand_in() -> Iterator[Slack]:
    """Answers on a free port of 127.0.0.1 until the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    slack = Slack(f"http://127.0.0.1:{server.server_port}")
    server.slack = slack  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield slack
    finally:
        server.shutdown()
        server.server_close()


def by_bot(slack: Slack, token: str = TOKEN, channel: str = CHANNEL) -> Settings:
    return Settings(_env_file=None, slack_bot_token=SecretStr(token), slack_channel=channel, slack_base_url=slack.api)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are written apart: else the body waits 40 ms

    def do_POST(self) -> None:
        slack: Slack = self.server.slack  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        if self.path == HOOK:
            if slack.page:
                self._answer(slack.page, PAGE)
            else:
                self._post(slack, json.loads(body), webhook=True)
            return
        if not self.path.startswith("/api/"):
            self._answer(404, "no_service")
            return
        method = self.path.removeprefix("/api/").split("?")[0]
        given = {name: values[-1] for name, values in parse_qs(body).items()}
        if self.headers["Content-Type"].startswith("application/json"):
            given = json.loads(body)
        with slack.lock:
            slack.calls.append((method, time.monotonic()))
        if slack.page:
            self._answer(slack.page, PAGE)
        elif slack.refuse:
            self._answer(200, {"ok": False, "error": slack.refuse})
        elif self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._answer(200, {"ok": False, "error": "invalid_auth"})
        elif (scope := SCOPES.get(method)) and scope not in slack.scopes:
            self._answer(200, {"ok": False, "error": "missing_scope", "needed": scope})
        else:
            self._call(slack, method, given)

    def _call(self, slack: Slack, method: str, given: dict[str, Any]) -> None:
        match method:
            case "chat.postMessage":
                self._post(slack, given, webhook=False)
            case "chat.update":
                self._post(slack, given, webhook=False, edits=True)
            case "chat.scheduleMessage" | "chat.deleteScheduledMessage" | "chat.scheduledMessages.list":
                self._schedule(slack, method, given)
            case "conversations.history" | "conversations.replies":
                self._look(slack, method, given)
            case _:
                self._answer(200, {"ok": False, "error": "unknown_method"})

    do_GET = do_POST

    def _post(self, slack: Slack, given: dict[str, Any], webhook: bool, edits: bool = False) -> None:
        for name in ("blocks", "metadata"):
            if isinstance(given.get(name), str):
                given[name] = json.loads(given[name])
        with slack.lock:
            behave = slack.misbehave.pop(0) if slack.misbehave else ""
        if self._cut_off(slack, "before_keeping"):
            return
        time.sleep(SLOW_S if behave == "late" else 0)
        if behave == "429":
            self._answer(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": str(RETRY_AFTER_S)})
        elif behave in _PAGES:
            self._answer(int(behave), _PAGES[behave])
        elif behave == "hang":
            self.close_connection = True  # the connection ends without an answer
        elif problem := _problem(slack, given, webhook):
            self._answer(*((400, problem) if webhook else (200, {"ok": False, "error": problem})))
        elif edits:
            self._edit(slack, given, behave)
        else:
            self._keep(slack, given, webhook, behave)

    def _edit(self, slack: Slack, given: dict[str, Any], behave: str) -> None:
        with slack.lock:
            known = given.get("ts") in [message["ts"] for message in slack.messages]
            if known:
                slack.edits.append({**given, "at": time.monotonic(), "wall": time.time()})
        if not known or given["ts"] in slack.deleted:
            self._answer(200, {"ok": False, "error": "message_not_found"})
        elif behave == "swallow":
            self.close_connection = True
        else:
            self._answer(200, {"ok": True, "channel": CHANNEL, "ts": given["ts"]})

    def _schedule(self, slack: Slack, method: str, given: dict[str, Any]) -> None:
        with slack.lock:
            if method == "chat.scheduledMessages.list":
                self._answer(200, {"ok": True, "scheduled_messages": list(slack.scheduled)})
            elif method == "chat.scheduleMessage":
                identifier = f"Q{len(slack.calls):06d}"
                due = int(given["post_at"])
                slack.scheduled.append({"id": identifier, "channel_id": CHANNEL, "post_at": due, "text": given["text"]})
                self._answer(200, {"ok": True, "channel": CHANNEL, "scheduled_message_id": identifier, "post_at": due})
            else:
                before = len(slack.scheduled)
                wanted = given["scheduled_message_id"]
                slack.scheduled[:] = [one for one in slack.scheduled if one["id"] != wanted]
                gone = len(slack.scheduled) < before
                self._answer(200, {"ok": True} if gone else {"ok": False, "error": "invalid_scheduled_message_id"})

    def _keep(self, slack: Slack, given: dict[str, Any], webhook: bool, behave: str) -> None:
        ts = f"{time.time():.6f}"
        if given.get("thread_ts") in slack.deleted:
            del given["thread_ts"]
        kept = {name: given[name] for name in ("text", "thread_ts") if name in given}
        with slack.lock:
            if slack.messages and time.monotonic() - slack.messages[-1]["at"] < 0.95:
                slack.problems.append("two messages within a second")
            slack.messages.append({**given, "ts": ts, "at": time.monotonic(), "wall": time.time()})
        if self._cut_off(slack, "before_answering"):
            return
        if behave == "swallow":
            self.close_connection = True
            return
        if behave in _PIECES:
            self._break_off(_PIECES[behave])
            return
        if behave == "slow":
            time.sleep(SLOW_S)
        self._answer(200, slack.taken if webhook else {"ok": True, "channel": CHANNEL, "ts": ts, "message": kept})

    def _cut_off(self, slack: Slack, moment: str) -> bool:
        """Makes the call that a test wants at a moment, once, and whether there was one: then there is no answer."""
        act = getattr(slack, moment)
        if act is None:
            return False
        setattr(slack, moment, None)
        act()
        self.close_connection = True
        return True

    def _look(self, slack: Slack, method: str, given: dict[str, Any]) -> None:
        if given.get("channel") != CHANNEL:
            self._answer(200, {"ok": False, "error": "channel_not_found"})
            return
        thread = given.get("ts") if method == "conversations.replies" else None
        if thread in slack.deleted:
            self._answer(200, {"ok": False, "error": "thread_not_found"})
            return
        with slack.lock:
            found = [
                {"ts": message["ts"], "text": message["text"], "metadata": message.get("metadata") or {}}
                for message in slack.messages
                if message.get("thread_ts") == thread and float(message["ts"]) >= float(given.get("oldest", 0))
            ]
        if str(given.get("include_all_metadata")).lower() not in ("1", "true"):
            for message in found:
                del message["metadata"]
        self._answer(200, {"ok": True, "messages": found[::-1], "has_more": False})

    def _answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        with suppress(ConnectionError):  # the client no longer waited
            self.wfile.write(raw)

    def _break_off(self, piece: bytes) -> None:
        """Answers without a length, as a proxy does whose answers end with the connection."""
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(piece)

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


def _problem(slack: Slack, given: dict[str, Any], webhook: bool) -> str | None:
    """What Slack would not take of a message."""
    if not webhook and given.get("channel") not in (CHANNEL, "#alerts"):
        return "channel_not_found"
    if slack.refuses_answers and given.get("thread_ts") in slack.deleted:
        return "thread_not_found"
    if problem := _block_problem(given):
        slack.problems.append(problem)
        return "invalid_blocks"
    return None


def _block_problem(given: dict[str, Any]) -> str | None:
    blocks = given.get("blocks") or []
    if not given.get("text"):
        return "no text"
    if len(blocks) > 50:
        return "more than 50 blocks"
    for block in blocks:
        texts = [block["text"]] if "text" in block else block.get("fields") or block["elements"]
        if len(texts) > 10:
            return "more than 10 elements in a context, or fields in a section"
        longest = 2000 if "fields" in block else 3000
        for text in texts:
            if not 1 <= len(text["text"]) <= longest:
                return f"a text of {len(text['text'])} characters"
    if len(given["text"]) > 40_000:
        return "a text of more than 40,000 characters"
    return None
