from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.states import Alert, Event, Finding, Key, Life, step

START = datetime(2026, 11, 24, 3, tzinfo=UTC)
KEY = Key("late", "weather", "Bergen")


def life(hold_s: float = 0, keep_s: float = 0) -> Life:
    return Life("late", "warning", timedelta(seconds=hold_s), timedelta(seconds=keep_s))


def play(found: str, of: Life, every_s: float = 10) -> tuple[list[str], list[Event | None]]:
    """Rounds every so often: `x` where the rule finds something, `.` where not."""
    alert: Alert | None = None
    states, events = [], []
    for number, mark in enumerate(found):
        finding = Finding(count=1) if mark == "x" else None
        alert, event = step(KEY, alert, finding, of, START + timedelta(seconds=every_s * number))
        states.append(alert.state if alert else "inactive")
        events.append(event)
        if alert and alert.state == "resolved":
            alert = None
    return states, events


def test_without_a_hold_the_first_finding_fires_and_its_absence_resolves() -> None:
    states, events = play(".xx..", life())

    assert states == ["inactive", "firing", "firing", "resolved", "inactive"]
    assert events == [None, "firing", None, "resolved", None]


def test_it_is_pending_until_it_has_lasted() -> None:
    states, events = play("xxxx", life(hold_s=20))

    assert states == ["pending", "pending", "firing", "firing"]
    assert events.count("firing") == 1


def test_what_does_not_last_is_never_told() -> None:
    assert play("xx.xx.xx.", life(hold_s=20))[1] == [None] * 9


def test_it_recovers_for_a_while_before_it_is_resolved() -> None:
    states, events = play("x....", life(keep_s=20))

    assert states == ["firing", "recovering", "recovering", "resolved", "inactive"]
    assert events == ["firing", None, None, "resolved", None]


def test_trouble_that_returns_while_recovering_is_the_same_incident() -> None:
    states, events = play("x.x...", life(keep_s=20))

    assert states == ["firing", "recovering", "firing", "recovering", "recovering", "resolved"]
    assert [event for event in events if event] == ["firing", "resolved"]


def test_the_worst_of_the_incident_is_kept() -> None:
    alert, _ = step(KEY, None, Finding(START, 3, 40.0), life(), START)
    alert, _ = step(KEY, alert, Finding(START + timedelta(seconds=9), 1, 20.0), life(), START)

    assert alert is not None
    assert alert.finding == Finding(START, 3, 40.0)


ROUNDS = st.lists(st.tuples(st.booleans(), st.integers(0, 100)), max_size=60)
LIVES = st.builds(life, st.integers(0, 100), st.integers(0, 100))


@given(ROUNDS, LIVES)
def test_never_two_firings_without_a_resolve_between_nor_a_resolve_without_a_firing(
    rounds: list[tuple[bool, int]], of: Life
) -> None:
    told = [event for _, _, event, _ in _played(rounds, of) if event]

    assert told == ["firing", "resolved"] * (len(told) // 2) + ["firing"] * (len(told) % 2)


@given(ROUNDS, LIVES)
def test_it_fires_only_after_holding_and_resolves_only_after_being_well_as_long_as_asked(
    rounds: list[tuple[bool, int]], of: Life
) -> None:
    found_since: datetime | None = None
    well_since: datetime | None = None
    for found, now, event, _ in _played(rounds, of):
        found_since = (found_since or now) if found else None
        well_since = None if found else (well_since or now)
        if event == "firing":
            assert found_since is not None
            assert now - found_since >= of.hold
        if event == "resolved":
            assert well_since is not None
            assert now - well_since >= of.keep_firing_for


@given(ROUNDS, LIVES)
def test_the_incident_keeps_its_name_from_firing_to_resolved(rounds: list[tuple[bool, int]], of: Life) -> None:
    fired: datetime | None = None
    for _, _, event, alert in _played(rounds, of):
        if event == "firing":
            assert alert is not None
            fired = alert.since
        if event == "resolved":
            assert alert is not None
            assert alert.since == fired


def _played(rounds: list[tuple[bool, int]], of: Life) -> list[tuple[bool, datetime, Event | None, Alert | None]]:
    alert: Alert | None = None
    now, played = START, []
    for found, passed_s in rounds:
        now += timedelta(seconds=passed_s)
        alert, event = step(KEY, alert, Finding(count=1) if found else None, of, now)
        played.append((found, now, event, alert))
        if alert and alert.state == "resolved":
            alert = None
    return played
