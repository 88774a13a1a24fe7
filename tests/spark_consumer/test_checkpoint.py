"""Where Kafka lacks what a checkpoint has not read it is said, and the query reads what there is or does not start."""

import logging
from collections.abc import Collection
from pathlib import Path

import pytest

from readings.settings import Settings
from spark_consumer import checkpoint
from spark_consumer.checkpoint import DataLost, make_ready
from spark_consumer.offsets import Kept

FIRST, END = {0: 0, 1: 0}, {0: 100, 1: 5}
DELETED = {0: 71, 1: 0}
MADE_AGAIN = {0: 50}
"""Its end: with fewer messages, and partitions, than were read."""


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[int, int]]:
    """What Kafka has of `energy`; of any other topic it has deleted the first seven messages."""
    has = {"first": FIRST, "end": END}

    def kept(_settings: Settings, topics: Collection[str]) -> Kept:
        return Kept(
            {topic: f"the id of {topic}" for topic in topics},
            {topic: has["first"] if topic == "energy" else {0: 7} for topic in topics},
            {topic: has["end"] if topic == "energy" else {0: 9} for topic in topics},
        )

    monkeypatch.setattr(checkpoint, "kept", kept)
    return has


def ready(folder: Path, *topics: str, accept_loss: bool = False, anew_where_lost: bool = False) -> bool:
    return make_ready(
        Settings(_env_file=None),
        "ingest",
        folder,
        topics or ["energy"],
        accept_loss=accept_loss,
        anew_where_lost=anew_where_lost,
    )


def is_kept(folder: Path) -> bool:
    return (folder / "commits" / "10").exists()


@pytest.mark.usefixtures("kafka")
def test_where_kafka_has_what_comes_next_spark_accepts_no_loss(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    for accept_loss in (False, True):
        assert not ready(folder, accept_loss=accept_loss, anew_where_lost=accept_loss)
    assert is_kept(folder)
    assert caplog.text == ""


@pytest.mark.usefixtures("kafka")
def test_a_first_start_changes_nothing(tmp_path: Path) -> None:
    assert not ready(tmp_path / "checkpoints" / "none")


@pytest.mark.parametrize(
    ("has", "said"),
    [
        ({"first": DELETED}, "energy 0: 1 messages were deleted"),
        ({"end": MADE_AGAIN}, "energy: made again since it was read"),
    ],
)
def test_what_is_lost_is_named_and_nothing_goes_on_without_leave(
    folder: Path, kafka: dict[str, dict[int, int]], has: dict[str, dict[int, int]], said: str
) -> None:
    kafka |= has
    with pytest.raises(DataLost, match=f"^ingest: .*{said}.*SKYWATT_ACCEPT_DATA_LOSS"):
        ready(folder)
    assert is_kept(folder)


def test_with_leave_it_goes_on_after_what_was_deleted(
    folder: Path, kafka: dict[str, dict[int, int]], caplog: pytest.LogCaptureFixture
) -> None:
    kafka["first"] = DELETED
    with caplog.at_level(logging.WARNING):
        assert ready(folder, accept_loss=True)
    assert is_kept(folder)
    assert "energy 0: 1 messages were deleted" in caplog.text


@pytest.mark.parametrize("has", [{"end": MADE_AGAIN}, {"first": DELETED}])
def test_it_begins_anew_where_all_that_is_there_is_to_be_read(
    folder: Path, kafka: dict[str, dict[int, int]], has: dict[str, dict[int, int]], caplog: pytest.LogCaptureFixture
) -> None:
    kafka |= has
    with caplog.at_level(logging.WARNING):
        assert not ready(folder, accept_loss=True, anew_where_lost="first" in has)
    assert [one.name for one in folder.iterdir()] == ["topics.json"]
    assert list(folder.parent.iterdir()) == [folder]
    assert "a new checkpoint is begun" in caplog.text


@pytest.mark.usefixtures("kafka")
@pytest.mark.parametrize(
    ("topics", "changed"), [(["energy"], False), (["energy", "markets"], True), (["markets"], True)]
)
def test_other_topics_are_no_loss(
    folder: Path, caplog: pytest.LogCaptureFixture, topics: list[str], changed: bool
) -> None:
    with caplog.at_level(logging.WARNING):
        assert ready(folder, *topics) == changed
    assert ("other streams than before" in caplog.text) == changed


def test_beside_other_topics_a_loss_stays_one(folder: Path, kafka: dict[str, dict[int, int]]) -> None:
    kafka["first"] = DELETED
    with pytest.raises(DataLost):
        ready(folder, "energy", "markets")
    assert ready(folder, "markets")


@pytest.mark.usefixtures("kafka")
def test_a_batch_that_was_only_begun_has_topics_too(folder: Path) -> None:
    for one in (folder / "commits").iterdir():
        one.unlink()
    assert ready(folder, "markets")
    assert not ready(folder, "energy")
