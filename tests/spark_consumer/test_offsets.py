import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from readings.settings import Settings
from spark_consumer import offsets
from spark_consumer.offsets import Offsets, lost, offsets_read, topics_changed


def test_what_was_read_is_what_was_committed(folder: Path) -> None:
    assert offsets_read(folder) == {"energy": {0: 70, 1: 5}}


def test_without_a_committed_batch_nothing_was_read(folder: Path, tmp_path: Path) -> None:
    for one in (folder / "commits").iterdir():
        one.unlink()
    assert offsets_read(folder) == {}
    assert offsets_read(tmp_path / "none") == {}


def test_lost_is_what_lies_between() -> None:
    assert lost({"energy": {0: 70, 1: 5}}, {"energy": {0: 72, 1: 5}}) == {"energy 0": 2}


@pytest.mark.parametrize(
    ("topics", "begins", "changed"),
    [
        (["energy"], 0, False),
        (["energy"], 71, False),
        (["energy", "markets"], 70, True),
        (["energy", "markets"], 71, False),
        (["markets"], 0, True),
    ],
)
def test_other_topics_are_no_loss_and_a_loss_stays_one(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    topics: Sequence[str],
    begins: int,
    changed: bool,
) -> None:
    def beginnings(_settings: Settings, of: Offsets) -> Offsets:
        return {topic: {0: begins, 1: 0} for topic in of}

    monkeypatch.setattr(offsets, "beginnings", beginnings)
    with caplog.at_level(logging.WARNING):
        assert topics_changed(Settings(_env_file=None), folder, topics) == changed
    assert ("other streams than before" in caplog.text) == changed


def test_a_batch_that_was_only_begun_has_topics_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for one in (folder / "commits").iterdir():
        one.unlink()
    assert topics_changed(Settings(_env_file=None), folder, ["markets"])
    assert not topics_changed(Settings(_env_file=None), folder, ["energy"])


def test_a_first_start_changes_nothing(tmp_path: Path) -> None:
    assert not topics_changed(Settings(_env_file=None), tmp_path / "none", ["energy"])
