"""What is said of arrivals, and what is kept of a series."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.arrivals import Arrivals, Seen, SeriesState, sentence, spell_duration

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def series(stream: str, name: str, minutes_ago: float | None = 0, *, late: bool = False, silent: bool = False):
    newest = None if minutes_ago is None else Seen(NOW - timedelta(minutes=minutes_ago), 1.0, 60 * minutes_ago, late)
    return SeriesState(stream, name, newest, silent, True, 60 * (minutes_ago or 0), ())


def arrivals(*states: SeriesState, streams: tuple[str, ...] = ("weather", "market")) -> Arrivals:
    return Arrivals(NOW, states, dict.fromkeys(streams, "replay"), (), (), None)


def test_all_is_well() -> None:
    told = arrivals(series("weather", "Oslo"), series("weather", "Bergen"), series("market", "NSW1"))
    assert sentence(told) == "All 2 streams arrive, and all 3 series are on time."


def test_a_late_one_is_named_and_by_how_much() -> None:
    told = arrivals(series("weather", "Oslo"), series("weather", "Bergen", 43, silent=True), series("market", "NSW1"))
    assert sentence(told) == "All 2 streams arrive; Bergen is 43 minutes late."
    told = arrivals(series("weather", "Oslo"), series("weather", "Bergen", 43, late=True), series("market", "NSW1"))
    assert sentence(told) == "All 2 streams arrive; Bergen is 43 minutes late."


def test_of_many_late_ones_the_two_worst_are_named() -> None:
    late = [series("weather", name, ago, silent=True) for name, ago in (("A", 40), ("B", 70), ("C", 200), ("D", 50))]
    told = arrivals(series("weather", "Oslo"), *late, series("market", "NSW1"))
    assert sentence(told) == "All 2 streams arrive; C is 3 hours late, B is 70 minutes late and 2 more are late."


def test_a_silent_stream_is_said_before_a_late_series() -> None:
    told = arrivals(
        series("weather", "Oslo"),
        series("weather", "Bergen", None, silent=True),
        series("market", "NSW1", 180, silent=True),
        series("market", "QLD1", 120, silent=True),
    )
    assert sentence(told) == (
        "1 of 2 streams arrive; market is silent for 2 hours; Bergen is silent: it was never heard of."
    )


def test_nothing_arrives() -> None:
    assert sentence(arrivals(series("weather", "Oslo", None))) == "Nothing has arrived yet."
    told = arrivals(series("weather", "Oslo", 90, silent=True), series("market", "NSW1", None))
    assert sentence(told) == "Nothing arrives: weather is silent for 90 minutes and market has not come yet."


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *((-1, "0 seconds"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (3600, "60 minutes")),
        *((7200, "2 hours"), (90_000, "25 hours"), (172_800, "2 days")),
    ],
)
def test_durations_are_words(seconds: float, words: str) -> None:
    assert spell_duration(seconds) == words
