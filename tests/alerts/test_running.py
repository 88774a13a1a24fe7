"""What goes on around the rounds: threads that survive what nobody foresaw."""

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from kafka import TopicPartition

from alerts import pipeline, run
from alerts.dead_man import DeadMan
from alerts.pipeline import Watch
from alerts.run import Beating
from readings.logs import set_up_logs
from readings.settings import Settings


def wait_until(condition: Callable[[], bool], deadline_s: float = 10) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.01)


class Breaking:
    """Breaks the first time."""

    def __init__(self) -> None:
        self.calls = 0

    def beat(self, _now: datetime) -> None:
        self.calls += 1
        if self.calls == 1:
            raise ValueError("xoxb-secret")

    def find(self, *_: object) -> list[dict[str, Any]]:
        self.beat(datetime.now(UTC))
        return []


def test_the_dead_mans_message_is_put_off_after_what_nobody_foresaw(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(run, "BEAT_S", 0.01)
    dead_man, waits = Breaking(), list[str | None]()
    with Beating(cast(DeadMan, dead_man), lambda: True, waits.append):
        wait_until(lambda: dead_man.calls > 1)

    assert waits[0] == "the dead man's message (ValueError)"
    assert "secret" not in caplog.text


def test_the_pipeline_is_watched_after_what_nobody_foresaw(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pipeline, "EVERY_S", 0.01)
    monkeypatch.setattr(Watch, "_ends", lambda _: {})
    parts, waits = Breaking(), list[str | None]()
    watch = Watch(Settings(_env_file=None), cast(Any, {"parts": parts}), ["energy"], timedelta(minutes=1), waits.append)
    with watch:
        wait_until(lambda: len(watch.pipeline.samples) > 0)

    assert watch.pipeline.topics == ["energy"]
    assert waits[0] == "a look at the pipeline (ValueError)"
    assert waits[-1] is None
    assert "secret" not in caplog.text


class Answering:
    """A client of a Kafka that is there."""

    def __init__(self, **_: object) -> None:
        pass

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return {0}

    def end_offsets(self, partitions: Iterable[TopicPartition], _timeout_ms: int) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(partitions, 7)


def test_that_kafka_is_away_is_one_line_and_that_it_is_back_another(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    settings = Settings(_env_file=None, kafka_bootstrap_servers="127.0.0.1:9", kafka_security_protocol="PLAINTEXT")
    set_up_logs(settings, "alerts")
    monkeypatch.setattr(pipeline, "TIMEOUT_MS", 501)  # the client takes no shorter one
    watch = Watch(settings, cast(Any, {}), ["energy"], timedelta(minutes=1), lambda _: None)
    assert [watch._ends() for _ in range(2)] == [None] * 2
    monkeypatch.setattr(pipeline, "KafkaConsumer", Answering)
    assert [watch._ends() for _ in range(2)] == [{("energy", 0): 7}] * 2

    told = [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()]
    assert told == ["kafka does not answer: KafkaTimeoutError", "kafka answers again"]
