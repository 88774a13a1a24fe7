"""Stacks of servers for tests and benchmarks: what an ended one left behind."""

import os
import shutil
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from local_stack import spare

NO_PROCESS = 2**22 + 1
"""Above the highest process id that Linux gives."""


def test_two_that_start_together_clear_away_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    abandoned = tmp_path / f"skywatt-spare-{NO_PROCESS}-left"
    abandoned.mkdir()
    cleared: list[Path] = []
    both = threading.Barrier(2)

    def remove(folder: Path, _environment: Mapping[str, str]) -> None:
        cleared.append(folder)
        with suppress(threading.BrokenBarrierError):
            both.wait(0.5)  # the other one, if it comes here, too
        shutil.rmtree(folder)

    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(spare, "_remove", remove)
    with ThreadPoolExecutor(2) as starting:
        for one in [starting.submit(spare._clear_abandoned) for _ in range(2)]:
            one.result()
    assert cleared == [abandoned]
    assert not list(tmp_path.iterdir())


def test_what_another_users_left_behind_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"skywatt-spare-{NO_PROCESS}-left").mkdir()
    cleared: list[Path] = []
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(spare, "_remove", lambda folder, _environment: cleared.append(folder))
    we = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: we + 1)
    spare._clear_abandoned()
    assert cleared == []
    monkeypatch.setattr(os, "geteuid", lambda: we)
    spare._clear_abandoned()
    assert len(cleared) == 1
