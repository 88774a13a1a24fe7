from collections.abc import Iterator
from datetime import timedelta

import pytest

from alerts import routes, sender
from tests.alerts.slack import Slack, slack_stand_in


@pytest.fixture
def slack() -> Iterator[Slack]:
    with slack_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender that waits for fractions of a second."""
    monkeypatch.setattr(sender, "FIRST_RETRY_S", 0.05)
    monkeypatch.setattr(sender, "REFUSED_RETRY_S", 0.1)
    monkeypatch.setattr(sender, "POLL_S", 0.02)
    monkeypatch.setattr(sender, "LOOK_AGAIN", timedelta(seconds=0.3))
    monkeypatch.setattr(routes.Bot, "pause_s", 0.02)
    monkeypatch.setattr(routes.Webhook, "pause_s", 0.02)
