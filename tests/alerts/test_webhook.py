"""Messages by a webhook, which answers little, edits nothing, and may be a server that is like Slack."""

import logging

import pytest
from pydantic import SecretStr

from alerts import routes
from alerts.routes import REPEATED
from tests.alerts.outbox import Stored, all_sent, sending, settings, wait_until
from tests.alerts.slack import Slack

pytestmark = pytest.mark.usefixtures("quick")


@pytest.mark.parametrize("taken", ["ok", "ok\n", '{"success":true}'])
def test_a_webhook_of_a_server_that_is_like_slack_takes_a_message_once(slack: Slack, taken: str) -> None:
    stored = Stored()
    stored.put("a", "late")
    slack.taken = taken

    with sending(stored, settings(slack_webhook_url=SecretStr(slack.hook))) as waits:
        wait_until(all_sent(stored))

    assert len(slack.messages) == 1
    assert set(waits) == {None}


@pytest.mark.parametrize("words", ['{"message":"Workflow was started"}', "accepted", "", "1"])
def test_a_relay_that_answers_in_other_words_gets_a_message_a_few_times_and_holds_up_no_other(
    slack: Slack, caplog: pytest.LogCaptureFixture, words: str
) -> None:
    stored = Stored()
    stored.put("a", "late")
    stored.put("b", "silent")
    slack.taken = words

    with sending(stored, settings(slack_webhook_url=SecretStr(slack.hook))) as waits:
        wait_until(all_sent(stored))
        assert [(text.startswith("late"), REPEATED in text) for text in slack.texts] == [
            *((True, False), (True, True), (True, True)),
            *((False, False), (False, True), (False, True)),
        ]
        assert caplog.text.count("a message counts as sent, after 3 tries and an answer that is not Slack's") == 2
        wait_until(lambda: waits[-1] is not None and "the last message counts as sent" in waits[-1])

        slack.taken = "ok"
        stored.put("c", "silent no more")
        wait_until(lambda: stored.states[2] == "sent" and waits[-1] is None)
    assert len(slack.texts) == 7


def test_a_webhook_says_what_a_resolve_belongs_to_and_what_may_be_there_twice(slack: Slack) -> None:
    stored = Stored()
    stored.put("a", "late")
    slack.misbehave.append("swallow")

    with sending(stored, settings(slack_webhook_url=SecretStr(slack.hook))):
        wait_until(all_sent(stored))
        stored.edit("a", "late no more")
        stored.put("b", "late no more", answers="a")
        wait_until(all_sent(stored))

    assert [REPEATED in text for text in slack.texts] == [False, True, False]
    assert slack.texts[2].endswith("Belongs to: late")


def test_a_webhook_waits_as_429_says(slack: Slack) -> None:
    stored = Stored()
    stored.put("a", "late")
    slack.misbehave.append("429")

    with sending(stored, settings(slack_webhook_url=SecretStr(slack.hook))) as waits:
        wait_until(all_sent(stored))

    assert len(slack.messages) == 1
    assert any("Retry-After" in str(wait) for wait in waits)


def test_a_webhook_that_is_gone_does_not_show_its_address(slack: Slack, caplog: pytest.LogCaptureFixture) -> None:
    stored = Stored()
    stored.put("a", "late")

    with (
        caplog.at_level(logging.DEBUG),
        sending(stored, settings(slack_webhook_url=SecretStr(f"{slack.url}/services/secret"))) as waits,
    ):
        wait_until(lambda: len(waits) > 1)

    assert "services/secret" not in caplog.text + str(waits)


def test_a_webhook_says_that_its_message_stays_as_it_is(slack: Slack) -> None:
    stored = Stored()
    stored.put("a", "late")
    with sending(stored, settings(slack_webhook_url=SecretStr(slack.hook))):
        wait_until(all_sent(stored))
        stored.edit("a", "late no more")
        wait_until(all_sent(stored))

    assert len(slack.messages) == 1
    assert routes.STAYS in str(slack.messages[0]["blocks"])
