"""Messages on their way to a Slack that misbehaves."""

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from pydantic import SecretStr

from alerts import routes, sender
from alerts.outbox import Outbox
from alerts.routes import REPEATED, Letter, choose_route
from alerts.sender import Sender
from readings.errors import ConfigError
from tests.alerts.outbox import Stored, all_sent, sending, settings, wait_until
from tests.alerts.slack import CHANNEL, RETRY_AFTER_S, TOKEN, Slack, by_bot

pytestmark = pytest.mark.usefixtures("quick")


def test_a_resolve_answers_in_the_thread_of_its_firing_a_second_later(
    slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes.Bot, "pause_s", 1.0)
    stored = Stored()
    stored.put("a", "late")
    stored.put("b", "late no more", answers="a")

    with sending(stored, by_bot(slack)):
        wait_until(all_sent(stored))

    firing, resolved = slack.messages
    assert resolved["thread_ts"] == firing["ts"]
    assert resolved["at"] - firing["at"] >= 0.95
    assert firing["metadata"] == {"event_type": "skywatt_alert", "event_payload": {"id": "a"}}
    assert slack.problems == []


def test_429_waits_as_told_and_the_message_goes_out_once(slack: Slack) -> None:
    stored = Stored()
    stored.put("a", "late")
    slack.misbehave.append("429")

    with sending(stored, by_bot(slack)) as waits:
        wait_until(all_sent(stored))

    posts = [at for method, at in slack.calls if method == "chat.postMessage"]
    assert posts[1] - posts[0] >= RETRY_AFTER_S
    assert len(slack.messages) == 1
    assert f"slack (rate limit, Retry-After {RETRY_AFTER_S} s)" in waits


@pytest.mark.parametrize("misbehaviour", ["500", "hang", "swallow", "slow", "cut", "empty"])
def test_where_it_is_unclear_the_channel_is_asked_and_the_message_is_there_once(
    slack: Slack, monkeypatch: pytest.MonkeyPatch, misbehaviour: str
) -> None:
    monkeypatch.setattr(routes, "TIMEOUT_S", 0.5)
    stored = Stored()
    stored.put("a", "late")
    slack.misbehave.append(misbehaviour)

    with sending(stored, by_bot(slack)):
        wait_until(all_sent(stored))

    assert len(slack.messages) == 1
    assert REPEATED not in slack.texts[0]
    assert "conversations.history" in [method for method, _ in slack.calls]


@pytest.mark.parametrize(
    ("by_webhook", "status", "reason", "state", "repeated"),
    [
        (False, 200, "slack (an answer that is not Slack's)", "sending", False),
        (True, 200, "slack (an answer that is not Slack's)", "sending", True),
        (False, 407, "slack (HTTP 407, not Slack's answer: a proxy?)", "queued", False),
        (True, 407, "slack (HTTP 407, not Slack's answer: a proxy?)", "queued", False),
    ],
)
def test_a_proxys_page_is_told_as_what_it_is_and_the_message_goes_out_once(
    slack: Slack,
    monkeypatch: pytest.MonkeyPatch,
    by_webhook: bool,
    status: int,
    reason: str,
    state: str,
    repeated: bool,
) -> None:
    monkeypatch.setattr(sender, "TRIES_IN_OTHER_WORDS", 1000)
    stored = Stored()
    stored.put("a", "late")
    slack.page = status

    of = settings(slack_webhook_url=SecretStr(slack.hook)) if by_webhook else by_bot(slack)
    with sending(stored, of) as waits:
        wait_until(lambda: len(waits) > 2)
        assert (set(waits), stored.states) == ({reason}, [state])
        slack.page = None
        wait_until(all_sent(stored))

    assert [REPEATED in text for text in slack.texts] == [repeated]


@pytest.mark.parametrize("status", [200, 404, 407])
def test_behind_a_proxys_page_nothing_is_looked_for_and_so_nothing_is_sent(slack: Slack, status: int) -> None:
    stored = Stored()
    stored.put("a", "late")
    with sending(stored, by_bot(slack)):
        wait_until(all_sent(stored))
    stored.change("a", state="sending", ts=None)
    slack.page = status

    with sending(stored, by_bot(slack)) as waits:
        wait_until(lambda: len(waits) > 2)
        slack.page = None
        wait_until(all_sent(stored))

    assert {method for method, _ in slack.calls[1:]} == {"conversations.history"}
    assert len(slack.messages) == 1


@pytest.mark.parametrize("misbehaviour", ["hang", "swallow"])
def test_an_unclear_answer_is_looked_for_in_its_thread(slack: Slack, misbehaviour: str) -> None:
    stored = Stored()
    stored.put("a", "late")
    with sending(stored, by_bot(slack)):
        wait_until(all_sent(stored))
        slack.misbehave.append(misbehaviour)
        stored.put("b", "late no more", answers="a")
        wait_until(all_sent(stored))

    assert len(slack.messages) == 2
    assert "conversations.replies" in [method for method, _ in slack.calls]


