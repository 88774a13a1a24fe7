"""Which messages there are, played round by round with alerts made by hand."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from alerts.notices import Notices
from alerts.states import Finding, State
from tests.alerts.play import Play


def test_what_begins_together_is_one_message_and_one_end() -> None:
    play = Play()
    play.round(["Bergen", "Oslo", "Troms"])
    play.round(["Oslo"])
    play.round([])

    assert play.said == ["firing: Bergen and 2 more silent", "resolved: Bergen and 2 more silent no more"]


def test_what_begins_a_little_later_joins_the_message_by_an_edit() -> None:
    play = Play()
    play.round(["Bergen"])
    play.round(["Bergen", "Oslo"])

    assert play.said == ["firing: Bergen silent"]
    assert list(play.shown.values()) == ["Bergen and 1 more silent"]


def test_what_begins_much_later_has_a_message_of_its_own() -> None:
    play = Play()
    play.round(["Bergen"])
    play.round(["Bergen", "Oslo"], minutes=6)
    play.round(["Oslo"])
    play.round([])

    assert play.said == [
        "firing: Bergen silent",
        "firing: Oslo silent",
        "resolved: Bergen silent no more",
        "resolved: Oslo silent no more",
    ]


def test_where_nothing_can_be_edited_what_begins_a_little_later_shares_the_next_message() -> None:
    play = Play(can_edit=False)
    play.round(["Bergen"])
    play.round(["Bergen", "Oslo"])
    play.round(["Bergen", "Oslo", "Troms", "Møre"], minutes=3)
    play.round(["Bergen", "Oslo", "Troms"])
    assert play.said == ["firing: Bergen silent"]

    play.round(["Bergen", "Oslo", "Troms"])
    assert play.said == ["firing: Bergen silent", "firing: Oslo and 1 more silent"]
    play.round([])
    assert play.said[2:] == ["resolved: Bergen and 1 more silent no more", "resolved: Oslo and 1 more silent no more"]


@pytest.mark.parametrize("minutes", [4.7, 5.5])
def test_what_is_well_again_while_it_waits_for_the_next_message_is_named_by_the_end(minutes: float) -> None:
    play = Play(can_edit=False)
    play.round(["weather"])
    play.round(["weather", "kafka"], minutes=1 / 6, severity="critical")
    play.round(["weather"], minutes=minutes)
    assert play.said == ["firing: weather silent"]

    changes = play.round([], minutes=600)
    assert play.said[1:] == ["resolved: weather and 1 more silent no more"]
    assert {row.split()[0] for row in changes.posts[0].message.table[1:]} == {"weather", "kafka"}


def test_what_waited_for_a_message_that_is_over_is_told_by_itself() -> None:
    play = Play(can_edit=False)
    play.round(["weather"])
    play.round(["weather", "kafka"])
    play.alerts = {
        key: replace(alert, state="recovering") if key.series == "kafka" else alert
        for key, alert in play.alerts.items()
    }
    play.round(["kafka"])
    assert play.said[1:] == ["resolved: weather silent no more"]

    play.round([])
    play.round([])
    assert play.said[2:] == ["firing: kafka silent", "resolved: kafka silent no more"]
    assert not play.notices.open


def test_what_was_muted_while_it_fired_is_not_named_by_an_end() -> None:
    play = Play(can_edit=False)
    play.round(["weather"])
    play.muted = {"kafka": "silence 1"}
    play.round(["weather", "kafka"])
    play.round(["weather"])
    play.round([])
    assert play.said == ["firing: weather silent", "resolved: weather silent no more"]


@pytest.mark.parametrize("can_edit", [True, False])
def test_what_is_critical_and_falls_silent_one_after_the_other_is_told_in_a_few_messages(can_edit: bool) -> None:
    play = Play(can_edit=can_edit)
    series = [f"PT{number:03d}" for number in range(300)]
    for count in range(1, 301):
        play.round(series[:count], minutes=2 / 60, severity="critical")
    play.round(series, minutes=5, severity="critical")

    assert len(play.said) == (2 if can_edit else 3)
    assert {alert.message for alert in play.alerts.values()} == set(play.notices.open)


def test_a_series_that_is_well_again_is_marked_in_the_message_that_goes_on() -> None:
    play = Play()
    play.round(["Bergen", "Oslo"])
    changes = play.round(["Oslo"])

    [notice] = changes.notices.values()
    assert notice.revision == 1
    assert any("Bergen" in row and "well since" in row for row in notice.message.table)


def test_what_is_muted_is_told_when_it_still_fires_after_that_and_never_otherwise() -> None:
    play = Play()
    play.muted = {"Bergen": "silence 1", "Oslo": "silence 1"}
    play.round(["Bergen", "Oslo"])
    play.round(["Bergen"])
    assert play.said == []

    play.muted = {}
    play.round(["Bergen"])
    play.round([])
    assert play.said == ["firing: Bergen silent", "resolved: Bergen silent no more"]


def test_what_recovers_when_its_mute_ends_is_told_only_where_it_fires_again() -> None:
    play = Play()
    play.muted = {"Bergen": "silence 1", "Oslo": "silence 1"}
    play.round(["Bergen", "Oslo"])
    play.muted = {}
    play.alerts = {key: replace(alert, state="recovering") for key, alert in play.alerts.items()}
    play.round(["Bergen", "Oslo"])
    play.round(["Bergen"])
    assert play.said == []

    play.alerts = {key: replace(alert, state="firing") for key, alert in play.alerts.items()}
    play.round(["Bergen"])
    play.alerts = {key: replace(alert, state="recovering") for key, alert in play.alerts.items()}
    play.round(["Bergen"])
    play.round([])
    assert play.said == ["firing: Bergen silent", "resolved: Bergen silent no more"]


def test_it_is_repeated_after_ever_longer_times_until_it_is_over() -> None:
    play = Play(repeat_interval="1h", repeat_at_most="5h")
    begun = play.now + timedelta(minutes=1)
    repeated = []
    for _ in range(24 * 60):
        if any(post.event == "repeat" for post in play.round(["Bergen"]).posts):
            repeated.append((play.now - begun) / timedelta(hours=1))
    play.round([])

    assert repeated == [1, 3, 7, 12, 17, 22]
    assert play.said[1] == "repeat: Bergen still silent, for 1h"
    assert play.said[-1] == "resolved: Bergen silent no more"


def test_what_is_muted_meanwhile_is_not_repeated() -> None:
    play = Play(repeat_interval="1h")
    play.round(["Bergen"])
    play.muted = {"Bergen": "silence 1"}
    play.round(["Bergen"], minutes=61)
    assert play.said == ["firing: Bergen silent"]

    play.muted = {}
    play.round(["Bergen"])
    assert play.said[1:] == ["repeat: Bergen still silent, for 1h 2min"]


@pytest.mark.parametrize("state", ["recovering", "no_data"])
def test_what_recovers_or_has_no_data_is_not_repeated(state: State) -> None:
    play = Play(repeat_interval="1h")
    play.round(["Bergen"])
    play.alerts = {key: replace(alert, state=state) for key, alert in play.alerts.items()}
    play.round(["Bergen"], minutes=61)

    assert play.said == ["firing: Bergen silent"]


def test_a_summary_is_not_repeated() -> None:
    play = Play(messages_per_hour=1, group_for="0s", repeat_interval="1h")
    play.round(["a"])
    play.round(["a", "b"])
    for _ in range(2):  # that of `a` leaves no room in the first
        play.round(["a", "b"], minutes=90)

    assert play.said == ["firing: a silent", "firing: 1 further alert", "repeat: a still silent, for 1h 31min"]


def test_what_is_repeated_less_often_than_the_longest_time_is_repeated_as_often_as_asked() -> None:
    play = Play(repeat_interval="2d")
    play.round(["Bergen"])
    repeated = [
        hour
        for hour in range(1, 97)
        if any(post.event == "repeat" for post in play.round(["Bergen"], minutes=60).posts)
    ]

    assert repeated == [48, 96]


def test_a_repeat_says_how_long_the_first_of_its_alerts_has_lasted() -> None:
    play = Play(group_for="2h", repeat_interval="3h")
    play.round(["a"])
    play.round(["a", "b"], minutes=60)
    play.round(["a", "b"], minutes=120)

    assert play.said[1:] == ["repeat: a and 1 more still silent, for 3h"]


def test_of_many_alerts_the_worst_are_kept_with_their_message_and_all_are_counted() -> None:
    play = Play()
    changes = play.round([f"place-{number}" for number in range(60)])

    [notice] = changes.notices.values()
    assert (len(notice.rows), notice.total) == (50, 60)
    assert [len(post.rows) for post in changes.posts] == [50]


def test_beyond_the_limit_there_is_one_summary_with_one_end() -> None:
    play = Play(messages_per_hour=3, group_for="0s")
    series = [f"place-{number}" for number in range(9)]
    for count in range(1, 10):
        play.round(series[:count])
    assert [said.split(":")[0] for said in play.said] == ["firing"] * 4
    assert list(play.shown.values())[-1] == "6 further alerts"

    play.round([], minutes=60)
    assert play.said[4:] == [
        *(f"resolved: place-{number} silent no more" for number in range(3)),
        "resolved: 6 further alerts no more",
    ]


def test_an_hour_later_messages_are_told_one_by_one_again() -> None:
    play = Play(messages_per_hour=1, group_for="0s")
    play.round(["a"])
    play.round(["a", "b"])
    play.round(["a", "b", "c"], minutes=62)

    assert play.said == ["firing: a silent", "firing: 1 further alert", "firing: c silent"]


def test_the_summary_names_its_groups_and_their_series() -> None:
    play = Play(messages_per_hour=1, group_for="0s")
    play.round(["a"])
    play.round(["a", "b", "c"])
    play.round(["d"], rule="late")

    summary = play.notices.open[list(play.shown)[-1]]
    assert summary.message.table == [
        "rule    stream   alerts  series",
        "silent  weather  2       b, c",
        "late    weather  1       d",
    ]


def test_where_nothing_can_be_edited_there_is_one_summary_as_well() -> None:
    play = Play(can_edit=False, messages_per_hour=3, group_for="0s")
    series = [f"place-{number}" for number in range(9)]
    for count in range(1, 10):
        play.round(series[:count])
    assert [said.split(":")[0] for said in play.said] == ["firing"] * 4

    play.round([], minutes=60)
    assert play.said[-1] == "resolved: 6 further alerts no more"


@pytest.mark.parametrize("can_edit", [True, False])
def test_what_is_critical_is_told_beyond_the_limit(can_edit: bool) -> None:
    play = Play(can_edit=can_edit, messages_per_hour=1, group_for="0s")
    play.round(["a"])
    play.round(["a", "b"])
    play.round(["c"], rule="late", severity="critical")

    assert play.said == ["firing: a silent", "firing: 1 further alert", "firing: c late"]


def test_repeats_take_no_room_from_what_begins_and_have_a_limit_of_their_own() -> None:
    play = Play(messages_per_hour=3, group_for="0s", repeat_interval="10min", repeat_at_most="10min")
    series = [f"place-{number}" for number in range(9)]
    for count in range(1, 10):
        play.round(series[:count], minutes=21)
    play.said.clear()
    for _ in range(60):
        play.round(series)
    assert [said.split(":")[0] for said in play.said] == ["repeat"] * 3

    play.round([*series, "Bergen"])
    assert play.said[-1] == "firing: Bergen silent"


def test_repeats_of_what_is_critical_do_not_wait_for_room() -> None:
    play = Play(messages_per_hour=1, group_for="0s", repeat_interval="10min", repeat_at_most="10min")
    play.round(["a"], severity="critical")
    play.round(["a", "b"], severity="critical")
    play.said.clear()
    play.round(["a", "b"], minutes=15)

    assert play.said == ["repeat: a still silent, for 16min", "repeat: b still silent, for 15min"]


def test_repeats_that_wait_for_room_are_told_in_turn() -> None:
    play = Play(messages_per_hour=1, group_for="0s", repeat_interval="10min", repeat_at_most="10min")
    play.round(["a"])
    play.round(["a", "b"], minutes=61)
    play.said.clear()
    for _ in range(4):
        play.round(["a", "b"], minutes=61)

    assert sorted(said.split()[1] for said in play.said) == ["a", "a", "b", "b"]


def test_rows_that_change_their_order_or_numbers_are_no_news_before_a_minute_has_gone() -> None:
    play = Play()
    play.round(["a", "b"], rule="late")
    for second in range(59):
        for key, alert in play.alerts.items():
            ahead = (key.series == "a") == (second % 2 == 0)
            play.alerts[key] = replace(alert, finding=Finding(count=second, worst_delay_s=2.0 + second + ahead))
        assert not play.round(["a", "b"], minutes=1 / 60, rule="late").notices

    [notice] = play.round(["a", "b"], minutes=1 / 60, rule="late").notices.values()
    assert dict(notice.message.facts)["How late"] == "up to 1min 1s"


def test_an_end_in_quiet_hours_is_written_down_for_their_end() -> None:
    play = Play()
    play.round(["Bergen"])
    end = play.now + timedelta(hours=5)
    play.quiet_until = {"warning": end}
    changes = play.round([])

    assert [post.not_before for post in changes.posts] == [end]


@pytest.mark.parametrize(
    ("quiet_for_h", "told_after_h"),
    [({"info": 5}, 0), ({"info": 5, "warning": 3}, 5), ({"info": 3, "warning": 5}, 5)],
    ids=["one is not quiet", "info is longer", "warning is longer"],
)
def test_an_end_of_different_severities_waits_only_while_it_is_quiet_for_one_and_all(
    quiet_for_h: Mapping[str, int], told_after_h: int
) -> None:
    play = Play(messages_per_hour=1)
    play.round(["a"])
    play.round(["b"], rule="late", severity="info")
    play.round(["b", "c"], rule="late", severity="warning")
    play.now += timedelta(hours=1)
    play.quiet_until = {severity: play.now + timedelta(hours=hours) for severity, hours in quiet_for_h.items()}
    [end] = play.round([], rule="late", minutes=0).posts

    assert play.said[1:] == ["firing: 1 further alert", "resolved: 2 further alerts no more"]
    assert end.not_before == play.now + timedelta(hours=told_after_h)


def test_after_a_restart_it_goes_on_as_if_there_had_been_none() -> None:
    with_restarts, without = Play(repeat_interval="10min"), Play(repeat_interval="10min")
    story = [["a"], ["a", "b"], ["a"], ["a", "c"], ["a"], ["a", "b"], *[["a"]] * 20, []]
    for firing in story:
        with_restarts.notices = Notices(with_restarts.notices.open.values(), (), ())
        with_restarts.round(firing, minutes=2)
        without.round(firing, minutes=2)

    assert with_restarts.said == without.said
    assert with_restarts.shown == without.shown
