"""What ``status`` says of parts and streams."""

import json
import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.routes import choose_route
from local_stack import status, table
from local_stack.__main__ import main
from local_stack.layout import Layout
from local_stack.status import Status, StreamStatus, _by_heartbeat, _part
from local_stack.supervisor import ProcessState
from readings.parts import ALIVE_S
from readings.settings import Settings
from readings.stream import load_streams
from tests.stand_in import Collection


def process(state: str = "RUNNING", pid: int | None = None) -> ProcessState:
    return ProcessState("consumer", state, pid or os.getpid(), 0)


def heartbeat(age_s: float, state: str = "running", waiting_for: str | None = None) -> dict[str, dict[str, object]]:
    at = datetime.now(UTC) - timedelta(seconds=age_s)
    return {"consumer": {"state": state, "waiting_for": waiting_for, "at": at}}


@pytest.fixture
def started_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_stack.processes.started_at", lambda _: time.time() - 3600)


@pytest.mark.usefixtures("started_long_ago")
def test_a_part_is_what_it_says_of_itself() -> None:
    assert _by_heartbeat(process(), heartbeat(1), "consumer") == ("running", "")
    assert _by_heartbeat(process(), heartbeat(1, "waiting", "kafka"), "consumer") == ("waiting", "kafka")
    assert _by_heartbeat(process(), heartbeat(1, "failed", "a key"), "consumer") == ("failed", "a key")


@pytest.mark.usefixtures("started_long_ago")
def test_a_part_that_is_not_heard_of_any_more_has_failed() -> None:
    assert _by_heartbeat(process(), heartbeat(ALIVE_S + 5), "consumer")[0] == "failed"
    assert _by_heartbeat(process(), {}, "consumer")[0] == "failed"


def test_what_a_part_said_before_it_was_started_again_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_stack.processes.started_at", lambda _: time.time() - 2)
    assert _by_heartbeat(process(), heartbeat(5), "consumer") == ("waiting", "its start")


def test_a_part_cannot_be_heard_while_mongodb_is_down() -> None:
    state, waiting_for = _by_heartbeat(process(), None, "consumer")
    assert state == "waiting"
    assert "mongodb" in waiting_for


@pytest.mark.parametrize("state", ["STOPPED", "BACKOFF", "EXITED", "FATAL"])
def test_a_part_without_a_process_has_failed(settings: Settings, state: str) -> None:
    gone = ProcessState("consumer", state, None, 0)
    assert _part("consumer", settings, gone, ("running", ""), memory=True).state == "failed"


def test_an_outside_server_is_asked_but_has_no_process_here(settings: Settings) -> None:
    elsewhere = settings.model_copy(update={"elasticsearch_url": "https://search.example:9200"})
    part = _part("elasticsearch", elsewhere, None, ("running", ""), memory=True)
    assert (part.state, part.pid, part.rss_mb) == ("running", None, None)
    assert part.address == "outside (ELASTICSEARCH_URL)"


