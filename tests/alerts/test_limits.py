"""The limits of what is told in an hour hold whatever the alerts do. Rounds as in `Play`."""

import pytest

from tests.alerts.play import Play


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
