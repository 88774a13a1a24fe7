"""How messages leave: by a bot, by an incoming webhook, or into the log. Which one, the settings say.

Slack's side: api.slack.com/methods/chat.postMessage, /methods/chat.update, /methods/conversations.history,
/methods/chat.scheduleMessage, /messaging/webhooks, /apis/web-api/rate-limits. slack-sdk's own retries are off: it
repeats where it cannot know whether the first arrived.
"""

import html
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, cast

from slack_sdk import WebClient, WebhookClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

from alerts.answers import CODE, NOT_SLACKS, TRANSPORT, api_problem, code_of, problem_of, told, transport_problem
from alerts.errors import CannotLook, Gone, NotSent, OtherWords, Refused, Unclear
from alerts.messages import Blocks, Message
from readings.errors import ConfigError
from readings.settings import Settings

EVENT_TYPE = "skywatt_alert"
TIMEOUT_S = 10
MOST_PAGES = 20
"""Of 200 messages each, looked through for one that may have been sent."""
CLOCKS_APART = timedelta(hours=1)
"""Our clock may be ahead of Slack's by so much: a message is known by its id, and only not looked for before this."""

STAYS = "Sent by a webhook: this message cannot be edited; its end is a message of its own."
REPEATED = "It could not be seen whether this message was sent before: it may be here twice."

_NO_THREAD = {"thread_not_found", "invalid_thread_ts", "cannot_reply_to_message"}
_UNFIT = {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "no_text"}
"""Refusals of how one message looks, which would hold up all others."""
_TAKEN = re.compile(r'ok|\{.*"(?:ok|success)"\s*:\s*true\b.*\}', re.DOTALL)
"""What a webhook answers that took a message: Slack's and Mattermost's ``ok``, Rocket.Chat's ``{"success":true}``."""
_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{8,}")

log = logging.getLogger(__name__)
_mute = logging.getLogger("alerts.slack_sdk")
_mute.setLevel(logging.CRITICAL + 1)  # it would log addresses and answers; what matters is raised to us as well


@dataclass(frozen=True)
class Posted:
    """Where a message is."""

    channel: str | None = None
    ts: str | None = None


@dataclass(frozen=True)
class Letter:
    """One message on its way."""

    id: str
    message: Message
    thread: Posted | None
    """The message this one answers, where that one can be answered."""
    belongs_to: str | None
    """What the message it answers was called."""
    repeated: bool = False
    """Whether it may have been sent before."""
    broadcast: bool = False
    """Whether an answer is shown in the channel as well."""
    plain: bool = False
    """Whether it goes without blocks."""

    @property
    def remarks(self) -> list[str]:
        """What is said below the message."""
        remarks = [f"Belongs to: {self.belongs_to}"] if self.belongs_to and self.thread is None else []
        return [*remarks, REPEATED] if self.repeated else remarks

    @property
    def text(self) -> str:
        """The whole as one line; where it is all there is, nothing in it is taken for Slack's marks."""
        text = " ".join([self.message.line, *self.remarks])
        return html.escape(text, quote=False) if self.plain else text

    def blocks(self, *remarks: str) -> Blocks:
        """The whole in Slack's Block Kit, with these remarks and its own below."""
        return [] if self.plain else self.message.blocks(*remarks, *self.remarks)


class Route(Protocol):
    """One way out."""

    name: str
    """What is kept beside each message sent: threads go on only within one route."""
    described: str
    """For people, without a secret."""
    pause_s: float
    """At least so long between two messages."""
    can_edit: bool
    """Whether a message can be changed later."""

    def send(self, letter: Letter) -> Posted:
        """Sends once. Raises NotSent, Refused or Unclear."""

    def find(self, letter: Letter, since: datetime, known_channel: str | None, /) -> Posted | None:
        """Where the message is if it was sent, at `since` or later, or None. Raises CannotLook, NotSent."""

    def edit(self, posted: Posted, letter: Letter, /) -> None:
        """Changes a message that was sent; doing it twice is as once. Raises NotSent, Refused, Unclear or Gone."""


def choose_route(settings: Settings) -> Route:
    """The way out that the settings name. Raises ConfigError where only half of one is set, or it is no address."""
    token, channel, webhook = settings.slack_bot_token, settings.slack_channel, settings.slack_webhook_url
    if token and channel:
        return Bot(token.get_secret_value(), channel, settings.slack_base_url)
    if token:
        raise ConfigError("SLACK_CHANNEL is not set, but SLACK_BOT_TOKEN is: set both, or neither")
    if channel and not webhook:
        raise ConfigError("SLACK_BOT_TOKEN is not set, but SLACK_CHANNEL is: set both, or neither")
    if webhook:
        url = webhook.get_secret_value()
        if not url.startswith(("http://", "https://")):
            raise ConfigError("SLACK_WEBHOOK_URL: expected an address that begins with https://")
        return Webhook(url)
    return Log()


