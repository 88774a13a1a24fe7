"""A container's health check: the heartbeat of its part."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.errors import ServerSelectionTimeoutError

from readings import health
from readings.parts import ALIVE_S


@pytest.mark.parametrize(
    ("state", "age_s", "code"),
    [
        ("running", 1, 0),
        ("waiting", 1, 0),
        ("failed", 1, 1),
        ("running", ALIVE_S + 5, 1),
        (None, 0, 1),
    ],
)
def test_a_part_is_well_while_it_is_heard_of(
    monkeypatch: pytest.MonkeyPatch, state: str | None, age_s: float, code: int
) -> None:
    at = datetime.now(UTC) - timedelta(seconds=age_s)
    told = {"state": state, "at": at, "waiting_for": None} if state else None

    class Collection:
        def find_one(self, which: dict[str, str]) -> Any:
            assert which == {"_id": "consumer"}
            return told

    monkeypatch.setattr(health, "connect_mongodb", lambda *_, **__: {"parts": Collection()})
    monkeypatch.setattr(sys, "argv", ["health", "consumer"])
    assert health.main() == code


def test_a_mongodb_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Away:
        def __getitem__(self, _: str) -> Any:
            raise ServerSelectionTimeoutError("nobody there")

    monkeypatch.setattr(health, "connect_mongodb", lambda *_, **__: Away())
    monkeypatch.setattr(sys, "argv", ["health", "consumer"])
    assert health.main() == 1
    assert "mongodb" in capsys.readouterr().err
