"""What a trial prints."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest
from pydantic import SecretStr

from alerts import trial
from alerts.messages import Message
from alerts.notices import Changes, Post
from alerts.states import Alert, Key
from alerts.trial import Span, Told, replay
from readings.settings import Settings
from tests.alerts.stored import Book, View, declared

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
MESSAGE = Message("🟠 weather: Bergen late", ["series", "Bergen"], "rule late")


def test_what_would_wait_for_the_end_of_quiet_hours_says_so() -> None:
    said: list[str] = []
    told = Told(said.append)
    told(Post("a", "firing", MESSAGE, "a", NOW), NOW)
    told(Post("b", "resolved", MESSAGE, "a", NOW + timedelta(hours=3)), NOW)

    assert said[0] == "2026-11-24 03:00:00 UTC  🟠 weather: Bergen late"
    assert said[4] == "2026-11-24 06:00:00 UTC (held back since 2026-11-24 03:00:00 UTC)  🟠 weather: Bergen late"


@pytest.mark.parametrize(
    ("token", "messages"),
    [
        (None, ["weather: Bergen late", "weather: Oslo late"]),  # Oslo waits for `group_for`
        (SecretStr("xoxb-1"), ["weather: Bergen late"]),  # Oslo joins it by an edit
    ],
)
def test_a_replay_tells_what_the_route_that_is_set_would_send(
    token: SecretStr | None, messages: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = View()
    view.put("Bergen", NOW - timedelta(hours=3), NOW, late=True)
    view.put("Oslo", NOW - timedelta(hours=3), NOW + timedelta(minutes=1), late=True)

    class TellingBook(Book):
        def __init__(self, _database: object, told: Told, *, silences_hold: bool) -> None:
            assert not silences_hold
            super().__init__(declared("Bergen", "Oslo"))
            self.told = told

        def write(self, changed: Sequence[Alert], gone: Iterable[Key], changes: Changes, now: datetime) -> None:
            super().write(changed, gone, changes, now)
            for post in changes.posts:
                self.told(post, now)

    monkeypatch.setattr(trial, "TrialBook", TellingBook)
    monkeypatch.setattr(trial, "connect_mongodb", lambda *_: None)
    monkeypatch.setattr(trial, "connect_view", lambda _: Mock(options=lambda **_how: view))
    file = tmp_path / "rules.yml"
    file.write_text("rules: [{name: late, kind: late, stream: weather}]")
    settings = Settings(_env_file=None).model_copy(update={"slack_bot_token": token, "slack_channel": token and "#a"})
    said: list[str] = []

    assert replay(settings, file, Span(NOW, NOW + timedelta(minutes=6), timedelta(minutes=1)), said.append) == 0
    assert [line.split("🟠 ")[1] for line in said if "🟠" in line] == messages
