"""Spark's driver and its executors go by the same settings."""

from typing import Any

import pytest

from readings.connections import kafka_options
from readings.settings import Settings
from spark_consumer import writer
from spark_consumer.meters import query

pytestmark = pytest.mark.slow

OF_LOGS = {"SKYWATT_LOGS", "SKYWATT_LOG_LEVEL"}
"""The driver's alone: an executor's log is kept by Spark."""


class Watched(Settings):
    """Knows which of its fields were read."""

    def __getattribute__(self, name: str) -> Any:
        if name in Settings.model_fields:
            READ.add(name)
        return super().__getattribute__(name)


READ: set[str] = set()


def test_the_workers_have_every_setting_that_is_read_there_as_the_consumer_has_it(
    stack: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    of_worker = stack["services"]["spark-worker-1"]["environment"]
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in of_worker.items():
        monkeypatch.setenv(name, value)
    settings = Watched(_env_file=None)
    READ.clear()
    for module in (query, writer):
        monkeypatch.setattr(module, "load_settings", lambda: settings)
        monkeypatch.setattr(module, "set_up_logs", lambda *_: None)
    query._worker.__wrapped__()
    writer._writer.__wrapped__()
    kafka_options(settings)  # of the dead letters' producer, which is made when there are any
    of_cassandra = {name for name in Settings.model_fields if name.startswith(("cassandra_", "astra_client"))}
    read = {name.upper() for name in READ | of_cassandra} - OF_LOGS
    assert {"METER_MAX_KW", "METER_TARIFF_FILE", "MONGODB_URI", "KAFKA_PASSWORD"} <= read
    consumer, *workers = (
        stack["services"][name]["environment"] for name in ("consumer", "spark-worker-1", "spark-worker-2")
    )
    for worker in workers:
        assert {name: worker.get(name) for name in read} == {name: consumer.get(name) for name in read}
