from datetime import UTC, datetime

import pytest

from readings.settings import Settings
from readings.stream import Stream, load_streams

ARRIVED = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def weather() -> Stream:
    return load_streams(Settings(_env_file=None))["weather"]
