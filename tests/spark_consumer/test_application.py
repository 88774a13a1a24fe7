from spark_consumer.application import offsets_read


def test_the_offsets_that_come_next_are_told_by_topic_and_partition() -> None:
    sources = [{"endOffset": '{"energy": {"0": 7, "1": 0}, "markets": {"0": 3}}'}]

    assert offsets_read("ingest", {"sources": sources}) == [
        {"query": "ingest", "topic": "energy", "partition": 0, "offset": 7},
        {"query": "ingest", "topic": "energy", "partition": 1, "offset": 0},
        {"query": "ingest", "topic": "markets", "partition": 0, "offset": 3},
    ]


def test_before_the_first_batch_nothing_is_told() -> None:
    assert offsets_read("ingest", {"sources": [{"endOffset": "null"}]}) == []
