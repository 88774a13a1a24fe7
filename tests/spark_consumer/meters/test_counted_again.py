"""Readings that come after their meter's state: the totals are worked out again from what is stored."""

from datetime import UTC, datetime, timedelta

import pytest

from readings.stored import as_source
from spark_consumer.meters.state import REPEATED_MS
from tests.spark_consumer.meters.counting import Counting, at_once, difference

Points = list[tuple[datetime, float]]


def quarters(begin: datetime, end: datetime) -> Points:
    number = (end - begin) // timedelta(minutes=15)
    return [(begin + timedelta(minutes=15 * place), round(100 + 0.1 * place, 3)) for place in range(number)]


def sent(counting: Counting, points: Points, size: int = 50) -> None:
    for first in range(0, len(points), size):
        counting.send(points[first : first + size])


def test_a_late_reading_before_a_months_end_changes_the_next_month_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A meter is away over the end of October; what it measured before comes when its state has gone on."""
    counting = Counting(monkeypatch)
    away, back = datetime(2026, 10, 31, 20, tzinfo=UTC), datetime(2026, 11, 1, 10, tzinfo=UTC)
    points = quarters(datetime(2026, 10, 28, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC))
    sent(counting, [one for one in points if not away <= one[0] < back])
    late = [(at, kwh - 0.05) for at, kwh in points if away <= at < datetime(2026, 10, 31, 23, 50, tzinfo=UTC)]
    counting.send(late)
    assert difference(counting.totals(), at_once(counting.meters, counting.sent)) is None
    counting.send([(points[-1][0] + timedelta(minutes=15), points[-1][1] + 1)])
    assert difference(counting.totals(), at_once(counting.meters, counting.sent)) is None


def test_a_base_that_moves_for_a_late_reading_changes_all_that_comes_after(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fell behind and was not added is a replaced meter, once the reading between confirms it."""
    counting = Counting(monkeypatch)
    begin, end = datetime(2026, 10, 28, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC)
    replaced = datetime(2026, 10, 31, 23, 15, tzinfo=UTC)
    points = [(at, kwh if at < replaced else kwh - 100) for at, kwh in quarters(begin, end)]
    missing = [one for one in points if replaced <= one[0] < replaced + timedelta(hours=2)]
    sent(counting, [one for one in points if one not in missing])
    counting.send([(at, kwh + 0.02) for at, kwh in missing[:2]])
    assert difference(counting.totals(), at_once(counting.meters, counting.sent)) is None


def test_a_late_reading_behind_a_new_base_changes_what_was_said_of_the_base(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is below the reading that was the base: the base is the late one now, and the other ran backwards."""
    counting = Counting(monkeypatch)
    begin = datetime(2026, 10, 28, 12, tzinfo=UTC)
    counting.send([(begin + timedelta(minutes=at), kwh) for at, kwh in [(0, 100.0), (15, 5.0), (30, 6.0), (45, 7.0)]])
    counting.send([(begin + timedelta(minutes=20), 4.0)])
    assert difference(counting.totals(), at_once(counting.meters, counting.sent)) is None


def test_an_old_reading_that_is_sent_once_more_as_it_is_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ingest does not store it again: of a reading that is there as it is the first message is kept."""
    counting = Counting(monkeypatch)
    points = quarters(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 6, tzinfo=UTC))
    sent(counting, points, 200)
    counting.database["meter_totals"].written = 0
    counting.send([points[21]])
    assert counting.database["meter_totals"].written == 0
    assert difference(counting.totals(), at_once(counting.meters, counting.sent)) is None


def test_a_late_reading_of_the_repeated_hour_counts_where_it_was_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour after what its message says, where the first hour's reading is lower."""
    counting = Counting(monkeypatch)
    points = quarters(datetime(2026, 10, 25, tzinfo=UTC), datetime(2026, 10, 29, tzinfo=UTC))
    second = points.pop(6)  # 01:30 in Lisbon, for the second time
    sent(counting, points)
    counting.store_only([(second[0], second[1] + 0.05)])
    stored = counting.sent[-1]
    counting.count([stored._replace(at_ms=stored.at_ms - REPEATED_MS, repeated_hour=True)])
    assert difference(counting.totals(), at_once(counting.meters, counting.sent)) is None


