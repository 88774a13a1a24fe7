"""The streaming totals equal a plain pandas calculation, whatever comes, in whatever order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import orjson
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from spark_consumer.meters import query
from spark_consumer.meters.register import Register, count
from spark_consumer.meters.state import KEPT_MS, Meters, MeterState, Reading
from spark_consumer.meters.tariff import DEFAULT_FILE, Calendar, load_tariff
from spark_consumer.meters.totals import Row
from tests.spark_consumer.meters import plain
from tests.spark_consumer.meters.counting import Counting, at_once, difference
from tests.spark_consumer.meters.plain import Shown

CALENDAR = Calendar(load_tariff(DEFAULT_FILE))
STARTS = [
    datetime(2026, 3, 28, 20, 0, tzinfo=UTC),  # the day of 46 half hours follows
    datetime(2026, 10, 24, 20, 0, tzinfo=UTC),  # the day of 50
    datetime(2026, 1, 31, 18, 0, tzinfo=UTC),  # another month
    datetime(2026, 7, 14, 10, 3, 20, tzinfo=UTC),
]


STEPS_S = [(40, [60, 300, 300, 300, 1800, 3600, 25200]), (14, [3600, 25200, 46800, 72000]), (7, [7200, 90000, 200000])]
"""Between at most so many readings: within a state, some of them older than a state, longer than a state."""


def reading(message: Shown) -> Reading:
    return Reading(round(message.at.timestamp() * 1000), message.kwh, 0, 0, message.offset)


def streamed(meters: Meters, batches: list[list[Shown]]) -> tuple[dict[datetime, Row], MeterState]:
    """The totals after all batches, by mark, and the state, which is packed after each as Spark keeps it."""
    state: MeterState | None = None
    found: dict[datetime, Row] = {}
    for batch in batches:
        fresh = [reading(message) for message in batch]
        if state is None:
            state = meters.begun([], CALENDAR.month_start_ms(min(one.at_ms for one in fresh) - KEPT_MS))
        state, rows = meters.updated(state, fresh)
        state, _ = query._unpacked(query._packed(state, stale=False))
        found |= {row["timestamp"]: row for row in rows.values()}
    assert state is not None
    return found, state


def assert_equal(found: dict[datetime, Row], messages: list[Shown], max_kw: float | None) -> None:
    expected = plain.totals(messages, max_kw)
    first = expected.index[0]
    assert sorted(found) == list(expected.index), f"the marks from {first}"
    for name in expected.columns:
        got = np.array([found[mark.to_pydatetime()][name] for mark in expected.index])
        np.testing.assert_allclose(got, expected[name].to_numpy(), atol=2e-6, err_msg=name)
    for mark, costs in plain.minute_costs(messages, max_kw).items():
        np.testing.assert_allclose(found[mark]["minute_costs_eur"], costs, atol=2e-6, err_msg=f"each minute to {mark}")


@st.composite
def deliveries(draw: st.DrawFn, *, older_than_the_state: bool = False) -> list[list[Shown]]:
    """A meter's messages in batches: with gaps, revised, twice, out of order, running backwards, too fast, replaced."""
    at = draw(st.sampled_from(STARTS))
    kwh = draw(st.sampled_from([0.0, 17.25, 81234.5]))
    most, steps = draw(st.sampled_from(STEPS_S))
    readings = []
    for _ in range(draw(st.integers(1, most))):
        readings.append((at, round(kwh, 3)))
        at += timedelta(seconds=draw(st.sampled_from(steps)))
        kwh = max(0.0, kwh + draw(st.sampled_from([0.0, 0.1, 0.25, 0.4, 3.0, 3.0, 900.0, -0.5, -5000.0])))
    order = list(range(len(readings)))
    for _ in range(draw(st.integers(0, 5))):  # what comes later than it should
        place = draw(st.integers(0, len(order) - 1))
        order.insert(min(len(order), place + draw(st.integers(1, 8))), order[place])
        if draw(st.booleans()):
            del order[place]
    messages: list[Shown] = []
    newest = readings[order[0]][0]
    for number in order:
        when, shown = readings[number]
        revised = draw(st.sampled_from([0.0] * 9 + [0.05]))
        if older_than_the_state or when >= newest - timedelta(hours=48):
            messages.append(Shown(when, shown + revised, len(messages)))
            newest = max(newest, when)
    cuts = sorted(draw(st.lists(st.integers(0, len(messages)), max_size=12)))
    return [messages[a:b] for a, b in pairwise([0, *cuts, len(messages)]) if a < b]


MAX_KW = st.sampled_from([None, 10.0])


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(batches=deliveries(), max_kw=MAX_KW)
def test_streamed_totals_equal_pandas(batches: list[list[Shown]], max_kw: float | None) -> None:
    found, _ = streamed(Meters(CALENDAR, max_kw), batches)
    assert_equal(found, [message for batch in batches for message in batch], max_kw)


@settings(max_examples=60, deadline=None)
@given(batches=deliveries(), max_kw=MAX_KW)
def test_streamed_totals_equal_those_of_one_batch_with_minutes_and_flags(
    batches: list[list[Shown]], max_kw: float | None
) -> None:
    meters = Meters(CALENDAR, max_kw)
    found, state = streamed(meters, batches)
    event("readings were dropped from the state" if state.register.last else "all readings are in the state")
    assert difference(found, at_once(meters, [reading(message) for batch in batches for message in batch])) is None


