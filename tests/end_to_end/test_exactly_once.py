"""Whatever is repeated, the stores end the same: no reading twice, none missing, none revised."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_stack.spare import SpareStack
from readings.config import ROOT
from readings.connections import connect_mongodb, make_topics
from readings.stream import load_streams
from tests.end_to_end import test_meter_totals as meters
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
    for query in ("ingest", "meter_totals"):
        wait_until(lambda query=query: bool(commits(apart, query)), f"{query} has committed")
    consumer.kill()
    for query in ("ingest", "meter_totals"):
        last = commits(apart, query)[-1]
        last.unlink()
        last.with_name(f".{last.name}.crc").unlink(missing_ok=True)
    consumer.start()
    feed.send("committed", 1000)
    feed.flush()
    assert_each_once(feed, apart)
    assert totals(apart) == before


def test_killed_between_the_writes_of_the_two_stores(feed: Feed, apart: SpareStack, consumer: Consumer) -> None:
    before = len(feed.acknowledged)
    with apart.away("elasticsearch"):
        for number in range(1000):
            feed.send("between", number)
        feed.flush()
        wait_until(lambda: len(in_mongodb(apart)) > before, "MongoDB has been written to")
        consumer.kill()
        assert len(in_mongodb(apart)) > before
    consumer.start()
    assert_each_once(feed, apart)


def test_topics_that_are_read_again_from_their_beginning(feed: Feed, apart: SpareStack, consumer: Consumer) -> None:
    assert_each_once(feed, apart)
    readings, counted = in_mongodb(apart), totals(apart)
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


def test_an_ingest_that_fails_in_one_of_twenty_partitions(stack: SpareStack, tmp_path: Path) -> None:
    apart = stack.apart("failing")
    make_topics(apart.settings, load_streams(apart.settings))
    subprocess.run([sys.executable, "-m", "elk.setup"], cwd=ROOT, env=apart.environment, check=True)
    feed, told = Feed(apart), tmp_path / "told"
    command = [sys.executable, "-m", "tests.end_to_end.failing_ingest"]
    with told.open("w") as out, subprocess.Popen(command, cwd=ROOT, env=apart.environment, stdout=out) as process:
        try:
            for begin in range(0, 20_000, 2000):
                for number in range(begin, begin + 2000):
                    feed.send(f"place {number % 7}", number)
                feed.flush()
                assert_each_once(feed, apart)
                if "failed on purpose" in told.read_text():
                    break
        finally:
            process.terminate()
    assert "failed on purpose" in told.read_text()