class Bot:
    """chat.postMessage and chat.update: answers stand in the thread, and what may have been sent is looked for."""

    pause_s = 1.0
    can_edit = True

    def __init__(self, token: str, channel: str, base_url: str) -> None:
        base_url = base_url if base_url.endswith("/") else base_url + "/"
        self._client = WebClient(token, base_url=base_url, timeout=TIMEOUT_S, retry_handlers=[], logger=_mute)
        self.channel = channel
        self.name = f"bot {channel}"
        self.described = f"Slack channel {channel}, by a bot"

    def send(self, letter: Letter) -> Posted:
        """Sends once. Raises NotSent, Refused or Unclear."""
        try:
            answer = self._post(letter)
        except SlackApiError as error:
            code = code_of(error)
            if letter.thread and code in _NO_THREAD:
                log.warning("the message to be answered is gone (%s): the answer stands alone", code)
                return self.send(replace(letter, thread=None))
            if code in _UNFIT and not letter.plain:
                return self.send(_plain(letter, code))
            raise api_problem(error) from error
        except TRANSPORT as error:
            raise transport_problem(error) from error
        posted = Posted(answer["channel"], answer["ts"])
        if letter.thread and "thread_ts" not in answer.get("message", {"thread_ts": ""}):
            self._stands_alone(posted, letter)
        return posted

    def edit(self, posted: Posted, letter: Letter) -> None:
        """Changes a message that was sent. Raises NotSent, Refused, Unclear or Gone."""
        try:
            self._client.chat_update(
                channel=posted.channel or self.channel,
                ts=posted.ts or "",
                text=letter.text[:3000],
                blocks=letter.blocks(),
                metadata=_metadata(letter),
            )
        except SlackApiError as error:
            code = code_of(error)
            if code in _UNFIT and not letter.plain:
                self.edit(posted, _plain(letter, code))
                return
            if code in _CANNOT_EDIT:
                raise Gone(code) from error
            raise api_problem(error) from error
        except TRANSPORT as error:
            raise transport_problem(error) from error

    def scheduled(self, text: str) -> list[Posted]:
        """What Slack is to post later and holds that text; `ts` is its id. Raises NotSent, Refused or Unclear."""
        with told():
            answer = self._client.chat_scheduledMessages_list(limit=100)
        listed = cast(Iterable[Mapping[str, Any]], answer["scheduled_messages"])
        return [Posted(one["channel_id"], one["id"]) for one in listed if text in one["text"]]

    def schedule(self, text: str, post_at: datetime) -> None:
        """Has Slack post a text at a time to come. Raises NotSent, Refused or Unclear."""
        with told():
            self._client.chat_scheduleMessage(channel=self.channel, text=text, post_at=int(post_at.timestamp()))

    def unschedule(self, scheduled: Posted) -> None:
        """Has Slack not post it; nothing to do where it was posted. Raises NotSent, Refused or Unclear."""
        try:
            self._client.chat_deleteScheduledMessage(
                channel=scheduled.channel or "", scheduled_message_id=scheduled.ts or ""
            )
        except SlackApiError as error:
            if code_of(error) != "invalid_scheduled_message_id":
                raise api_problem(error) from error
        except TRANSPORT as error:
            raise transport_problem(error) from error

    def find(self, letter: Letter, since: datetime, known_channel: str | None) -> Posted | None:
        """Where the message is if it was sent, at `since` or later, or None. Raises CannotLook, NotSent."""
        channel = self.channel if _CHANNEL_ID.fullmatch(self.channel) else known_channel
        if channel is None:
            raise CannotLook("the channel's id is not known: SLACK_CHANNEL holds a name")
        try:
            return self._look(letter, channel, since - CLOCKS_APART)
        except SlackApiError as error:
            problem = api_problem(error)
            if isinstance(problem, Refused) and code_of(error):
                raise CannotLook(str(problem)) from error
            raise NotSent(str(problem), getattr(problem, "wait_s", None)) from error
        except TRANSPORT as error:
            raise NotSent(str(transport_problem(error))) from error

    def _stands_alone(self, posted: Posted, letter: Letter) -> None:
        """Has an answer say what it belongs to: Slack posts it in the channel where what it answers was deleted."""
        log.warning("the message to be answered is gone: the answer stands alone")
        try:
            self.edit(posted, replace(letter, thread=None))
        except (NotSent, Unclear, Gone) as error:  # it is sent: that it be sent again would be worse
            log.warning("it does not say what it belongs to: %s", error)

    def _post(self, letter: Letter) -> SlackResponse:
        return self._client.chat_postMessage(
            channel=self.channel,
            text=letter.text[:3000],
            blocks=letter.blocks() or None,
            thread_ts=letter.thread.ts if letter.thread else None,
            reply_broadcast=letter.broadcast if letter.thread else None,
            metadata=_metadata(letter),
            unfurl_links=False,
        )

    def _look(self, letter: Letter, channel: str, since: datetime) -> Posted | None:
        """Goes through the thread the message belongs to, for history does not hold answers; else the channel."""
        try:
            return self._look_through(letter, channel, since)
        except SlackApiError as error:
            if not letter.thread or code_of(error) not in _NO_THREAD:
                raise
        posted = self._look_through(replace(letter, thread=None), channel, since)
        if posted:
            self._stands_alone(posted, letter)
        return posted

    def _look_through(self, letter: Letter, channel: str, since: datetime) -> Posted | None:
        cursor = None
        for _ in range(MOST_PAGES):
            pages = {"channel": channel, "oldest": f"{since.timestamp():.6f}", "limit": 200, "cursor": cursor}
            if letter.thread and letter.thread.ts:
                answer = self._client.conversations_replies(
                    ts=letter.thread.ts, include_all_metadata=True, **cast(Any, pages)
                )
            else:
                answer = self._client.conversations_history(include_all_metadata=True, **cast(Any, pages))
            for message in cast(Iterable[Mapping[str, Any]], answer["messages"]):
                metadata = message.get("metadata", {})
                if (
                    metadata.get("event_type") == EVENT_TYPE
                    and metadata.get("event_payload", {}).get("id") == letter.id
                ):
                    return Posted(channel, message["ts"])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return None
        raise CannotLook(f"more than {MOST_PAGES * 200} messages came since")


