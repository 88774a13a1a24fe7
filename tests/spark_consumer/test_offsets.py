import json
from pathlib import Path

import pytest

from spark_consumer.offsets import TOPICS, Kept, lost, missing, note_topics, offsets_begun, offsets_read


def kept(first: dict[int, int], end: dict[int, int], energy: str = "an id") -> Kept:
    return Kept({"energy": energy}, {"energy": first}, {"energy": end})


def test_what_was_read_is_what_was_committed(folder: Path) -> None:
    assert offsets_read(folder) == {"energy": {0: 70, 1: 5}}
    assert offsets_begun(folder) == {"energy": {0: 90, 1: 5}}


def test_without_a_committed_batch_nothing_was_read(folder: Path, tmp_path: Path) -> None:
    for one in (folder / "commits").iterdir():
        one.unlink()
    assert offsets_read(folder) == {}
    assert offsets_read(tmp_path / "none") == {}


def test_before_the_first_commit_a_query_is_where_it_began(folder: Path) -> None:
    for one in (folder / "commits").iterdir():
        one.unlink()
    (folder / "sources" / "0").mkdir(parents=True)
    (folder / "sources" / "0" / "0").write_bytes(b'\x00v1\n{"energy":{"0":40,"1":0}}')
    assert offsets_read(folder) == {"energy": {0: 40, 1: 0}}


def test_lost_is_what_lies_between() -> None:
    assert lost({"energy": {0: 70, 1: 5}}, {"energy": {0: 72, 1: 5}}) == {"energy 0": 2}


def test_lost_is_what_a_partition_that_came_had_before() -> None:
    assert lost({"energy": {0: 70}}, {"energy": {0: 70, 1: 5}, "markets": {0: 3}}) == {"energy 1": 5}


@pytest.mark.parametrize(
    ("end", "replaced"),
    [
        ({0: 90, 1: 5}, False),
        ({0: 89, 1: 5}, True),  # a batch was begun that ends at 90
        ({0: 50, 1: 5}, True),
        ({0: 90}, True),
        ({}, True),
    ],
)
def test_a_topic_that_has_less_than_was_read_is_another_one(folder: Path, end: dict[int, int], replaced: bool) -> None:
    gone = missing(folder, kept(dict.fromkeys(end, 0), end))
    assert (gone.lost, list(gone.replaced)) == ({}, ["energy"] if replaced else [])


def test_a_batch_that_was_begun_at_another_topic_does_not_hide_what_was_read_of_the_first(folder: Path) -> None:
    (folder / "offsets" / "11").write_text('v1\n{}\n{"energy":{"0":50,"1":5}}')
    assert missing(folder, kept({0: 0, 1: 0}, {0: 50, 1: 5})).replaced == ["energy"]


def test_a_topic_with_another_id_is_another_one_however_much_it_has(folder: Path) -> None:
    had = kept({0: 0, 1: 0}, {0: 100, 1: 100})
    assert not missing(folder, had), "of an older version, which noted no ids"
    note_topics(folder, had)
    assert not missing(folder, had)
    gone = missing(folder, kept({0: 80, 1: 0}, {0: 100, 1: 100}, "another id"))
    assert (gone.lost, gone.replaced) == ({}, ["energy"])


def test_a_topic_that_is_not_read_now_stays_noted(folder: Path) -> None:
    note_topics(folder, kept({}, {}))
    note_topics(folder, Kept({"markets": "its id"}, {"markets": {}}, {"markets": {}}))
    assert json.loads((folder / TOPICS).read_text()) == {"energy": "an id", "markets": "its id"}
