from collections.abc import Iterator

import pytest

from local_stack.spare import SpareStack, spare_stack
from tests.elk.conftest import arrivals, ruby

__all__ = ["arrivals", "ruby", "stack"]


@pytest.fixture(scope="session")
def stack() -> Iterator[SpareStack]:
    """Elasticsearch on a free port with data of its own, for these tests; Kafka and MongoDB are not needed."""
    with spare_stack(KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", MONGODB_URI="mongodb://127.0.0.1:1") as servers:
        yield servers
