"""The message that Slack posts by itself when nobody puts it off any more."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from alerts import routes
from alerts.dead_man import DeadMan
from alerts.routes import choose_route
from tests.alerts.slack import CHANNEL, TOKEN, Slack, by_bot


def dead_mans(
    slack: Slack, after: timedelta | None, namespace: str = "", channel: str = CHANNEL, token: str = TOKEN
) -> tuple[DeadMan, list[str | None]]:
    bot = choose_route(by_bot(slack, token, channel))
    assert isinstance(bot, routes.Bot)
    waits: list[str | None] = []
    return DeadMan(bot, after, namespace, waits.append), waits


HALF_HOUR = timedelta(minutes=30)


def test_the_dead_mans_message_is_put_off_and_never_posted_twice(slack: Slack) -> None:
    begun = datetime.now(UTC)
    dead_man, _ = dead_mans(slack, HALF_HOUR)
    for minutes in range(0, 61, 5):
        dead_man.beat(begun + timedelta(minutes=minutes))
    dead_mans(slack, HALF_HOUR)[0].beat(begun + timedelta(minutes=61))  # started again

    [left] = slack.scheduled
    assert left["post_at"] == int((begun + timedelta(minutes=91)).timestamp())
    assert "not heard of for 30min" in left["text"]
    assert [method for method, _ in slack.calls].count("chat.scheduleMessage") == 8


@pytest.mark.parametrize(("after", "left"), [(timedelta(minutes=10), ["10min"]), (None, [])])
def test_a_dead_mans_message_of_another_time_is_taken_back_at_the_start(
    slack: Slack, after: timedelta | None, left: list[str]
) -> None:
    now = datetime.now(UTC)
    dead_mans(slack, HALF_HOUR)[0].beat(now)
    dead_man, _ = dead_mans(slack, after)
    dead_man.beat(now)
    dead_man.beat(now + timedelta(days=1))

    assert [one["text"].partition("not heard of for ")[2].split(".")[0] for one in slack.scheduled] == left


def test_two_installations_with_one_bot_leave_each_others_message(slack: Slack) -> None:
    now = datetime.now(UTC)
    of = [("", CHANNEL), ("staging", CHANNEL), ("", "#alerts")]
    men = [dead_mans(slack, HALF_HOUR, namespace, channel)[0] for namespace, channel in of]
    for minutes in (0, 11, 22):
        for dead_man in men:
            dead_man.beat(now + timedelta(minutes=minutes))

    texts = [one["text"] for one in slack.scheduled]
    assert len(set(texts)) == len(texts) == 3
    assert any("staging" in text for text in texts)


def test_a_dead_mans_message_is_not_tried_each_second_after_what_nobody_foresaw(
    slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, asked = datetime.now(UTC), []

    def scheduled(_bot: routes.Bot, begins: str) -> list[str]:
        asked.append(begins)
        raise ValueError

    monkeypatch.setattr(routes.Bot, "scheduled", scheduled)
    dead_man, _ = dead_mans(slack, HALF_HOUR)
    for seconds in (0, 1, 179, 180):
        with suppress(ValueError):
            dead_man.beat(begun + timedelta(seconds=seconds))
    assert len(asked) == 2


def test_a_dead_mans_message_that_slack_refuses_is_told_and_tried_again_a_little_later(slack: Slack) -> None:
    begun = datetime.now(UTC)
    slack.refuse = "missing_scope"
    dead_man, waits = dead_mans(slack, HALF_HOUR)
    dead_man.beat(begun)
    assert "missing_scope" in str(waits[-1])
    slack.refuse = None
    dead_man.beat(begun + timedelta(minutes=2))
    assert slack.scheduled == []
    dead_man.beat(begun + timedelta(minutes=3))

    assert len(slack.scheduled) == 1
    assert waits[-1] is None