def test_a_meter_whose_readings_come_in_time_is_not_read_from_mongodb(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for its first batch."""
    counting = Counting(monkeypatch)
    points = quarters(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 2, tzinfo=UTC))
    counting.send(points[:50])
    counting.database["meter"].asked.clear()
    sent(counting, points[50:], 10)
    assert counting.database["meter"].asked == []
    assert difference(counting.totals(), at_once(counting.meters, counting.sent)) is None


@pytest.mark.parametrize("dead", ["revised since", "not revised", "the only one", "a revision"])
def test_a_message_that_is_sent_again_counts_by_when_it_came_first(monkeypatch: pytest.MonkeyPatch, dead: str) -> None:
    """Those are the readings of the state, and of the batch in which it comes."""
    counting = Counting(monkeypatch)
    points = quarters(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 2, tzinfo=UTC))
    at, kwh = points[40]
    for one in points:
        if one[0] != at or dead in ("revised since", "a revision"):
            counting.send([one])
    came_first_ms = 39_500 if dead == "revised since" else 50_500
    more = [(points[-1][0] + timedelta(minutes=15 * number), points[-1][1] + number) for number in (1, 2, 3)]
    counting.send([(at, kwh + 0.03)], came_first_ms)
    counting.send(more[:1])
    if dead == "the only one":
        counting.state.value = None
        counting.send([(points[50][0], points[50][1] + 0.02)], 55_500)
    counting.send([*more[1:], (points[41][0], points[41][1] + 0.01)])
    assert difference(counting.totals(), at_once(counting.meters, counting.sent)) is None


def test_only_totals_that_change_are_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting(monkeypatch)
    points = quarters(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 6, tzinfo=UTC))
    sent(counting, points, 200)
    totals, view = counting.database["meter_totals"], counting.view
    totals.written = view.written = 0
    at, kwh = points[21]
    counting.send([(at, kwh + 0.05)])  # of the five marks between its neighbours the totals are others
    assert difference(counting.totals(), at_once(counting.meters, counting.sent)) is None
    assert totals.written == view.written < 10, "one more where a rounding falls otherwise"


def test_what_a_kill_kept_from_elasticsearch_is_written_when_the_batch_is_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counting = Counting(monkeypatch)
    points = quarters(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 6, tzinfo=UTC))
    sent(counting, points, 200)
    before = counting.state.value
    counting.view.on_bulk = killed
    with pytest.raises(KeyboardInterrupt):
        counting.send([(points[21][0], points[21][1] + 0.05)])
    counting.view.on_bulk = lambda: None
    counting.state.value = before
    counting.count(counting.sent[-1:])
    assert counting.view.documents == {
        (f"totals-meter-{at:%Y.%m}", document.pop("_id")): as_source(document)
        for at, document in counting.totals().items()
    }


def killed() -> None:
    raise KeyboardInterrupt


def test_a_revision_in_the_first_batch_after_a_lost_checkpoint_changes_what_was_counted_with_the_old_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the old value the next reading ran backwards; with the new one it does not, as without the reading."""
    counting = Counting(monkeypatch)
    begin = datetime(2026, 1, 31, 1, tzinfo=UTC)
    hours = [(-8, 106.65), (0, 106.8), (20, 106.75), (27, 109.8), (50, 113.25)]
    counting.send([(begin + timedelta(hours=at), kwh) for at, kwh in hours])
    counting.state.value = None
    counting.send([(begin + timedelta(hours=60), 114.0), (begin, 106.75)])
    assert difference(counting.totals(), at_once(counting.meters, counting.sent)) is None


@pytest.mark.parametrize("counted_before", [True, False])
def test_readings_whose_messages_kafka_lost_are_counted_from_what_is_stored(
    monkeypatch: pytest.MonkeyPatch, counted_before: bool
) -> None:
    """With a new checkpoint; the totals before them may be there or not."""
    counting = Counting(monkeypatch)
    points = quarters(datetime(2026, 10, 20, tzinfo=UTC), datetime(2026, 10, 23, tzinfo=UTC))
    if counted_before:
        sent(counting, points[:96])
    lost = points[len(counting.sent) : 150]
    counting.store_only(lost)
    counting.state.value = None
    sent(counting, points[150:])
    assert difference(counting.totals(), at_once(counting.meters, counting.sent)) is None


def test_a_total_that_was_counted_in_part_is_counted_whole_after_a_lost_checkpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of five minutes the reading at 12:02 was counted, and that at their end came while there was no checkpoint."""
    counting = Counting(monkeypatch)
    noon = datetime(2026, 10, 20, 12, tzinfo=UTC)
    counting.send([(noon + timedelta(minutes=minutes), 100 + 0.1 * minutes) for minutes in (-15, 0, 2)])
    counting.store_only([(noon + timedelta(minutes=5), 100.6)])
    counting.state.value = None
    counting.send([(noon + timedelta(minutes=12), 101.3)])
    assert difference(counting.totals(), at_once(counting.meters, counting.sent)) is None


def test_of_a_month_before_the_state_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new checkpoint, and no totals: the mark at the month's start would close a month of which only its last
    readings are known. What a new month has of the gap over its start is counted.
    """
    counting = Counting(monkeypatch)
    points = quarters(datetime(2026, 10, 28, tzinfo=UTC), datetime(2026, 11, 5, tzinfo=UTC))
    begin = datetime(2026, 11, 1, tzinfo=UTC)  # midnight in Lisbon
    points = [(at, kwh) for at, kwh in points if not begin - timedelta(minutes=20) < at < begin + timedelta(minutes=20)]
    counting.store_only(points[:-1])
    counting.send(points[-1:])
    expected = at_once(counting.meters, counting.sent)
    november = {mark: row for mark, row in expected.items() if row["month"] == "2026-11"}
    assert difference(counting.totals(), november) is None
