from datetime import UTC, datetime

import pytest

from elk.retention import kept_days, month_end
from readings.settings import Settings
from readings.stream import load_streams

STREAMS = load_streams(Settings(_env_file=None))


def test_every_family_of_indices_is_kept_for_a_time() -> None:
    days = kept_days(STREAMS)
    assert days["readings-facility"] == STREAMS["facility"].config.mongodb_days
    assert {"arrivals", "service-logs", "alerts", "dead-letters"} <= days.keys()
    assert min(days.values()) >= 30


@pytest.mark.parametrize(
    ("index", "end"),
    [
        ("alerts-2026.11", datetime(2026, 12, 1, tzinfo=UTC)),
        ("alerts-2025.12", datetime(2026, 1, 1, tzinfo=UTC)),
        ("alerts-2026.13", None),
        ("alerts-old-2026.11", None),
        ("my-alerts-2026.11", None),
        ("alerts-2026.11-copy", None),
    ],
)
def test_only_a_months_index_expires(index: str, end: datetime | None) -> None:
    assert month_end(index, "alerts") == end
