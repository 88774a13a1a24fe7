from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.muting import Muting, quiet_until
from alerts.rules import QuietHours, Rules
from alerts.rules_file import DEFAULT_FILE, load_rules
from alerts.silences import Silence, parse_matchers
from alerts.states import Alert, Finding, Key, State
from readings.errors import ConfigError
from readings.settings import Settings
from readings.stream import load_streams

STREAMS = load_streams(Settings(_env_file=None))
NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
RULES = Rules.model_validate({"rules": [{"name": "late", "kind": "late"}]})


def alert(series: str, kind: str = "late", stream: str = "weather", severity: str = "warning") -> Alert:
    return Alert(Key(kind, stream, series), kind, severity, "firing", NOW, NOW, Finding())


def reason(
    of: Alert, text: str = "", others: tuple[Alert, ...] = (), rules: Rules = RULES, now: datetime = NOW
) -> str | None:
    silences = [Silence("a1", parse_matchers(text, STREAMS), NOW, NOW + timedelta(hours=2))] if text else []
    return Muting(rules, silences, STREAMS, [of, *others], now).reason(of)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("region=Bergen", True),
        ("region=B*", True),
        ("series=Bergen,kind=late", True),
        ("region=Bergen,kind=silent", False),
        ("region=Oslo", False),
        ("price_area=Bergen", False),
        ("severity=warning, stream=weather", True),
    ],
)
def test_a_silence_holds_for_what_fits_all_of_it(text: str, meant: bool) -> None:
    assert reason(alert("Bergen"), text) == ("silence a1" if meant else None)


def test_a_silence_goes_by_the_parts_of_a_series() -> None:
    assert reason(alert("NO5/hydro", stream="production"), "price_area=NO5")
    assert not reason(alert("NO1/hydro", stream="production"), "price_area=NO5")


def test_a_silence_that_is_over_holds_no_more() -> None:
    assert reason(alert("Bergen"), "region=Bergen", now=NOW + timedelta(hours=2)) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("region=Bergen,region=Oslo", "read the label 'region' twice"),
        ("place=Bergen", "read the label 'place', expected one of rule, kind"),
        ("Bergen", "expected label=text"),
    ],
)
def test_a_silence_of_what_there_is_not_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_matchers(text, STREAMS)


def inhibiting(**inhibition: object) -> Rules:
    return Rules.model_validate({"rules": [{"name": "late", "kind": "late"}], "inhibit": [inhibition]})


def test_what_follows_from_a_cause_is_not_told_while_the_cause_fires() -> None:
    rules = inhibiting(**{"while": {"kind": "stalled"}, "mute": {"kind": "late"}})
    cause = alert("consumer", kind="stalled", stream="pipeline")

    assert reason(alert("Bergen"), others=(cause,), rules=rules) == "stalled: consumer"
    assert reason(cause, others=(alert("Bergen"),), rules=rules) is None
    assert reason(alert("Bergen"), rules=rules) is None


def test_an_inhibition_can_ask_for_the_same_series() -> None:
    rules = inhibiting(**{"while": {"kind": "silent"}, "mute": {"kind": "late"}, "same": "series"})

    assert reason(alert("Bergen"), others=(alert("Bergen", kind="silent"),), rules=rules)
    assert not reason(alert("Bergen"), others=(alert("Oslo", kind="silent"),), rules=rules)


def test_nothing_inhibits_itself() -> None:
    rules = inhibiting(**{"while": {"kind": "late"}, "mute": {"kind": "late"}})

    assert reason(alert("Bergen"), rules=rules) is None


def test_causes_do_not_mute_each_other() -> None:
    rules = inhibiting(**{"while": {"kind": "stalled"}, "mute": {"stream": "*"}})
    consumer, producer = (alert(part, kind="stalled", stream="pipeline") for part in ("consumer", "producer"))

    assert reason(consumer, others=(producer,), rules=rules) is None
    assert reason(producer, others=(consumer,), rules=rules) is None
    assert reason(alert("Bergen"), others=(consumer, producer), rules=rules) == "stalled: consumer"


