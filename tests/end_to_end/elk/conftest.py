from collections.abc import Iterator

import pytest

from local_stack.spare import SpareStack, spare_stack
from tests.elk.conftest import arrivals, ruby

__all__ = ["arrivals", "ruby", "stack"]


@pytest.fixture(scope="session")
def stack() -> Iterator[SpareStack]:
    """Elasticsearch on a free port with data of its own, for these tests."""
    with spare_stack() as servers:
        yield servers
