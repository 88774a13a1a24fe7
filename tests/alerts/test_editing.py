"""Messages that are edited while what they tell of goes on."""

import pytest

from tests.alerts.outbox import Stored, all_sent, sending, wait_until
from tests.alerts.slack import Slack, by_bot

pytestmark = pytest.mark.usefixtures("quick")


def test_an_answer_that_stands_alone_and_cannot_be_edited_is_sent_once(slack: Slack) -> None:
    stored = Stored()
    stored.put("a", "late")
    with sending(stored, by_bot(slack)):
        wait_until(all_sent(stored))
        slack.deleted.add(slack.messages[0]["ts"])
        slack.misbehave += ["", "500"]
        stored.put("b", "late no more", answers="a")
        wait_until(all_sent(stored))

    assert len(slack.messages) == 2


def test_an_edit_changes_the_message_and_posts_none(slack: Slack) -> None:
    stored = Stored()
    stored.put("a", "late")
    with sending(stored, by_bot(slack)):
        wait_until(all_sent(stored))
        stored.edit("a", "late and one more")
        wait_until(all_sent(stored))

    assert len(slack.messages) == 1
    assert slack.shown[0].startswith("late and one more")
    assert slack.edits[0]["metadata"]["event_payload"] == {"id": "a"}


@pytest.mark.parametrize("misbehaviour", ["429", "500", "swallow"])
def test_an_edit_is_made_again_until_slack_has_taken_it(slack: Slack, misbehaviour: str) -> None:
    stored = Stored()
    stored.put("a", "late")
    with sending(stored, by_bot(slack)):
        wait_until(all_sent(stored))
        slack.misbehave.append(misbehaviour)
        stored.edit("a", "late no more")
        wait_until(all_sent(stored))

    assert slack.shown == ["late no more: Bergen (rule late)"]
    assert [method for method, _ in slack.calls].count("chat.update") == 2


def test_a_message_that_was_deleted_is_not_edited_for_ever(slack: Slack) -> None:
    stored = Stored()
    stored.put("a", "late")
    with sending(stored, by_bot(slack)):
        wait_until(all_sent(stored))
        slack.deleted.add(slack.messages[0]["ts"])
        stored.edit("a", "late no more")
        wait_until(all_sent(stored))

    assert [method for method, _ in slack.calls].count("chat.update") == 1


def test_an_edit_whose_blocks_are_refused_is_made_with_its_text(slack: Slack) -> None:
    stored = Stored()
    stored.put("a", "late")
    with sending(stored, by_bot(slack)):
        wait_until(all_sent(stored))
        stored.edit("a", "late no more")
        stored.documents[0]["message"]["link"] = {"text": "x" * 3100, "url": "http://h"}
        wait_until(all_sent(stored))

    assert slack.shown[0].startswith("late no more")
    assert slack.edits[0]["blocks"] == []
