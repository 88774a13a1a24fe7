"""What waits to be told with others, by a way out that cannot edit, is told whatever begins meanwhile."""

from datetime import timedelta

import pytest

from tests.alerts.stored import NOW, Book, View, declared, engine

NIGHT = {
    "rules": [{"name": "silent", "kind": "silent", "stream": "weather", "keep_firing_for": "2min"}],
    "quiet_hours": [{"from": "03:04", "until": "06:00", "time_zone": "UTC"}],
}
SILENT_AFTER = timedelta(minutes=45)
"""Cadence and allowed delay."""


@pytest.mark.parametrize(
    ("well_after_min", "said"),
    [(60, ["Bergen silent", "Oslo silent", "Oslo silent no more"]), (4, ["Bergen silent"])],
    ids=["it lasts", "it recovers when they begin"],
)
def test_what_fired_before_quiet_hours_and_waits_when_they_begin_is_told(well_after_min: int, said: list[str]) -> None:
    view, book = View(), Book(declared("Bergen", "Oslo"))
    view.put("Bergen", NOW - SILENT_AFTER - timedelta(seconds=1))
    view.put("Oslo", NOW - SILENT_AFTER + timedelta(minutes=1, seconds=30))
    running = engine(book, view, NIGHT, can_edit=False)
    for minute in range(90):
        now = NOW + timedelta(minutes=minute)
        if minute == well_after_min:
            view.put("Oslo", now)
        running.round(now)
    assert [one.removeprefix("weather: ") for one in book.said] == said

    view.put("Bergen", now)
    for minutes in (1, 2, 3):
        running.round(now + timedelta(minutes=minutes))
    assert {row.split()[0] for post in book.posts for row in post.message.table[1:]} == {"Bergen", "Oslo"}
