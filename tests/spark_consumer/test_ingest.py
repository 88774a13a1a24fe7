"""Into how many tasks a batch is put."""

import pytest

from spark_consumer.ingest import MAX_MESSAGES_PER_BATCH, tasks_of
from spark_consumer.writer import CHUNK_MESSAGES


@pytest.mark.parametrize(
    ("messages", "tasks"),
    [(0, 1), (CHUNK_MESSAGES, 1), (CHUNK_MESSAGES + 1, 2), (3 * CHUNK_MESSAGES, 3), (MAX_MESSAGES_PER_BATCH, 4)],
)
def test_a_batch_is_put_into_a_task_a_chunk_and_no_more_than_run_at_once(messages: int, tasks: int) -> None:
    assert tasks_of(messages, 4) == tasks
