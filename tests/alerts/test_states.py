from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.states import NO_DATA, Alert, Finding, Judged, Key, Life, resolve, step

START = datetime(2026, 11, 24, 3, tzinfo=UTC)
KEY = Key("late", "weather", "Bergen")


def life(hold_s: float = 0, keep_s: float = 0, severity: str = "warning") -> Life:
    return Life("late", severity, timedelta(seconds=hold_s), timedelta(seconds=keep_s))


JUDGED: dict[str, Judged] = {"x": Finding(count=1), ".": None, "?": NO_DATA}


def play(found: str, of: Life, every_s: float = 10) -> tuple[list[str], list[str]]:
    """Rounds every so often: `x` where the rule finds something, `.` where all is well, `?` where it cannot say."""
    alert: Alert | None = None
    states, events = [], []
    for number, mark in enumerate(found):
        before = alert
        alert = step(KEY, alert, JUDGED[mark], of, START + timedelta(seconds=every_s * number))
        states.append(alert.state if alert else "inactive")
        events += _event(before, alert)
        if alert and alert.state == "resolved":
            alert = None
    return states, events


def _event(before: Alert | None, after: Alert | None) -> list[str]:
    if after is None:
        return []
    if after.fired_at and not (before and before.fired_at):
        return ["firing"]
    return ["resolved"] if after.state == "resolved" else []


def test_without_a_hold_the_first_finding_fires_and_its_absence_resolves() -> None:
    states, events = play(".xx..", life())

    assert states == ["inactive", "firing", "firing", "resolved", "inactive"]
    assert events == ["firing", "resolved"]


def test_it_is_pending_until_it_has_lasted() -> None:
    states, events = play("xxxx", life(hold_s=20))

    assert states == ["pending", "pending", "firing", "firing"]
    assert events.count("firing") == 1


def test_what_does_not_last_is_never_told() -> None:
    assert play("xx.xx.xx.", life(hold_s=20))[1] == []


def test_it_recovers_for_a_while_before_it_is_resolved() -> None:
    states, events = play("x....", life(keep_s=20))

    assert states == ["firing", "recovering", "recovering", "resolved", "inactive"]
    assert events == ["firing", "resolved"]


def test_without_data_it_is_neither_worse_nor_well() -> None:
    states, events = play("x??????..", life(keep_s=10))

    assert states == ["firing", *["no_data"] * 6, "recovering", "resolved"]
    assert events == ["firing", "resolved"]


def test_trouble_that_is_found_again_after_a_time_without_data_is_the_same_incident() -> None:
    states, events = play("x?x.", life())

    assert states == ["firing", "no_data", "firing", "resolved"]
    assert events == ["firing", "resolved"]


def test_what_is_pending_begins_anew_when_there_is_data_again() -> None:
    assert play("x?xx", life(hold_s=20))[0] == ["pending", "inactive", "pending", "pending"]


def test_where_the_clock_is_put_back_it_waits_no_longer_than_its_rule_says() -> None:
    of = life(hold_s=20, keep_s=20)
    alert = step(KEY, None, Finding(), of, START)
    states = []
    for found, back_h, seconds in [("xxx", 1, (0, 10, 20)), (".", 1, (30,)), ("...", 2, (0, 10, 20))]:
        for mark, second in zip(found, seconds, strict=True):
            now = START - timedelta(hours=back_h) + timedelta(seconds=second)
            alert = step(KEY, alert, JUDGED[mark], of, now)
            states.append(alert.state if alert else "inactive")

    assert states == ["pending", "pending", "firing", "recovering", "recovering", "recovering", "resolved"]


def test_the_history_has_each_state_since_when() -> None:
    alert: Alert | None = None
    for second, mark in enumerate("xx?.."):
        alert = step(KEY, alert, JUDGED[mark], life(hold_s=1, keep_s=1), START + timedelta(seconds=second))

    assert alert is not None
    assert [(state, (at - START).seconds) for state, at in alert.history] == [
        ("pending", 0),
        ("firing", 1),
        ("no_data", 2),
        ("recovering", 3),
        ("resolved", 4),
    ]


def test_of_a_long_history_the_first_and_the_newest_are_kept() -> None:
    alert: Alert | None = None
    for second in range(201):
        alert = step(KEY, alert, JUDGED["x."[second % 2]], life(keep_s=10), START + timedelta(seconds=second))

    assert alert is not None
    assert [(at - START).seconds for _, at in alert.history] == [0, *range(152, 201)]


