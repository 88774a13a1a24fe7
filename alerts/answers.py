"""What Slack's answers mean: whether a message was sent, was not, or may have been.

Codes: api.slack.com/methods/chat.postMessage#errors; limits: api.slack.com/apis/web-api/rate-limits.
"""

import http.client
import re
import socket
import urllib.error
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from slack_sdk.errors import SlackApiError

from alerts.errors import NotSent, Refused, Unclear

NOT_SLACKS = "an answer that is not Slack's"
CODE = re.compile(r"[a-z0-9_]+")
"""How Slack names what is wrong."""
TRANSPORT = (OSError, http.client.HTTPException, UnicodeDecodeError)
"""No answer, half of one, or a gateway's page in another encoding (URLError and time-outs are OSErrors)."""
_UNCLEAR = {"internal_error", "fatal_error", "request_timeout", "service_unavailable", "team_added_to_org"}
"""Answers after which "some aspect of the operation" may have succeeded."""


@contextmanager
def told() -> Iterator[None]:
    """Raises NotSent, Refused or Unclear for what slack-sdk raises."""
    try:
        yield
    except SlackApiError as error:
        raise api_problem(error) from error
    except TRANSPORT as error:
        raise transport_problem(error) from error


def transport_problem(error: Exception) -> NotSent | Unclear:
    """Only where no connection came about is it certain that nothing was sent."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ConnectionRefusedError | socket.gaierror):
        return NotSent(f"no connection ({type(reason).__name__})")
    return Unclear(f"no answer ({type(reason).__name__})")


def api_problem(error: SlackApiError) -> NotSent | Unclear:
    """What it means that slack-sdk raised."""
    return problem_of(error.response.status_code, code_of(error), error.response.headers)


def problem_of(status: int, code: str, headers: Mapping[str, Any]) -> NotSent | Unclear:
    """What an answer means; `code` is what Slack says, empty where the answer is not Slack's."""
    if status == 429 or code in ("ratelimited", "rate_limited"):
        wait_s = _retry_after(headers)
        return NotSent(f"rate limit, Retry-After {wait_s:g} s", wait_s)
    if status >= 500 or code in _UNCLEAR:
        return Unclear(f"HTTP {status}" if status >= 500 else code)
    if not code and status < 300:
        return Unclear(NOT_SLACKS)
    return Refused(_HINTS.get(code, code) or f"HTTP {status}, not Slack's answer: a proxy?")


_HINTS = {
    "invalid_auth": "invalid_auth: SLACK_BOT_TOKEN is not a token Slack knows",
    "not_authed": "not_authed: SLACK_BOT_TOKEN is empty",
    "account_inactive": "account_inactive: SLACK_BOT_TOKEN belongs to a removed app or user",
    "token_revoked": "token_revoked: SLACK_BOT_TOKEN was revoked",
    "channel_not_found": "channel_not_found: SLACK_CHANNEL names no channel the bot can see",
    "not_in_channel": "not_in_channel: invite the bot to SLACK_CHANNEL",
    "is_archived": "is_archived: SLACK_CHANNEL is archived",
    "missing_scope": "missing_scope: the bot needs chat:write (and channels:history to see what was sent)",
    "no_service": "no_service: SLACK_WEBHOOK_URL was removed or is wrong",
}


def code_of(error: SlackApiError) -> str:
    """What Slack says is wrong; empty where the answer is not Slack's.

    Of a body that is no JSON (a proxy's page, or one cut off) slack-sdk makes an `error` that holds its beginning.
    """
    answer = error.response.data
    code = str(answer.get("error", "")) if isinstance(answer, dict) else ""
    return code if CODE.fullmatch(code) else ""


def _retry_after(headers: Mapping[str, Any]) -> float:
    """Slack names whole seconds; header names come in any case, values alone or in a list."""
    for name, value in headers.items():
        if name.lower() == "retry-after":
            text = value[0] if isinstance(value, list) else value
            return float(text) if str(text).isdigit() else 30.0
    return 30.0
