"""A checkpoint that ends before Kafka's first message is no longer one to go on from."""

import logging
from pathlib import Path

import pytest

from spark_consumer.meters import checkpoint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Batches 9 and 10 are committed, 11 is not."""
    folder = tmp_path / "meter_totals"
    for name in ("offsets", "commits", "state"):
        (folder / name).mkdir(parents=True)
    for number, offset in ((9, 50), (10, 70), (11, 90)):
        (folder / "offsets" / str(number)).write_text(
            f'v1\n{{"batchWatermarkMs":0}}\n{{"energy":{{"1":5,"0":{offset}}}}}'
        )
        if number < 11:
            (folder / "commits" / str(number)).write_text('v1\n{"nextBatchWatermarkMs":0}')
    (folder / "commits" / ".10.crc").write_text("")
    return folder


def test_what_was_read_is_what_was_committed(folder: Path) -> None:
    assert checkpoint.offsets_read(folder) == {"energy": {0: 70, 1: 5}}


def test_without_a_committed_batch_nothing_was_read(folder: Path, tmp_path: Path) -> None:
    for one in (folder / "commits").iterdir():
        one.unlink()
    assert checkpoint.offsets_read(folder) == {}
    assert checkpoint.offsets_read(tmp_path / "none") == {}


def test_it_is_kept_where_kafka_has_what_comes_next(folder: Path) -> None:
    checkpoint.remove_where_lost(folder, {"energy": {0: 70, 1: 0}})
    assert (folder / "commits" / "10").exists()


def test_it_is_removed_where_kafka_lost_messages_and_said_so(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        checkpoint.remove_where_lost(folder, {"energy": {0: 71, 1: 0}})
    assert list(folder.parent.iterdir()) == []
    assert "energy 0: 1" in caplog.text


@pytest.mark.parametrize(("operator", "goes_on"), [("applyInPandasWithState", False), ("transformWithState", True)])
def test_states_of_an_older_version_are_removed(
    folder: Path, caplog: pytest.LogCaptureFixture, operator: str, goes_on: bool
) -> None:
    metadata = folder / "state" / "0" / "_metadata" / "metadata"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f'v1\n{{"operatorInfo":{{"operatorId":0,"operatorName":"{operator}"}}}}')
    with caplog.at_level(logging.WARNING):
        checkpoint.remove_where_older(folder)
    assert folder.exists() == goes_on
    assert ("older version" in caplog.text) != goes_on
