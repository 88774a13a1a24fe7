"""Elasticsearch filled again from MongoDB while readings flow, and dead letters sent again after a fix."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from local_stack.spare import SpareStack
from readings.config import ROOT
from readings.connections import connect_elasticsearch
from spark_consumer.kafka_source import ARRIVED_HEADER
from spark_consumer.writer import Message, _strange_letter
from tests.end_to_end.consumer import (
    Consumer,
    Feed,
    as_json,
    in_elasticsearch,
    in_mongodb,
    running_consumer,
    wait_until,
)

pytestmark = pytest.mark.timeout(600)

OLD = b'{"source": "test", "region": "Bergen", "timestamp": "2005-01-01T00:00:00Z", "temperature_c": 4.5}'
"""Before what `skywatt.yml` takes."""


@pytest.fixture(scope="module")
def apart(stack: SpareStack) -> SpareStack:
    return stack.apart("rebuild")


@pytest.fixture(scope="module")
def consumer(apart: SpareStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    with running_consumer(apart, tmp_path_factory.mktemp("rebuild") / "log") as consumer:
        yield consumer


def run(stack: SpareStack, *words: str) -> str:
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=ROOT, env=stack.environment, capture_output=True, text=True, check=True).stdout


def test_elasticsearch_is_filled_again_while_readings_flow(apart: SpareStack, consumer: Consumer) -> None:
    feed = Feed(apart)
    for number in range(3000):
        feed.send("Bergen", number)
    feed.send("Oslo", 1)
    feed.flush()
    wait_until(lambda: len(in_elasticsearch(apart)) == 3001, "all readings are in Elasticsearch")
    indices = connect_elasticsearch(apart.settings).indices
    indices.delete(index=list(indices.get(index=f"{apart.settings.prefix}readings-weather-*")))
    feed.send("Oslo", 1, temperature_c=9.0)
    for number in range(500):
        feed.send("Tromsø", number)
    told = run(apart, "elk.rebuild", "--stream", "weather")
    feed.flush()
    assert "weather: 3,0" in told or "weather: 3,5" in told
    wait_until(lambda: len(in_mongodb(apart)) == 3501, "all readings are in MongoDB")
    wait_until(lambda: in_elasticsearch(apart) == as_json(in_mongodb(apart)), "both stores hold the same")
    run(apart, "elk.rebuild")
    assert in_elasticsearch(apart) == as_json(in_mongodb(apart)), "once more changes nothing"


def test_dead_letters_are_sent_again_after_a_fix_each_once(
    apart: SpareStack, consumer: Consumer, tmp_path: Path
) -> None:
    feed = Feed(apart)
    feed.send_raw(OLD)
    feed.send_raw(orjson.dumps([{"region": "Bergen"}, orjson.loads(OLD) | {"region": "Oslo"}]))
    feed.flush()
    wait_until(lambda: len(in_elasticsearch(apart, "dead-letters-*")) == 3, "three dead letters")
    assert "2 dead letters would be sent again" in run(
        apart, "spark_consumer", "redrive", "--reason", "2010-01-01", "--dry-run"
    )
    config = tmp_path / "skywatt.yml"
    config.write_text((ROOT / "skywatt.yml").read_text().replace("    topic: openweathermap\n", FIXED))
    consumer.kill()
    consumer.stack = replace(apart, environment={**apart.environment, "SKYWATT_CONFIG": str(config)})
    consumer.start()
    feed.send_raw(orjson.dumps(orjson.loads(OLD) | {"temperature_c": 6.0}), key=b"Bergen")
    feed.flush()
    wait_until(lambda: "Bergen|2005-01-01T00:00:00Z" in in_mongodb(apart), "what was corrected meanwhile")
    assert "2 dead letters were sent again" in run(apart, "spark_consumer", "redrive", "--reason", "2010-01-01")
    mended = {"Bergen|2005-01-01T00:00:00Z", "Oslo|2005-01-01T00:00:00Z"}
    wait_until(lambda: mended <= in_mongodb(apart).keys(), "they are readings now")
    wait_until(lambda: mended <= in_elasticsearch(apart).keys(), "in Elasticsearch, too")
    letters = in_elasticsearch(apart, "dead-letters-*").values()
    (arrived_at,) = {one["arrived_at"] for one in letters if one["position"] == 1}
    assert as_json(in_mongodb(apart))["Oslo|2005-01-01T00:00:00Z"]["arrived_at"] == arrived_at, "no later than it was"
    assert in_mongodb(apart)["Bergen|2005-01-01T00:00:00Z"]["temperature_c"] == 6.0, "the correction came later"
    assert "0 dead letters were sent again" in run(apart, "spark_consumer", "redrive", "--reason", "2010-01-01")
    assert len(in_elasticsearch(apart, "dead-letters-*")) == 3


def test_what_came_while_no_stream_had_its_topic_is_sent_again(apart: SpareStack, consumer: Consumer) -> None:
    feed = Feed(apart)
    message = orjson.dumps(orjson.loads(OLD) | {"region": "Narvik", "timestamp": "2026-11-01T00:00:00Z"})
    for topic in (feed.stream.topic, "rebuild-gone"):
        letter = _strange_letter(Message(topic, 0, 10_000, datetime(2026, 11, 1, 1, tzinfo=UTC), message))
        feed.producer.send("rebuild-dead-letters", letter.model_dump_json().encode())
    feed.flush()

    def letters() -> list[str]:
        return [one["topic"] for one in in_elasticsearch(apart, "dead-letters-*").values() if one["offset"] == 10_000]

    wait_until(lambda: len(letters()) == 2, "both letters")
    assert "0 dead letters were" in run(apart, "spark_consumer", "redrive", "--reason", "redrive", "--stream", "meter")
    assert "1 dead letters were" in run(apart, "spark_consumer", "redrive", "--reason", "redrive")
    wait_until(lambda: "Narvik|2026-11-01T00:00:00Z" in in_mongodb(apart), "a reading now")


def test_a_header_that_is_no_arrival_is_as_none(apart: SpareStack, consumer: Consumer) -> None:
    feed = Feed(apart)
    headers = [b"-99999999999999", b"yesterday", b"99999999999999999999"]
    for hour, header in enumerate(headers):
        message = orjson.loads(OLD) | {"region": "Alta", "timestamp": f"2026-11-01T0{hour}:00:00Z"}
        feed.producer.send(feed.stream.topic, orjson.dumps(message), headers=[(ARRIVED_HEADER, header)])
    feed.flush()

    def arrivals() -> list[datetime]:
        return [one["arrived_at"] for one in in_mongodb(apart).values() if one["region"] == "Alta"]

    wait_until(lambda: len(arrivals()) == len(headers), "they are readings")
    assert all(at > feed.began for at in arrivals())


FIXED = "    topic: openweathermap\n    oldest: 2000-01-01\n"
