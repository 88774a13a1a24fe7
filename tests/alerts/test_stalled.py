"""Whether the pipeline stands, told from samples made by hand."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.kinds.scene import Judgement, Scene
from alerts.kinds.stalled import judge
from alerts.pipeline import Pipeline, Sample
from alerts.rules import StalledRule
from alerts.states import NO_DATA, Finding
from readings.parts import read_by

START = datetime(2026, 11, 24, 3, tzinfo=UTC)
RULE = StalledRule(kind="stalled", name="stalled", window=timedelta(minutes=1))
WEATHER = ("openweathermap", 0)


def part(
    at: datetime, state: str = "running", waiting_for: str | None = None, **gone_through: int
) -> dict[str, object]:
    """A heartbeat; `gone_through` by query."""
    return {"at": at, "state": state, "since": START, "waiting_for": waiting_for, "gone_through": gone_through}


def judged(samples: Sequence[Sample], active: Sequence[str] = ()) -> Judgement:
    now = samples[-1].at if samples else START
    asking = judge(RULE, Scene(now, "", frozenset(active), Pipeline(samples, [WEATHER[0]])))
    with pytest.raises(StopIteration) as end:
        next(asking)
    judgement: Judgement = end.value.value
    return judgement


def played(ends: Sequence[int | None], read: Sequence[int], every_s: float = 10, **parts: object) -> list[Sample]:
    """A sample every so often, with the topic's end (None: Kafka does not answer) and what is read next."""
    samples = []
    for number, (end, offset) in enumerate(zip(ends, read, strict=True)):
        at = START + timedelta(seconds=every_s * number)
        told = {"producer": part(at), "consumer": part(at)} | parts
        samples.append(Sample(at, told, None if end is None else {WEATHER: end}, {"ingest": {WEATHER: offset}}))
    return samples


def what(judgement: Judgement, series: str) -> str:
    finding = judgement[series]
    assert isinstance(finding, Finding)
    return finding.what


def test_a_consumer_that_reads_nothing_while_messages_wait_stands() -> None:
    judgement = judged(played([100 + 5 * number for number in range(9)], [100] + [102] * 8))

    assert what(judgement, "openweathermap") == "38 messages wait, none is read"


def test_a_consumer_that_falls_behind_more_and_more_is_told() -> None:
    judgement = judged(played([100 + 20 * number for number in range(9)], [90 + 5 * number for number in range(9)]))

    assert what(judgement, "openweathermap") == "130 messages wait, and more and more"


@pytest.mark.parametrize(
    ("ends", "read"),
    [
        ([100] * 9, [100] * 9),
        ([1000 + number for number in range(9)], [100 * number for number in range(9)]),
        ([100, 110, 120, 130, 140, 150, 160, 170, 180], [90, 90, 90, 130, 130, 130, 130, 130, 130]),
        ([100, 105, 110, 115, 120, 125, 130, 135, 140], [98, 100, 108, 109, 118, 119, 129, 130, 139]),
        ([100 + 10 * number for number in range(9)], [90 + 10 * number for number in range(9)]),
        ([100, 120, 140, 160, 180, 200, 220, 240, 260], [100, 120, 140, 150, 160, 170, 180, 190, 200]),
    ],
    ids=[
        "nothing comes",
        "it catches up from far behind",
        "it had read all in between",
        "it goes up and down",
        "it is always as far behind",
        "it had read all as the window began",
    ],
)
def test_a_consumer_that_does_its_work_is_well(ends: list[int], read: list[int]) -> None:
    assert judged(played(ends, read)) == {}


def test_before_a_window_is_full_nothing_is_said_of_the_lag() -> None:
    samples = played([100, 110, 120], [0, 0, 0])

    assert judged(samples) == {}
    assert judged(samples, active=["openweathermap"]) == {"openweathermap": NO_DATA}
    assert judged([], active=["consumer"]) == {"consumer": NO_DATA}


def test_a_long_batch_is_no_standstill_while_its_messages_are_gone_through() -> None:
    goes_on = [
        replace(
            sample,
            read={"ingest": {WEATHER: 0}},
            parts={"consumer": part(sample.at, ingest=2000 * number)},
        )
        for number, sample in enumerate(played([60_000 + number for number in range(40)], [0] * 40))
    ]
    stands = [replace(sample, parts={"consumer": part(sample.at, ingest=80_000)}) for sample in goes_on]
    since_a_start = [replace(sample, read={}) for sample in goes_on]

    assert judged(goes_on) == {"producer": Finding(what="never heard of")}
    assert judged(goes_on, active=["openweathermap"])["openweathermap"] == NO_DATA
    assert judged(since_a_start, active=["openweathermap"])["openweathermap"] == NO_DATA
    assert what(judged(stands), "openweathermap") == "60,039 messages wait, none is read"


def test_what_had_been_read_is_well_while_a_batch_of_what_came_since_is_gone_through() -> None:
    energy = ("energy", 0)
    *before, now = [
        replace(
            sample,
            ends={WEATHER: 10, energy: 500},
            read={"ingest": {WEATHER: 10, energy: 400}},
            parts={**sample.parts, "consumer": part(sample.at, ingest=10)},
        )
        for sample in played([10] * 14, [10] * 14, every_s=5)
    ]
    begun = replace(now, ends={WEATHER: 20, energy: 500}, parts={**now.parts, "consumer": part(now.at, ingest=20)})

    assert judged([*before, begun], active=["openweathermap", "energy"]) == {"energy": NO_DATA}
    assert what(judged([*before, now]), "energy") == "100 messages wait, none is read"


