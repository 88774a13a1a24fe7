import os
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from elasticsearch import ConnectionError as NoConnection

from elk import retention
from elk.retention import drop_expired, kept_days, month_end
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


class Indices:
    """Elasticsearch's stand-in: indices, each with when it was made."""

    def __init__(self, made: dict[str, datetime]) -> None:
        self.made = made

    def get_settings(self, *, index: str, name: str, flat_settings: bool, ignore_unavailable: bool) -> dict[str, Any]:
        assert flat_settings
        assert ignore_unavailable
        return {
            one: {"settings": {name: str(int(made.timestamp() * 1000))}}
            for one, made in self.made.items()
            if fnmatchcase(one, index)
        }

    def delete(self, *, index: str) -> None:
        del self.made[index]


def test_a_month_of_readings_that_was_fetched_later_is_kept_from_then_on() -> None:
    made = datetime(2026, 11, 29, tzinfo=UTC)
    client = Mock(indices=Indices(dict.fromkeys(("readings-production-2021.06", "totals-meter-2021.06"), made)))
    days = STREAMS["production"].config.mongodb_days

    def dropped(now: datetime) -> list[str]:
        return drop_expired(client, Settings(_env_file=None), STREAMS, now, dry_run=False)

    assert dropped(made + timedelta(days=days - 1)) == ["totals-meter-2021.06"]
    assert dropped(made + timedelta(days=days + 1)) == ["readings-production-2021.06"]
    assert client.indices.made == {}


def test_a_month_of_readings_is_kept_from_its_end_on() -> None:
    made = datetime(2026, 11, 1, tzinfo=UTC)
    client = Mock(indices=Indices({"readings-facility-2026.11": made}))
    end, days = datetime(2026, 12, 1, tzinfo=UTC), timedelta(days=STREAMS["facility"].config.mongodb_days)
    for now, expected in ((end + days - timedelta(hours=1), []), (end + days, ["readings-facility-2026.11"])):
        assert drop_expired(client, Settings(_env_file=None), STREAMS, now, dry_run=True) == expected


class Enough(Exception):
    """Ends what would go on for ever."""


@pytest.mark.parametrize(("every", "waits_s"), [("24h", [60, 60, 24 * 3600]), ("10s", [10, 10, 10])])
def test_after_an_error_it_tries_again_within_a_minute(
    monkeypatch: pytest.MonkeyPatch, every: str, waits_s: list[float]
) -> None:
    errors = [NoConnection("refused"), NoConnection("refused"), None]
    waited_s: list[float] = []

    def drop(*_: object, **__: object) -> None:
        error = errors[len(waited_s)]
        if error:
            raise error

    def wait(seconds: float) -> None:
        waited_s.append(seconds)
        if len(waited_s) == len(errors):
            raise Enough

    monkeypatch.setenv("SKYWATT_ENV_FILE", os.devnull)
    monkeypatch.setenv("ELASTICSEARCH_URL", "http://elsewhere:9200")
    monkeypatch.setattr("sys.argv", ["retention", "--every", every])
    monkeypatch.setattr(retention, "set_up_logs", lambda *_: None)
    monkeypatch.setattr(retention, "drop_expired", drop)
    monkeypatch.setattr(retention, "time", SimpleNamespace(sleep=wait))  # not of threads that other tests left
    with pytest.raises(Enough):
        retention.main()
    assert waited_s == waits_s
