from datetime import UTC, datetime
from pathlib import Path

import pytest

from readings.settings import Settings
from readings.stream import Stream, load_streams

ARRIVED = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def weather() -> Stream:
    return load_streams(Settings(_env_file=None))["weather"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint: batches 9 and 10 are committed, 11 is not."""
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
