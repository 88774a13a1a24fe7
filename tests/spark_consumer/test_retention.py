"""What is removed from MongoDB once it was kept long enough."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from readings.settings import Settings
from readings.stream import load_streams
from spark_consumer.retention import remove_expired
from tests.spark_consumer.stand_in import database

NOW = datetime(2026, 11, 29, tzinfo=UTC)
STREAMS = load_streams(Settings(_env_file=None))
FACILITY_DAYS = STREAMS["facility"].config.mongodb_days


@pytest.mark.parametrize(
    ("collection", "document", "days"),
    [
        ("market_sums", {"fuel_group": "coal", "power_mw": 1.0}, 800),
        ("market_sums", {"price_per_mwh": 60.0, "spike": False}, 800),
        ("meter_totals", {"month_kwh": 1.0}, STREAMS["meter"].config.mongodb_days),
        ("predictions", {"temperature_c": 1.0}, 30),
        ("production_sums", {"period": "month"}, 4000),
    ],
)
def test_what_is_worked_out_goes_when_it_was_kept_long_enough(
    collection: str, document: dict[str, Any], days: int
) -> None:
    stored = database()
    ages = {"young": timedelta(days=days, hours=-1), "old": timedelta(days=days, hours=1)}
    stored[collection].documents = {_id: {"_id": _id, "timestamp": NOW - age, **document} for _id, age in ages.items()}
    assert remove_expired(stored, STREAMS, NOW) == 1
    assert set(stored[collection].documents) == {"young"}


def test_a_reading_of_the_past_is_kept_from_its_arrival() -> None:
    stored = database()
    past = {"timestamp": datetime(2021, 1, 1, tzinfo=UTC)}
    arrived = {"new": NOW - timedelta(days=FACILITY_DAYS - 1), "old": NOW - timedelta(days=FACILITY_DAYS + 1)}
    stored["facility"].documents = {_id: {"_id": _id, "arrived_at": at, **past} for _id, at in arrived.items()}
    assert remove_expired(stored, STREAMS, NOW) == 1
    assert set(stored["facility"].documents) == {"new"}