def test_an_end_by_other_means_is_told_only_of_what_fired() -> None:
    pending = step(KEY, None, Finding(), life(hold_s=20), START)
    firing = step(KEY, None, Finding(), life(), START)
    assert pending is not None
    assert firing is not None

    assert resolve(pending, START) is None
    ended = resolve(firing, START)
    assert ended is not None
    assert ended.state == "resolved"


def test_trouble_that_returns_while_recovering_is_the_same_incident() -> None:
    states, events = play("x.x...", life(keep_s=20))

    assert states == ["firing", "recovering", "firing", "recovering", "recovering", "resolved"]
    assert events == ["firing", "resolved"]


def test_an_alert_that_goes_on_is_as_severe_as_its_rule_says_now() -> None:
    alert = step(KEY, None, Finding(), life(), START)
    alert = step(KEY, alert, Finding(), life(severity="critical"), START)

    assert alert is not None
    assert alert.severity == "critical"


def test_the_worst_of_the_incident_is_kept_and_says_so_where_it_is_over() -> None:
    alert = step(KEY, None, Finding(START, 3, 40.0, "far", 2.0), life(), START)
    alert = step(KEY, alert, Finding(START + timedelta(seconds=9), 1, 20.0, "near", 1.0), life(), START)

    assert alert is not None
    assert alert.finding == Finding(START, 3, 40.0, "at worst: far", 2.0)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([("9 wait", 9.0), ("5 wait", 5.0), ("4 wait", 4.0)], "at worst: 9 wait"),
        ([("9 wait", 9.0), ("5 wait", 5.0), ("10 wait", 10.0)], "10 wait"),
        ([("9 wait", 9.0), ("5 wait", 5.0), ("failed", None)], "failed"),
        ([("failed", None), ("2 documents < 3", -2.0)], "2 documents < 3"),
    ],
)
def test_what_is_said_of_an_incident_is_the_worst_or_that_which_is_not_told_in_numbers(
    found: list[tuple[str, float | None]], said: str
) -> None:
    alert: Alert | None = None
    for what, beyond in found:
        alert = step(KEY, alert, Finding(what=what, beyond=beyond), life(), START)

    assert alert is not None
    assert alert.finding.what == said


ROUNDS = st.lists(st.tuples(st.sampled_from("x.?"), st.integers(0, 100)), max_size=60)
LIVES = st.builds(life, st.integers(0, 100), st.integers(0, 100))


@given(ROUNDS, LIVES)
def test_never_two_firings_without_a_resolve_between_nor_a_resolve_without_a_firing(
    rounds: list[tuple[str, int]], of: Life
) -> None:
    told = [event for _, _, event, _ in _played(rounds, of) if event]

    assert told == ["firing", "resolved"] * (len(told) // 2) + ["firing"] * (len(told) % 2)


@given(ROUNDS, LIVES)
def test_it_fires_only_after_holding_and_resolves_only_after_being_well_as_long_as_asked(
    rounds: list[tuple[str, int]], of: Life
) -> None:
    found_since: datetime | None = None
    well_since: datetime | None = None
    for mark, now, event, _ in _played(rounds, of):
        found_since = (found_since or now) if mark == "x" else None
        well_since = (well_since or now) if mark == "." else None
        if event == "firing":
            assert found_since is not None
            assert now - found_since >= of.hold
        if event == "resolved":
            assert well_since is not None
            assert now - well_since >= of.keep_firing_for


@given(ROUNDS, LIVES)
def test_the_incident_keeps_its_name_from_firing_to_resolved(rounds: list[tuple[str, int]], of: Life) -> None:
    fired: datetime | None = None
    for _, _, event, alert in _played(rounds, of):
        if event == "firing":
            assert alert is not None
            fired = alert.since
        if event == "resolved":
            assert alert is not None
            assert alert.since == fired


def _played(rounds: list[tuple[str, int]], of: Life) -> list[tuple[str, datetime, str | None, Alert | None]]:
    alert: Alert | None = None
    now, played = START, []
    for mark, passed_s in rounds:
        now += timedelta(seconds=passed_s)
        before = alert
        alert = step(KEY, alert, JUDGED[mark], of, now)
        played.append((mark, now, next(iter(_event(before, alert)), None), alert))
        if alert and alert.state == "resolved":
            alert = None
    return played