@pytest.mark.slow
def test_with_nothing_running_status_answers_within_seconds(
    settings: Settings, layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SKYWATT_KAFKA_PORT", "1")  # nothing listens there
    monkeypatch.setenv("SKYWATT_MONGODB_PORT", "2")
    monkeypatch.setenv("SKYWATT_ELASTICSEARCH_PORT", "3")
    began = time.monotonic()
    assert main(["status", "--json"]) == 1
    assert time.monotonic() - began < 10
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    servers = ["kafka", "mongodb", "elasticsearch", "forecaster"]
    ours = ["consumer", "producer", "alerts", "retention", "dashboard"]
    assert {part["name"]: part["state"] for part in told["parts"]} == dict.fromkeys([*servers, *ours], "failed")
    assert set(told["parts"][0]) == {"name", "state", "port", "pid", "rss_mb"}
    assert told["streams"] == [
        {
            "name": name,
            "mongodb": None,
            "elasticsearch": None,
            "late": None,
            "silent": None,
            "dead_letters": None,
        }
        for name in ("weather", "production", "meter", "facility", "market")
    ]


def test_a_disk_that_is_nearly_full_is_warned_of(settings: Settings, layout: Layout) -> None:
    assert not [line for line in table.remarks(Status([], [], 0, 0.11), settings, layout) if "Warning" in line]
    assert "only 9%" in table.remarks(Status([], [], 0, 0.09), settings, layout)[-1]


class View:
    """Elasticsearch's stand-in: the newest readings of series, by pages of a composite aggregation."""

    def __init__(self, newest: dict[str, datetime]) -> None:
        self._newest = newest

    def search(self, *, index: str, size: int, aggs: dict[str, Any]) -> dict[str, Any]:
        assert (index, size) == ("readings-weather-*", 0)
        if not self._newest:
            return {"hits": {}}
        asked = aggs["series"]["composite"]
        series = sorted(name for name in self._newest if name > asked.get("after", {"series": ""})["series"])
        page = series[: asked["size"]]
        buckets = [
            {"key": {"series": name}, "newest": {"value": self._newest[name].timestamp() * 1000}} for name in page
        ]
        last = {"after_key": {"series": page[-1]}} if page else {}
        return {"aggregations": {"series": {"buckets": buckets, **last}}}


def silent_of(newest: dict[str, datetime], declared: list[str]) -> int:
    sources = Collection()
    since = datetime.now(UTC) - timedelta(days=1)
    sources.documents["weather"] = {
        **{"_id": "weather", "source": "replay", "series": declared, "cadence_s": 900, "since": since}
    }
    weather = load_streams(Settings(_env_file=None))["weather"]
    return status._silent(weather, {"sources": sources}, View(newest))  # type: ignore[arg-type]


def test_series_beyond_the_first_ten_thousand_are_not_taken_for_silent() -> None:
    now = datetime.now(UTC)
    places = [f"place {number:05}" for number in range(2 * status._SERIES_AT_ONCE)]
    newest = dict.fromkeys(places, now) | {places[-1]: now - timedelta(hours=3)}
    assert silent_of(newest, [*places, "never heard of"]) == 2


def test_without_an_index_every_declared_series_is_silent() -> None:
    assert silent_of({}, ["Bergen", "Oslo"]) == 2


def test_recordings_are_said_to_be_recordings(settings: Settings, layout: Layout) -> None:
    replayed = StreamStatus("weather", "replay", 1, 1, 0, 0, 0)
    live = StreamStatus("weather", "openweathermap", 1, 1, 0, 0, 0)
    assert table.remarks(Status([], [replayed], 0, 1), settings, layout)[0].startswith("Recordings: ")
    assert not [line for line in table.remarks(Status([], [live], 0, 1), settings, layout) if "Recordings" in line]


def test_a_live_stream_without_readings_is_named(settings: Settings, layout: Layout) -> None:
    quiet = StreamStatus("market", "mqtt", 0, 0, 0, 0, 0)
    lines = table.remarks(Status([], [quiet], 0, 1), settings, layout)
    assert lines[0] == "Live: no readings yet of market (mqtt)."


def test_where_alerts_go_is_said_without_the_secret(settings: Settings, layout: Layout) -> None:
    assert "log only" in table.alerts_go_to(settings, "alerts.log")
    slack = settings.model_copy(update={"slack_bot_token": settings.local_kafka_password, "slack_channel": "#sky"})
    assert table.alerts_go_to(slack, "alerts.log") == "to Slack, channel #sky."
    hook = settings.model_copy(update={"slack_webhook_url": settings.local_kafka_password})
    assert table.alerts_go_to(hook, "alerts.log") == "to Slack, by SLACK_WEBHOOK_URL."
    assert "secret" not in table.alerts_go_to(hook, "alerts.log")


def test_where_a_bot_and_a_webhook_are_set_alerts_go_as_the_engine_chooses(settings: Settings) -> None:
    both = {"slack_bot_token": "xoxb-1", "slack_channel": "#sky", "slack_webhook_url": "https://hooks.slack.com/x"}
    slack = Settings.model_validate({**settings.model_dump(), **both})
    assert choose_route(slack).name == "bot #sky"
    assert table.alerts_go_to(slack, "alerts.log") == "to Slack, channel #sky."
