"""Whatever is repeated, the stores end the same: no reading twice, none missing, none revised."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from local_stack.spare import SpareStack
from readings.config import ROOT
from readings.connections import connect_mongodb, kafka_options, make_topics
from readings.stream import load_streams
from tests.end_to_end import test_meter_totals as meters
from tests.end_to_end.consumer import (
    Consumer,
    Feed,
    as_json,
    in_elasticsearch,
    in_mongodb,
    put_index_templates,
    running_consumer,
    wait_until,
)

QUERIES = ("ingest", "meter_totals")

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def apart(stack: SpareStack) -> SpareStack:
    return stack.apart("exactly_once")


@pytest.fixture(scope="module")
def consumer(apart: SpareStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    with running_consumer(apart, tmp_path_factory.mktemp("exactly_once") / "log") as consumer:
        yield consumer


@pytest.fixture(scope="module")
def feed(apart: SpareStack, consumer: Consumer) -> Feed:
    return Feed(apart)


def checkpoints(apart: SpareStack) -> Path:
    return apart.settings.skywatt_data / "checkpoints" / apart.settings.skywatt_namespace


def commits(apart: SpareStack, query: str) -> list[Path]:
    """The entries of a query's commit log, in order."""
    found = (checkpoints(apart) / query / "commits").glob("[0-9]*")
    return sorted(found, key=lambda path: int(path.name))


def totals(apart: SpareStack) -> dict[str, Any]:
    return {one.pop("_id"): one for one in connect_mongodb(apart.settings)["meter_totals"].find({})}


def assert_each_once(feed: Feed, apart: SpareStack) -> None:
    wait_until(lambda: in_mongodb(apart).keys() == feed.acknowledged, "each reading is in MongoDB")
    wait_until(lambda: in_elasticsearch(apart).keys() == feed.acknowledged, "each reading is in Elasticsearch")
    stored = in_mongodb(apart)
    assert not [one for one in stored.values() if one["revision"]]
    assert in_elasticsearch(apart) == as_json(stored)


def until_counted(apart: SpareStack, number: int) -> dict[str, Any]:
    wait_until(lambda: len(totals(apart)) == number, "the meter's totals")
    return totals(apart)


def test_without_the_last_entry_of_the_commit_logs(feed: Feed, apart: SpareStack, consumer: Consumer) -> None:
    messages = meters.recorded(2, 1)
    meters.send(apart, "committed", messages)
    for number in range(1000):
        feed.send("committed", number)
    feed.flush()
    assert_each_once(feed, apart)
    before = until_counted(apart, 3 * 191 + 1)
    for query in QUERIES:
        wait_until(lambda query=query: bool(commits(apart, query)), f"{query} has committed")
    consumer.kill()
    for query in QUERIES:
        last = commits(apart, query)[-1]
        last.unlink()
        last.with_name(f".{last.name}.crc").unlink(missing_ok=True)
    consumer.start()
    feed.send("committed", 1000)
    feed.flush()
    assert_each_once(feed, apart)
    assert totals(apart) == before


@pytest.mark.parametrize("away", ["elasticsearch", "mongodb"])
def test_killed_between_the_writes_of_the_two_stores(
    feed: Feed, apart: SpareStack, consumer: Consumer, away: str
) -> None:
    def written() -> int:
        there = in_mongodb(apart) if away == "elasticsearch" else in_elasticsearch(apart, "readings-weather-*")
        return len(there)

    before = len(feed.acknowledged)
    with apart.away(away):
        for number in range(1000):
            feed.send(f"without {away}", number)
        feed.flush()
        wait_until(lambda: written() > before, "the other store has been written to")
        consumer.kill()
        assert written() > before
    consumer.start()
    assert_each_once(feed, apart)


def production(apart: SpareStack, collection: str = "production") -> dict[str, Any]:
    return {one.pop("_id"): one for one in connect_mongodb(apart.settings)[collection].find({})}


def assert_produced(apart: SpareStack, kwh: float) -> None:
    """Readings and sums are the same in both stores, and the month's sum is that."""
    sums = "NO5|hydro|month|2026-01-01"
    wait_until(lambda: production(apart, "production_sums").get(sums, {}).get("quantity_kwh") == kwh, "the month's sum")
    wait_until(lambda: not connect_mongodb(apart.settings)["sums_due"].find_one(), "no sum is due")
    for collection, index in (("production", "readings-production-*"), ("production_sums", "totals-production-*")):
        documents = as_json(production(apart, collection))
        wait_until(lambda index=index, documents=documents: in_elasticsearch(apart, index) == documents, index)


def send_production(apart: SpareStack, hours: int, quantity_kwh: float) -> None:
    of = load_streams(apart.settings)["production"]
    producer = KafkaProducer(**kafka_options(apart.settings), acks="all")
    for number in range(hours):
        reading = of.model.model_validate(
            {
                "source": "test",
                "mode": "backfill",
                "price_area": "NO5",
                "production_group": "hydro",
                "start_time": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number),
                "quantity_kwh": quantity_kwh,
            }
        )
        producer.send(of.topic, reading.model_dump_json().encode(), reading.series.encode())
    producer.flush(60)
    producer.close()


def test_topics_that_are_read_again_from_their_beginning(feed: Feed, apart: SpareStack, consumer: Consumer) -> None:
    for number, quantity_kwh in enumerate((1.5, 2.5, 1.5)):  # revised, and back again
        send_production(apart, 100, quantity_kwh)
        wait_until(
            lambda number=number: [one["revision"] for one in production(apart).values()] == [number] * 100,
            f"production's revision {number}",
        )
    assert_produced(apart, 150.0)
    assert_each_once(feed, apart)
    readings, counted, produced = in_mongodb(apart), totals(apart), production(apart)
    consumer.kill()
    shutil.rmtree(checkpoints(apart))
    consumer.start()
    feed.send("again", 0)
    meters.send(apart, "again", meters.recorded(1, 2))
    feed.flush()
    assert_each_once(feed, apart)
    (new,) = in_mongodb(apart).keys() - readings.keys()
    assert {_id: one for _id, one in in_mongodb(apart).items() if _id != new} == readings
    until_counted(apart, len(counted) + 3 * 95 + 1)
    assert {_id: one for _id, one in totals(apart).items() if one["sensor_id"] != "again"} == counted
    assert production(apart) == produced
    assert_produced(apart, 150.0)


def test_an_ingest_that_fails_in_one_of_twenty_partitions(stack: SpareStack, tmp_path: Path) -> None:
    apart = stack.apart("failing")
    make_topics(apart.settings, load_streams(apart.settings))
    put_index_templates(apart)
    feed, told = Feed(apart), tmp_path / "told"
    command = [sys.executable, "-m", "tests.end_to_end.failing_queries"]
    with told.open("w") as out, subprocess.Popen(command, cwd=ROOT, env=apart.environment, stdout=out) as process:
        try:
            for begin in range(0, 20_000, 2000):
                for number in range(begin, begin + 2000):
                    feed.send(f"place {number % 7}", number)
                feed.flush()
                assert_each_once(feed, apart)
                if "ingest failed on purpose" in told.read_text():
                    break
        finally:
            process.terminate()
    assert "ingest failed on purpose" in told.read_text()