@settings(max_examples=20, deadline=None)
@given(
    batches=deliveries(older_than_the_state=True),
    max_kw=MAX_KW,
    lost=st.integers(0, 20),
    ahead=st.sampled_from([0, 0, 3, 100]),
)
def test_totals_with_readings_older_than_the_state_and_a_lost_checkpoint_equal_those_of_one_batch(
    batches: list[list[Shown]], max_kw: float | None, lost: int, ahead: int
) -> None:
    """Counted as the query counts, the ingest being so many messages ahead."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        counting = Counting(monkeypatch, max_kw)
        sent = [
            Reading(round(one.at.timestamp() * 1000), one.kwh, 1000 * one.offset, 0, one.offset)
            for batch in batches
            for one in batch
        ]
        begin = 0
        for number, batch in enumerate(batches):
            if number == lost:
                counting.state.value = None
            end = begin + len(batch)
            for one in sent[: end + ahead]:
                counting.store_reading(one)
            counting.count(sent[begin:end])
            begin = end
        assert difference(counting.totals(), at_once(counting.meters, sent)) is None


def test_the_minutes_of_the_last_reading_that_a_state_dropped_are_kept() -> None:
    begin = datetime(2026, 7, 14, 10, 3, 20, tzinfo=UTC)
    hours = [(-1.0, 9.0), (0.0, 10.0), (30.0, 13.0), (60.0, 16.0), (80.0, 18.0), (14.0, 12.9)]
    messages = [Shown(begin + timedelta(hours=at), kwh, number) for number, (at, kwh) in enumerate(hours)]
    meters = Meters(CALENDAR)
    found, state = streamed(meters, [[one] for one in messages])
    assert state.register.last is not None
    assert difference(found, at_once(meters, [reading(one) for one in messages])) is None


def test_of_a_gap_of_months_each_midnight_and_the_reading_at_its_end_have_totals() -> None:
    begin, end = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 3, 15, 12, tzinfo=UTC)
    hours = (end - begin) / timedelta(hours=1)
    found, _ = streamed(Meters(CALENDAR), [[Shown(begin, 100.0, 0)], [Shown(end, 100.0 + hours, 1)]])
    assert len(found) == 1 + 69 + 1
    assert found[end]["month_kwh"] == pytest.approx(14 * 24 + 12)
    assert found[end]["day_kwh"] == pytest.approx(12)


def test_a_state_of_an_older_version_is_read() -> None:
    meters = Meters(CALENDAR)
    begin = datetime(2026, 7, 14, 10, 3, 20, tzinfo=UTC)
    _, state = streamed(
        meters, [[Shown(begin + timedelta(hours=20 * number), 1.0 * number, number) for number in range(9)]]
    )
    *columns, before, stale = query._packed(state, stale=False)
    older = {name: value for name, value in orjson.loads(before).items() if name not in ("minute_costs_eur", "flags")}
    read, _ = query._unpacked((*columns, orjson.dumps(older).decode(), stale))
    assert read.before == replace(state.before, minute_costs_eur=(), flags=())
    assert read.before != state.before


@pytest.mark.slow
def test_a_month_in_small_batches_equals_pandas_and_the_state_does_not_grow() -> None:
    generator = np.random.default_rng(7)
    start = datetime(2026, 10, 10, tzinfo=UTC)
    kwh = np.cumsum(generator.uniform(0, 0.4, 24 * 4 * 35))
    messages = [Shown(start + timedelta(minutes=15 * n), round(float(value), 3), n) for n, value in enumerate(kwh)]
    meters = Meters(CALENDAR)
    found, _ = streamed(meters, [messages[n : n + 7] for n in range(0, len(messages), 7)])
    assert_equal(found, messages, None)
    state = meters.begun([], CALENDAR.month_start_ms(0))
    state, _ = meters.updated(state, [reading(message) for message in messages])
    assert len(state.at_ms) <= 73 * 4


@pytest.mark.parametrize(
    ("kwh", "max_kw", "counted", "flags"),
    [
        ([10, 11, 12], None, 2, {}),
        ([10, 9, 12], None, 2, {1: "backwards"}),
        ([10, 3, 4, 12], None, 2, {1: "backwards", 2: "backwards"}),
        ([10, 3, 4, 5], None, 2, {1: "replaced"}),
        ([10, 3, 2, 4, 5], None, 3, {1: "backwards", 2: "replaced"}),
        ([10, 500, 11], None, 490, {2: "backwards"}),
        ([10, 500, 11], 5, 1, {1: "too_fast"}),
        ([10, 500, 501, 502, 503], 5, 3, {1: "replaced"}),
    ],
)
def test_what_counts(kwh: list[float], max_kw: float | None, counted: float, flags: dict[int, str]) -> None:
    hours = np.arange(len(kwh), dtype=np.int64) * 3_600_000
    for cut in range(len(kwh) + 1):  # and the same in two pieces
        first = count(Register(), hours[:cut], np.array(kwh[:cut], dtype=float), max_kw)
        second = count(first.after, hours[cut:], np.array(kwh[cut:], dtype=float), max_kw)
        whole = (first.kwh[-1] if len(first.kwh) else 0) + (second.kwh[-1] if len(second.kwh) else 0)
        assert whole == counted
    assert count(Register(), hours, np.array(kwh, dtype=float), max_kw).flags == {
        int(hours[number]): flag for number, flag in flags.items()
    }


def test_days_of_clock_changes_have_46_and_50_half_hours() -> None:
    lengths = {
        day: len(CALENDAR.day_of(round(datetime(2026, *day, 12, tzinfo=UTC).timestamp() * 1000)).starts_ms)
        for day in ((3, 28), (3, 29), (10, 25))
    }
    assert lengths == {(3, 28): 48, (3, 29): 46, (10, 25): 50}
