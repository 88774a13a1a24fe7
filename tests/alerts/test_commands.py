"""What `list` says of the engine."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.arguments import parser
from alerts.commands import say_of_engine

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)


def told(seconds_ago: float, state: str = "running", waiting_for: str | None = None) -> dict[str, Any]:
    return {"at": NOW - timedelta(seconds=seconds_ago), "state": state, "waiting_for": waiting_for}


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (None, "the engine was never heard of; nothing is watched: bash run.sh up"),
        (
            told(3600),
            "the engine was not heard of since 2026-11-24 02:00:00 UTC; nothing is watched: bash run.sh up",
        ),
        (told(3, "waiting", "mongodb"), "the engine waits for mongodb"),
        (told(3), "the engine runs"),
    ],
)
def test_the_list_says_how_the_engine_is(part: dict[str, Any] | None, said: str) -> None:
    assert say_of_engine(part, NOW) == said


def test_a_replay_from_before_the_year_1_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parser().parse_args(["replay", "--from", "999999d"])

    assert "read '999999d', which is before the year 1" in capsys.readouterr().err
