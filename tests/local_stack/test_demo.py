"""What ``run.sh demo`` is told to do; that it does it is tests/end_to_end/test_up_demo.py's."""

import os
from pathlib import Path
from unittest.mock import patch

import pytest

from alerts.routes import choose_route
from alerts.rules import LateRule
from alerts.rules_file import load_rules
from local_stack import demo
from local_stack.console import make_console
from readings.config import ROOT
from readings.settings import Settings, load_settings
from readings.stream import load_streams

WITH_SLACK = """\
SLACK_BOT_TOKEN=xoxb-of-somebody
export SLACK_CHANNEL='C0123ABCDEF'
 slack_webhook_url = https://hooks.slack.com/services/T/B/x
LOCAL_KAFKA_PASSWORD=of-the-file
OPENWEATHERMAP_DAILY_CALLS=500  # mine
DELTA_PATH=/srv/delta
DELTA_STREAMS=weather,production
CASSANDRA_HOSTS=cassandra.example
"""


def test_its_configuration_and_its_rules_are_read() -> None:
    streams = load_streams(Settings(_env_file=None, skywatt_config=ROOT / "local_stack" / "demo.yml"))
    assert list(streams) == ["weather"]
    rules = {rule.kind: rule for rule in load_rules(ROOT / "alerts" / "demo-rules.yml", streams).rules}
    assert rules.keys() == {"late", "silent"}
    late = rules["late"]
    assert isinstance(late, LateRule)
    assert late.window == demo.WINDOW


class Told:
    """The story's stand-in: what it was told."""

    def __init__(self, _console: object, settings: Settings, environment: dict[str, str]) -> None:
        self.settings, self.environment = settings, environment

    def __call__(self, *_: object) -> None:
        """Plays, says and removes nothing."""

    play = remove = say = __call__


def test_its_alerts_and_readings_stay_here_where_slack_and_delta_are_set(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "env").write_text(WITH_SLACK)
    monkeypatch.delenv("LOCAL_KAFKA_PASSWORD")
    monkeypatch.setenv("slack_base_url", "https://slack.example/")
    assert choose_route(load_settings()).name == "bot C0123ABCDEF"
    stories: list[Told] = []
    monkeypatch.setattr(demo, "up", lambda *_: 0)
    monkeypatch.setattr(demo, "Story", lambda *words: stories.append(Told(*words)) or stories[0])
    assert demo.demo(make_console(), settings) == 0
    (story,) = stories
    with patch.dict(os.environ, story.environment, clear=True):
        of_a_part = load_settings()
    assert of_a_part == story.settings
    assert choose_route(of_a_part).name == "log"
    assert not [name for name in of_a_part.model_fields_set if name.startswith("slack_")]
    assert (of_a_part.delta_path, of_a_part.delta_streams, of_a_part.cassandra_hosts) == (None, None, None)
    assert of_a_part.prefix == "skywatt_demo-"
    assert of_a_part.openweathermap_daily_calls == 500
    assert of_a_part.local_kafka_password.get_secret_value() == "of-the-file"
    assert of_a_part.local_mongodb_password == settings.local_mongodb_password
    assert of_a_part.skywatt_data == settings.skywatt_data
