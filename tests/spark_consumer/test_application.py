from pathlib import Path

import pytest
from pydantic import SecretStr

from readings.settings import Settings
from spark_consumer import application
from spark_consumer.application import Application, offsets_read
from spark_consumer.meters.tariff import DEFAULT_FILE
from tests.spark_consumer.stand_in import database


def test_the_consumer_tells_the_zone_of_its_tariff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = database()
    monkeypatch.setattr(application, "connect_mongodb", lambda _: kept)
    tariff = tmp_path / "tariff.yml"
    tariff.write_text(DEFAULT_FILE.read_text().replace("Europe/Lisbon", "Australia/Sydney"))
    settings = Settings(_env_file=None, meter_tariff_file=tariff, local_elasticsearch_password=SecretStr("none asks"))
    with Application(settings)._part:
        pass  # it beats once when it begins
    assert kept["parts"].documents["consumer"]["tariff_zone"] == "Australia/Sydney"


def test_the_offsets_that_come_next_are_told_by_topic_and_partition() -> None:
    sources = [{"endOffset": '{"energy": {"0": 7, "1": 0}, "markets": {"0": 3}}'}]

    assert offsets_read("ingest", {"sources": sources}) == [
        {"query": "ingest", "topic": "energy", "partition": 0, "offset": 7},
        {"query": "ingest", "topic": "energy", "partition": 1, "offset": 0},
        {"query": "ingest", "topic": "markets", "partition": 0, "offset": 3},
    ]


def test_before_the_first_batch_nothing_is_told() -> None:
    assert offsets_read("ingest", {"sources": [{"endOffset": "null"}]}) == []