@pytest.mark.parametrize(
    ("same", "series", "mutual"),
    [(None, "Oslo", True), ("series", "Bergen", True), ("series", "Oslo", False)],
    ids=["whatever the series", "of the same series", "of different series"],
)
@pytest.mark.parametrize("state", ["firing", "pending"])
def test_of_two_that_would_mute_each_other_by_two_inhibitions_neither_is_muted_or_waits(
    state: State, same: str | None, series: str, mutual: bool
) -> None:
    there = {"while": {"kind": "late"}, "mute": {"kind": "silent"}}
    back = {"while": {"kind": "silent"}, "mute": {"kind": "late"}, "same": same}
    rules = Rules.model_validate({"rules": RULES.rules, "inhibit": [there, back]})
    late, silent = (replace(one, state=state) for one in (alert("Bergen"), alert(series, kind="silent")))
    muting = Muting(rules, [], STREAMS, [late, silent], NOW)

    assert [muting.reason(one) for one in (late, silent)] == [None, None if mutual else "late: Bergen"]
    assert [muting.waits(one) for one in (late, silent)] == [False, not mutual and state == "pending"]


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("producer", "stalled: producer"),
        ("consumer", "stalled: consumer"),
        ("kafka", "stalled: kafka"),
        ("producer/weather", None),
    ],
)
def test_by_the_rules_that_are_shipped_silence_follows_from_a_pipeline_that_stands(part: str, said: str | None) -> None:
    cause = alert(part, kind="stalled", stream="pipeline", severity="critical")
    silent = alert("Bergen", kind="silent", severity="critical")

    assert reason(silent, others=(cause,), rules=load_rules(DEFAULT_FILE, STREAMS)) == said


OSLO = QuietHours.model_validate({"from": "22:00", "until": "06:00", "time_zone": "Europe/Oslo"})


@pytest.mark.parametrize(
    ("utc", "ends"),
    [
        ("2026-07-01T19:59", None),
        ("2026-07-01T20:00", "2026-07-02T04:00"),
        ("2026-07-02T03:59", "2026-07-02T04:00"),
        ("2026-07-02T04:00", None),
        ("2026-12-01T21:00", "2026-12-02T05:00"),
        ("2026-10-25T04:30", "2026-10-25T05:00"),  # the clock was put back in this night: it is an hour longer
        ("2026-03-29T04:00", None),  # and in this one an hour shorter
        ("2026-03-29T03:59", "2026-03-29T04:00"),
    ],
)
def test_quiet_hours_go_by_the_clock_on_the_wall(utc: str, ends: str | None) -> None:
    end = quiet_until(OSLO, datetime.fromisoformat(utc).replace(tzinfo=UTC))

    assert (end and f"{end.astimezone(UTC):%Y-%m-%dT%H:%M}") == ends


def test_quiet_hours_hold_on_the_nights_that_begin_on_their_days() -> None:
    friday = OSLO.model_copy(update={"days": ("fri",)})

    assert quiet_until(friday, datetime(2026, 11, 28, 2, tzinfo=UTC))  # the night from Friday to Saturday
    assert not quiet_until(friday, datetime(2026, 11, 28, 22, tzinfo=UTC))


def test_what_is_critical_is_told_at_night() -> None:
    rules = Rules.model_validate({"rules": [{"name": "late", "kind": "late"}], "quiet_hours": [OSLO.model_dump()]})
    night = datetime(2026, 7, 1, 23, tzinfo=UTC)

    assert reason(alert("Bergen"), rules=rules, now=night) == "quiet hours until 2026-07-02T06:00+02:00"
    assert reason(alert("Bergen", severity="critical"), rules=rules, now=night) is None


WEEKEND = {"from": "06:00", "until": "22:00", "time_zone": "Europe/Oslo", "days": ["sat", "sun"]}
WHOLE_DAYS = {"from": "00:00", "until": "00:00", "time_zone": "Europe/Oslo"}


@pytest.mark.parametrize(
    ("quiet_hours", "ends"),
    [
        ([OSLO.model_dump(), WEEKEND], "2026-11-30T06:00+01:00"),  # Monday
        ([{**WHOLE_DAYS, "days": ["sat", "sun"]}], "2026-11-30T00:00+01:00"),
        ([OSLO.model_dump(), {**WEEKEND, "severities": ["info"]}], "2026-11-28T06:00+01:00"),
        ([OSLO.model_dump(), {**WEEKEND, "from": "06:01"}], "2026-11-28T06:00+01:00"),
        ([WHOLE_DAYS], "2026-12-06T00:00+01:00"),
    ],
    ids=["nights and days of a weekend", "two whole days", "of another severity", "a minute apart", "always"],
)
def test_quiet_hours_that_touch_are_one(quiet_hours: list[dict[str, object]], ends: str) -> None:
    rules = Rules.model_validate({"rules": [{"name": "late", "kind": "late"}], "quiet_hours": quiet_hours})
    friday_night = datetime(2026, 11, 27, 23, 30, tzinfo=UTC)  # Saturday 00:30 in Oslo

    assert reason(alert("Bergen"), rules=rules, now=friday_night) == f"quiet hours until {ends}"
    end = Muting(rules, [], STREAMS, [], friday_night).quiet_until("warning")
    assert end is not None
    assert end.isoformat(timespec="minutes") == ends
