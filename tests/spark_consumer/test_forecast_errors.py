from datetime import UTC, datetime, timedelta

import pytest

from spark_consumer.forecast_errors import at_whole_hours, error_of, outcome

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def minutes(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


def test_a_reading_at_the_whole_hour_is_what_came() -> None:
    assert at_whole_hours([(minutes(-30), 1.0), (NOON, 5.0), (minutes(20), 9.0)]) == {NOON: 5.0}
    assert at_whole_hours([(NOON, 5.0)]) == {NOON: 5.0}


def test_between_readings_what_came_lies_between_them() -> None:
    assert at_whole_hours([(minutes(-15), 1.0), (minutes(5), 5.0)]) == {NOON: 4.0}


def test_readings_more_than_an_hour_away_say_nothing() -> None:
    assert at_whole_hours([(minutes(-61), 1.0), (minutes(10), 5.0)]) == {}
    assert at_whole_hours([(minutes(-300), 1.0), (minutes(300), 5.0)]) == {
        minutes(-300): 1.0,
        minutes(300): 5.0,
    }
    assert at_whole_hours([(minutes(-290), 1.0), (minutes(290), 5.0)]) == {}
    assert at_whole_hours([]) == {}


@pytest.mark.parametrize(("actual", "error", "inside"), [(5.0, 1.0, True), (8.0, -2.0, True), (8.1, -2.1, False)])
def test_an_issue_learns_how_far_it_was_off(actual: float, error: float, inside: bool) -> None:
    issue = {"temperature_c": 6.0, "lower_c": 4.0, "upper_c": 8.0, "timestamp": NOON, "issued_at": minutes(-190)}
    gained = outcome(issue, actual)
    assert gained == {"actual": actual, "error": error, "off": abs(error), "horizon_h": 4, "inside": inside}


def test_an_issue_without_an_interval_is_neither_inside_nor_outside() -> None:
    assert "inside" not in outcome({"temperature_c": 6.0, "timestamp": NOON, "issued_at": minutes(-60)}, 5.0)


def test_the_running_error_is_one_document_a_place_and_horizon() -> None:
    bucket = {
        "key": 7,
        "doc_count": 12,
        "off": {"value": 1.5},
        "bias": {"value": -0.5},
        "inside": {"value": 0.75},
        "until": {"value_as_string": "2026-11-24T12:00:00.000Z"},
    }
    assert error_of("Bergen", bucket) == {
        "_id": "Bergen|007",
        "region": "Bergen",
        "horizon_h": 7,
        "count": 12,
        "mean_absolute_error_c": 1.5,
        "bias_c": -0.5,
        "inside_share": 0.75,
        "timestamp": NOON,
        "until": NOON,
    }