def test_what_was_sent_just_before_an_end_is_found_and_not_repeated(slack: Slack) -> None:
    stored = Stored()
    stored.put("a", "late")
    with sending(stored, by_bot(slack)):
        wait_until(all_sent(stored))
    stored.change("a", state="sending", ts=None)

    with sending(stored, by_bot(slack)):
        wait_until(all_sent(stored))

    assert len(slack.messages) == 1
    assert stored.documents[0]["ts"] == slack.messages[0]["ts"]


@pytest.mark.parametrize(
    ("ahead_h", "tried_ahead_h"),
    [(0.5, 0.5), (3, 0)],
    ids=["half an hour ahead of Slack's", "put back by three hours before it was sent"],
)
def test_what_was_sent_is_found_by_a_clock_that_is_ahead_or_was(
    slack: Slack, ahead_h: float, tried_ahead_h: float
) -> None:
    stored = Stored()
    stored.put("a", "late")
    with sending(stored, by_bot(slack)):
        wait_until(all_sent(stored))
    written_at, tried_at = (datetime.now(UTC) + timedelta(hours=hours) for hours in (ahead_h, tried_ahead_h))
    stored.change("a", state="sending", ts=None, written_at=written_at, tried_at=tried_at)

    with sending(stored, by_bot(slack)):
        wait_until(all_sent(stored))

    assert len(slack.messages) == 1


def test_what_was_not_sent_before_the_clock_was_put_back_does_not_wait_as_long_as_the_step(slack: Slack) -> None:
    stored = Stored()
    stored.put("a", "late")
    ahead = datetime.now(UTC) + timedelta(hours=3)
    stored.change("a", state="sending", written_at=ahead, tried_at=ahead)

    with sending(stored, by_bot(slack)):
        wait_until(all_sent(stored))

    assert len(slack.messages) == 1


def test_without_the_right_to_read_the_channel_it_is_sent_again_and_says_so(slack: Slack) -> None:
    stored = Stored()
    stored.put("a", "late")
    slack.scopes.remove("channels:history")
    slack.misbehave.append("swallow")

    with sending(stored, by_bot(slack)):
        wait_until(all_sent(stored))

    assert [REPEATED in text for text in slack.texts] == [False, True]


def test_a_channel_by_name_is_looked_into_by_the_id_that_slack_told(slack: Slack) -> None:
    stored = Stored()
    stored.put("a", "late")
    with sending(stored, by_bot(slack, channel="#alerts")):
        wait_until(all_sent(stored))
        slack.misbehave.append("swallow")
        stored.put("b", "silent")
        wait_until(all_sent(stored))

    assert len(slack.messages) == 2


@pytest.mark.parametrize(
    ("token", "channel", "reason"),
    [("xoxb-wrong-token", CHANNEL, "invalid_auth"), (TOKEN, "C0000000000", "channel_not_found")],
)
def test_a_wrong_setting_is_said_without_a_secret_and_the_message_stays(
    slack: Slack, caplog: pytest.LogCaptureFixture, token: str, channel: str, reason: str
) -> None:
    stored = Stored()
    stored.put("a", "late")

    with caplog.at_level(logging.DEBUG), sending(stored, by_bot(slack, token, channel)) as waits:
        wait_until(lambda: len(waits) > 1)

    assert stored.states == ["queued"]
    assert waits[0] is not None
    assert reason in waits[0]
    assert token not in caplog.text + str(waits)
    with sending(stored, by_bot(slack)):
        wait_until(all_sent(stored))
    assert len(slack.messages) == 1


def test_while_slack_cannot_be_reached_the_message_waits(slack: Slack) -> None:
    stored = Stored()
    stored.put("a", "late")
    nowhere = settings(
        slack_bot_token=SecretStr(TOKEN), slack_channel=CHANNEL, slack_base_url="http://127.0.0.1:9/api/"
    )

    with sending(stored, nowhere) as waits:
        wait_until(lambda: len(waits) > 2)

    assert stored.states == ["queued"]


@pytest.mark.parametrize("refuses", [False, True])
@pytest.mark.parametrize("misbehaviour", ["", "swallow", "hang"])
def test_an_answer_whose_firing_was_deleted_stands_alone_and_is_there_once(
    slack: Slack, refuses: bool, misbehaviour: str
) -> None:
    stored = Stored()
    stored.put("a", "late")
    with sending(stored, by_bot(slack)):
        wait_until(all_sent(stored))
        slack.deleted.add(slack.messages[0]["ts"])
        slack.refuses_answers = refuses
        slack.misbehave.append(misbehaviour)
        stored.put("b", "late no more", answers="a")
        wait_until(all_sent(stored))

    assert len(slack.messages) == 2
    assert REPEATED not in slack.shown[1]
    assert "Belongs to: late" in slack.shown[1]


def test_without_slack_the_message_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    stored = Stored()
    stored.put("a", "late")

    with sending(stored, settings()):
        wait_until(all_sent(stored))

    [record] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert record.getMessage() == "late: Bergen (rule late)"