def test_a_partition_that_others_leave_behind_stands_though_messages_are_gone_through() -> None:
    other = ("openweathermap", 1)
    samples = [
        replace(
            sample,
            ends={WEATHER: 500, other: 500},
            read={"ingest": {WEATHER: 400, other: 10 * number}},
            parts={**sample.parts, "consumer": part(sample.at, ingest=10 * number)},
        )
        for number, sample in enumerate(played([500] * 9, [400] * 9))
    ]

    assert what(judged(samples), "openweathermap") == "100 messages wait, none is read"


def test_a_query_that_stands_beside_the_others_is_told_by_its_name() -> None:
    counted = [
        replace(sample, read={**sample.read, "meter_totals": {WEATHER: 50}}) for sample in played([100] * 9, [100] * 9)
    ]
    goes_on = [
        replace(sample, parts={**sample.parts, "consumer": part(sample.at, meter_totals=number)})
        for number, sample in enumerate(counted)
    ]
    began_late = [replace(sample, read={"ingest": {WEATHER: 100}}) for sample in counted[:5]] + counted[5:]

    assert what(judged(counted), "meter_totals/openweathermap") == "50 messages wait, none is read"
    assert set(judged(counted)) == {"meter_totals/openweathermap"}
    assert judged(goes_on) == {}
    assert judged(goes_on, active=["meter_totals/openweathermap"]) == {"meter_totals/openweathermap": NO_DATA}
    assert judged(began_late) == {}


def test_what_an_earlier_consumer_tells_is_of_its_ingest() -> None:
    told = [
        {"topic": "energy", "partition": 0, "offset": 7},
        {"query": "meter_totals", "topic": "energy", "partition": 0, "offset": 3},
    ]
    assert read_by({"offsets": told}) == {"ingest": {("energy", 0): 7}, "meter_totals": {("energy", 0): 3}}
    assert read_by({}) == {}


def test_kafka_that_does_not_answer_twice_in_a_row_is_told() -> None:
    assert judged(played([100] * 8 + [None], [100] * 9)) == {}
    assert what(judged(played([100] * 7 + [None, None], [100] * 9)), "kafka") == "does not answer"


@pytest.mark.parametrize("number", [1, 20], ids=["the engine has just started", "it is long away"])
def test_while_kafka_does_not_answer_nothing_is_said_of_what_is_read_from_it(number: int) -> None:
    """The consumer starts its queries again meanwhile, and does not know how far they are."""
    away = [replace(sample, read={}) for sample in played([None] * number, [100] * number)]
    judgement = judged(away, active=["openweathermap", "meter_totals/openweathermap", "producer/openweathermap"])

    assert judgement.pop("kafka", None) == (Finding(away[0].at, what="does not answer") if number > 1 else None)
    assert judgement == {"openweathermap": NO_DATA, "meter_totals/openweathermap": NO_DATA}


@pytest.mark.parametrize(
    ("told", "series", "said"),
    [
        (part(START - timedelta(seconds=30)), "consumer", "not heard of any more"),
        (part(START, "failed", "a wrong key"), "consumer", "failed: a wrong key"),
        (part(START, "waiting", "mongodb, elasticsearch"), "consumer", "waits for mongodb, elasticsearch"),
        (
            part(START, "waiting", "forecaster (readings go on)"),
            "forecaster",
            "consumer waits for it, readings go on",
        ),
        (None, "consumer", "never heard of"),
    ],
)
def test_a_part_that_does_not_do_its_work_is_told_by_its_heartbeat(
    told: dict[str, object] | None, series: str, said: str
) -> None:
    judgement = judged(played([100], [100], consumer=told))

    assert {name: what(judgement, name) for name in judgement} == {series: said}


def test_samples_that_are_old_say_nothing_of_now() -> None:
    samples = played([100 + 5 * number for number in range(9)], [100] + [102] * 8)
    active = frozenset(["consumer", "openweathermap"])
    asking = judge(RULE, Scene(samples[-1].at + timedelta(minutes=1), "", active, Pipeline(samples)))
    with pytest.raises(StopIteration) as end:
        next(asking)

    assert end.value.value == {"consumer": NO_DATA, "openweathermap": NO_DATA}


def feed(name: str, state: str, what: str) -> dict[str, object]:
    return {"feed": name, "state": state, "what": what, "since": START}


def test_a_second_source_that_fails_is_an_alert_of_its_own() -> None:
    told = part(START, "failed", "a; b") | {
        "feeds": [feed("production", "failed", "elhub refuses the key"), feed("weather", "waiting", "openweathermap")]
    }
    judgement = judged(played([100], [100], producer=told))

    assert {name: what(judgement, name) for name in judgement} == {
        "producer/production": "failed: elhub refuses the key",
        "producer/weather": "waits for openweathermap",
    }


def test_what_a_feed_waits_for_while_its_readings_go_on_is_no_standstill() -> None:
    told = part(START, "waiting", "a; b") | {
        "feeds": [
            feed(
                "weather source", "waiting", "python -m producer go-live weather (readings go on: the recording plays)"
            ),
            feed("weather", "waiting", "mongodb (readings go on, the cursor is kept when it is back)"),
        ]
    }

    assert judged(played([100], [100], producer=told)) == {}


def test_of_a_partition_whose_offset_was_never_told_nothing_is_said() -> None:
    samples = [replace(sample, read={}) for sample in played([500] * 9, [0] * 9)]

    assert judged(samples) == {}
