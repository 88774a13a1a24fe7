"""Kafka is another one than before, or has deleted what was not read: it is said, and with leave all of it is read."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from kafka.admin import KafkaAdminClient

from local_stack.spare import SpareStack
from readings.connections import connect_mongodb, kafka_options, make_topics
from readings.parts import INGEST
from readings.stream import load_streams
from spark_consumer.offsets import offsets_read
from tests.end_to_end.consumer import Consumer, Feed, delete_messages, in_mongodb, running_consumer, wait_until

pytestmark = pytest.mark.timeout(600)


def make_topics_again(stack: SpareStack) -> None:
    admin = KafkaAdminClient(**kafka_options(stack.settings))
    ours = [topic for topic in admin.list_topics() if topic.startswith(stack.settings.prefix)]
    admin.delete_topics(ours)
    wait_until(lambda: not set(ours) & set(admin.list_topics()), "the topics are gone")
    admin.close()
    make_topics(stack.settings, load_streams(stack.settings))


def send(stack: SpareStack, region: str, number: int) -> Feed:
    """So many readings of a place, and of a meter with the same name, five minutes each."""
    feed = Feed(stack)
    for one in range(number):
        feed.send(region, one)
        meter = {
            "timestamp": f"{(feed.began - timedelta(minutes=5 * (number - one))).replace(tzinfo=None).isoformat()}Z",
            "sensor_id": region,
            "energy": 5.0 + one,
        }
        feed.producer.send(load_streams(stack.settings)["meter"].topic, orjson.dumps(meter), key=region.encode())
    feed.flush()
    return feed


def ends_without_leave(consumer: Consumer) -> str:
    consumer.start()
    assert consumer.running.wait(240) == 3, consumer.text()
    return consumer.text().splitlines()[-1]


def test_a_kafka_that_was_made_again_is_read_from_its_beginning(stack: SpareStack, tmp_path: Path) -> None:
    apart = stack.apart("replaced")
    with_leave = replace(apart, environment={**apart.environment, "SKYWATT_ACCEPT_DATA_LOSS": "1"})

    def are_there(number: int, *meters: str) -> Callable[[], bool]:
        return lambda: (
            len(in_mongodb(apart)) == number
            and {*meters} <= {*connect_mongodb(apart.settings)["meter_totals"].distinct("sensor_id")}
        )

    with running_consumer(apart, tmp_path / "log") as consumer:
        send(apart, "before", 100)
        wait_until(are_there(100, "before"), "all of the first Kafka")
        consumer.kill()
        make_topics_again(apart)
        send(apart, "fewer", 50)
        said = ends_without_leave(consumer)
        assert said.startswith("ingest: Kafka deleted messages before they were read")
        assert "replaced-openweathermap" in said
        assert "made again since it was read" in said
        consumer.stack = with_leave
        consumer.start()
        wait_until(are_there(150, "before", "fewer"), "all of the second")
        consumer.kill()
        make_topics_again(apart)
        send(apart, "more", 300)
        consumer.start()
        wait_until(are_there(450, "before", "fewer", "more"), "all of the third")


def test_what_kafka_deleted_before_it_was_read_is_told(stack: SpareStack, tmp_path: Path) -> None:
    apart = stack.apart("deleted")
    with running_consumer(apart, tmp_path / "log") as consumer:
        feed = Feed(apart)
        feed.send("Bergen", 1)
        feed.flush()
        topic, folder = feed.stream.topic, apart.settings.skywatt_data / "checkpoints" / "deleted" / INGEST
        wait_until(lambda: sum(offsets_read(folder).get(topic, {}).values()) == 1, "the first is committed")
        consumer.kill()
        for number in range(2, 12):
            feed.send("Bergen", number)
        feed.flush()
        delete_messages(apart, topic)
        assert f"{topic} " in (said := ends_without_leave(consumer))
        assert "10 messages were deleted" in said
        consumer.stack = replace(apart, environment={**apart.environment, "SKYWATT_ACCEPT_DATA_LOSS": "1"})
        consumer.start()
        feed.send("Bergen", 12)
        feed.flush()
        wait_until(lambda: len(in_mongodb(apart)) == 2, "what came after it")