class Webhook:
    """An incoming webhook: no threads, and what was sent cannot be seen."""

    pause_s = 1.0
    can_edit = False
    name = "webhook"
    described = "Slack, by an incoming webhook"

    def __init__(self, url: str) -> None:
        self._client = WebhookClient(url, timeout=TIMEOUT_S, retry_handlers=[], logger=_mute)

    def send(self, letter: Letter) -> Posted:
        """Sends once. Raises NotSent, Refused or Unclear."""
        try:
            stays = [] if letter.belongs_to else [STAYS]
            answer = self._client.send(text=letter.text[:3000], blocks=letter.blocks(*stays) or None)
        except TRANSPORT as error:
            raise transport_problem(error) from error
        said = answer.body[:80].strip()
        code = said if CODE.fullmatch(said) else ""
        if code in _UNFIT and not letter.plain:
            return self.send(_plain(letter, code))
        if not 200 <= answer.status_code < 300:
            raise problem_of(answer.status_code, code, answer.headers)
        if not _TAKEN.fullmatch(answer.body.strip()):
            raise OtherWords(NOT_SLACKS)
        return Posted()

    def find(self, *_: object) -> Posted | None:
        """Raises CannotLook: a webhook shows nothing."""
        raise CannotLook("a webhook does not show what was sent")

    def edit(self, *_: object) -> None:
        """Raises Gone: a webhook only sends."""
        raise Gone("a webhook cannot edit")


class Log:
    """One line at WARNING: what there is without Slack."""

    pause_s = 0.0
    can_edit = False
    name = "log"
    described = "the log only"

    def send(self, letter: Letter) -> Posted:
        """Writes the line."""
        log.warning("%s", letter.text)
        return Posted()

    def find(self, *_: object) -> Posted | None:
        """Raises CannotLook: the log is not read."""
        raise CannotLook("the log is not read")

    def edit(self, *_: object) -> None:
        """Raises Gone: a line stays as it is."""
        raise Gone("the log cannot be edited")


def _plain(letter: Letter, code: str) -> Letter:
    log.warning(
        "Slack does not take a message's blocks (%s): its text goes alone", code, extra={"message.id": letter.id}
    )
    return replace(letter, plain=True)


def _metadata(letter: Letter) -> dict[str, Any]:
    return {"event_type": EVENT_TYPE, "event_payload": {"id": letter.id}}


_CANNOT_EDIT = {"message_not_found", "cant_update_message", "edit_window_closed", "msg_too_long"}
