"""What goes on around the rounds: threads that survive what nobody foresaw."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from alerts import pipeline, run
from alerts.dead_man import DeadMan
from alerts.pipeline import Watch
from alerts.run import Beating
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
