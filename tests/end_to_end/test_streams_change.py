"""Streams are taken out of skywatt.yml, and come again: the consumer goes on where it was."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from kafka.admin import KafkaAdminClient
from kafka.structs import TopicPartition

from local_stack.spare import SpareStack
from readings.config import ROOT
from readings.connections import connect_mongodb, kafka_options
from tests.end_to_end.consumer import Consumer, Feed, running_consumer, wait_until

pytestmark = pytest.mark.timeout(600)


def written(stack: SpareStack, collection: str) -> int:
    return connect_mongodb(stack.settings)[collection].count_documents({})


def test_a_stream_goes_and_comes_again(stack: SpareStack, tmp_path: Path) -> None:
    whole = yaml.safe_load((ROOT / "skywatt.yml").read_text())
    config = tmp_path / "skywatt.yml"

    def with_streams(*names: str) -> None:
        streams: dict[str, Any] = {name: whole["streams"][name] for name in names}
        for one in streams.values():
            one |= {key: str(ROOT / one[key]) for key in ("recording", "archive") if key in one}
            if isinstance(one["series"], str):
                one["series"] = str(ROOT / one["series"])
        config.write_text(yaml.safe_dump({**whole, "streams": streams}))

    def again(consumer: Consumer, *names: str) -> None:
        consumer.kill()
        with_streams(*names)
        consumer.start()

    with_streams("weather", "market")
    apart = stack.apart("streams_change", SKYWATT_CONFIG=str(config))
    with running_consumer(apart, tmp_path / "log") as consumer:
        feed = Feed(apart)

        def market(minute: int) -> None:
            value = (
                b'{"source":"t","network_region":"NSW1","timestamp":"2026-11-24T12:%02d:00Z","demand_mw":1.0}' % minute
            )
            feed.producer.send("streams_change-markets", value=value, partition=0)
            feed.flush()

        feed.send("Bergen", 1)
        market(0)
        wait_until(lambda: (written(apart, "weather"), written(apart, "market")) == (1, 1), "both are written")
        again(consumer, "weather")
        feed.send("Bergen", 2)
        market(5)
        feed.flush()
        wait_until(lambda: written(apart, "weather") == 2, "the one that stayed is written on")
        again(consumer, "weather", "market")
        market(10)
        wait_until(lambda: written(apart, "market") == 3, "what came meanwhile, too")
        admin = KafkaAdminClient(**kafka_options(apart.settings))
        again(consumer, "weather")
        feed.send("Bergen", 3)
        feed.flush()
        wait_until(lambda: written(apart, "weather") == 3, "the one that stayed is written on")
        admin.delete_records({TopicPartition("streams_change-markets", 0): 3})
        admin.close()
        again(consumer, "weather", "market")
        market(15)
        wait_until(lambda: written(apart, "market") == 4, "a topic whose beginning is gone")
        assert consumer.running.poll() is None
