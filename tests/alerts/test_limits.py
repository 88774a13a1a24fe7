"""The limits of what is told in an hour hold whatever the alerts do. Rounds as in `Play`."""

import pytest

from alerts.notices import ROWS_KEPT
from tests.alerts.play import RULES, Play


@pytest.mark.parametrize("can_edit", [True, False])
def test_what_comes_and_goes_beyond_the_limit_is_told_in_one_summary_an_hour(can_edit: bool) -> None:
    play = Play(can_edit=can_edit, messages_per_hour=1, group_for="0s")
    play.round(["a"])
    for minute in range(59):
        play.round(["b"] if minute % 2 == 0 else [], rule="late")
    assert play.said == ["firing: a silent", "firing: 1 further alert"]

    [summary] = play.round([], minutes=2, rule="late").posts
    assert play.said[2:] == ["resolved: 30 further alerts no more"]
    assert summary.message.table[1].split() == ["late", "weather", "30", "b"]


def test_what_comes_and_goes_takes_no_room_in_the_summary_from_what_stays() -> None:
    rules = [*RULES["rules"], {"name": "another", "kind": "silent"}]
    play = Play(messages_per_hour=1, group_for="0s", rules=rules)
    play.round(["a"])
    for turn in range(2 * ROWS_KEPT):
        play.round(["b"] if turn % 2 == 0 else [], minutes=0.25, rule="late")
    play.round(["c"], rule="another")
    [summary] = [notice for notice in play.notices.open.values() if notice.is_summary]
    assert (len(summary.rows), summary.total) == (ROWS_KEPT, ROWS_KEPT + 1)
    assert "c" in [alert.key.series for alert in summary.rows]


def test_a_summary_of_which_all_is_well_says_so_before_it_ends() -> None:
    play = Play(messages_per_hour=1, group_for="0s")
    play.round(["a"])
    play.round(["b"], rule="late")
    play.round([], rule="late", minutes=2)
    assert list(play.shown.values())[1:] == ["1 further alert, all well now"]
    assert play.said == ["firing: a silent", "firing: 1 further alert"]


def test_a_clock_that_is_put_back_holds_no_summarys_end_and_nothing_new_back() -> None:
    play = Play(messages_per_hour=1, group_for="0s")
    play.round(["a"])
    play.round(["b"], rule="late")
    play.round([], rule="late", minutes=-24 * 60)
    assert play.said[2:] == ["resolved: 1 further alert no more"]

    waiting = Play(can_edit=False, group_for="5min")
    waiting.round(["a"])
    waiting.round(["a", "b"], minutes=-180)
    assert waiting.said == ["firing: a silent", "firing: b silent"]