@pytest.mark.parametrize(
    ("given", "missing"),
    [({"slack_bot_token": SecretStr("xoxb-1")}, "SLACK_CHANNEL"), ({"slack_channel": "#a"}, "SLACK_BOT_TOKEN")],
)
def test_half_a_setting_is_refused_by_the_name_of_the_other_half(given: dict[str, Any], missing: str) -> None:
    with pytest.raises(ConfigError, match=f"^{missing} is not set"):
        choose_route(settings(**given))


def test_what_was_over_before_it_was_sent_says_first_that_it_began(slack: Slack) -> None:
    stored = Stored()
    stored.put("a", "late")
    stored.documents[0] |= {"first": stored.documents[0]["message"]}
    stored.edit("a", "late no more")
    stored.put("b", "late no more", answers="a")
    with sending(stored, by_bot(slack)):
        wait_until(all_sent(stored))

    assert [text.split(":")[0] for text in slack.texts] == ["late", "late no more"]
    assert slack.shown[0].startswith("late no more")


class Broken(routes.Log):
    """Breaks in a way that nobody foresaw, the first time."""

    def __init__(self) -> None:
        self.left = 1

    def send(self, letter: Letter) -> routes.Posted:
        if self.left:
            self.left -= 1
            raise ValueError(f"Invalid header value b'Bearer {TOKEN}'")
        return super().send(letter)


def test_what_nobody_foresaw_is_told_by_its_type_and_the_message_goes_out(caplog: pytest.LogCaptureFixture) -> None:
    stored = Stored()
    stored.put("a", "late")
    waits: list[str | None] = []
    with Sender(cast(Outbox, stored), Broken(), lambda: True, waits.append, lambda: None, "one"):
        wait_until(all_sent(stored))

    assert "ValueError" in str(waits[0])
    assert TOKEN not in caplog.text + str(waits)


@pytest.mark.parametrize("by_webhook", [False, True])
def test_a_gateways_page_in_another_encoding_is_no_answer(slack: Slack, by_webhook: bool) -> None:
    stored = Stored()
    stored.put("a", "late")
    slack.misbehave.append("502")
    of = settings(slack_webhook_url=SecretStr(slack.hook)) if by_webhook else by_bot(slack)

    with sending(stored, of):
        wait_until(all_sent(stored))

    assert len(slack.messages) == 1


def test_what_slack_keeps_after_it_was_looked_for_is_not_sent_again(
    slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "TIMEOUT_S", 0.3)
    monkeypatch.setattr(sender, "LOOK_AGAIN", timedelta(seconds=3))
    stored = Stored()
    stored.put("a", "late")
    slack.misbehave.append("late")

    with sending(stored, by_bot(slack)):
        wait_until(all_sent(stored))
        time.sleep(0.1)

    assert len(slack.messages) == 1
    assert [method for method, _ in slack.calls].count("chat.postMessage") == 1


def test_two_engines_on_one_outbox_send_a_message_once(slack: Slack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "LOOK_AGAIN", timedelta(seconds=3))
    stored = Stored()
    stored.put("a", "late")
    slack.misbehave.append("late")

    with sending(stored, by_bot(slack), "one"):
        wait_until(lambda: stored.states == ["sending"])
        with sending(stored, by_bot(slack), "another"):
            wait_until(all_sent(stored))

    assert [method for method, _ in slack.calls].count("chat.postMessage") == 1


class Overtaken(Stored):
    """Another engine takes the first message between reading and sending it."""

    def next(self, now: datetime) -> dict[str, Any] | None:
        read = super().next(now)
        if read and "by" not in read:
            self.change("a", state="sending", by="another")
        return read


def test_a_message_that_another_engine_has_taken_is_looked_for_first(slack: Slack) -> None:
    stored, counted = Overtaken(), list[int]()
    stored.put("a", "late")

    of = choose_route(by_bot(slack))
    with Sender(cast(Outbox, stored), of, lambda: True, lambda _: None, lambda: counted.append(1), "one"):
        wait_until(all_sent(stored))

    assert len(counted) == 1
    assert slack.calls[0][0] == "conversations.history"
    assert len(slack.messages) == 1


@pytest.mark.parametrize("by_webhook", [False, True])
def test_a_message_whose_blocks_are_refused_goes_as_text_and_holds_up_no_other(slack: Slack, by_webhook: bool) -> None:
    stored = Stored()
    stored.put("a", "late <!channel>")
    stored.documents[0]["message"]["link"] = {"text": "x" * 3100, "url": "http://h"}
    stored.put("b", "silent")
    of = settings(slack_webhook_url=SecretStr(slack.hook)) if by_webhook else by_bot(slack)

    with sending(stored, of):
        wait_until(all_sent(stored))

    assert [bool(message.get("blocks")) for message in slack.messages] == [False, True]
    assert slack.texts[0].startswith("late &lt;!channel&gt;: Bergen (rule late)")


def test_what_an_earlier_version_left_under_way_is_looked_for_and_sent(slack: Slack) -> None:
    stored = Stored()
    stored.put("a", "late", state="sending")
    del stored.documents[0]["tried_at"]

    with sending(stored, by_bot(slack)):
        wait_until(all_sent(stored))

    assert len(slack.messages) == 1
