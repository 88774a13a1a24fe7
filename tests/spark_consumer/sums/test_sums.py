"""A round of sums says whether others wait, so that the next follows at once or with the next readings."""

from datetime import UTC, datetime
from typing import Any

from readings.settings import Settings
from readings.stream import load_streams
from spark_consumer.sums import due
from spark_consumer.sums.sums import MOST_AT_ONCE, Sums
from tests.spark_consumer.stand_in import View, database

BEGIN = datetime(2026, 7, 1, tzinfo=UTC)


def test_more_are_due_until_a_round_has_taken_less_than_it_can() -> None:
    of: Any = database()
    view: Any = View()
    for number in range(MOST_AT_ONCE + 3):
        at = BEGIN + number * due.STEP
        reading = {"_id": f"SA1|{at}", "timestamp": at, "network_region": "SA1", "price_per_mwh": 50.0}
        of["market"].documents[reading["_id"]] = reading
        name = due.five_minutes(at)
        note = {"_id": f"market|{name}", "stream": "market", "name": name, "noted": "1"}
        of[due.COLLECTION].documents[note["_id"]] = note
    sums = Sums("", load_streams(Settings(_env_file=None)), of, view)

    rounds = [sums.make_due(), sums.make_due(), sums.make_due()]

    assert [one.more for one in rounds] == [True, False, False]
    assert [one.written for one in rounds] == [MOST_AT_ONCE, 3, 0]
    assert len(of["market_sums"].documents) == MOST_AT_ONCE + 3
