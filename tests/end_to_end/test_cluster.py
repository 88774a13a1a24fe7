"""The application on spark://…: a real master, two workers as processes, and one of them killed.

It took twelve minutes of two busy cores, so it is of ``bash run.sh test long``.
"""

from collections.abc import Iterator

import pytest

from local_stack.spare import SpareStack
from readings.connections import connect_mongodb
from tests.end_to_end import test_meter_totals as meters
from tests.end_to_end.consumer import Feed, as_json, in_elasticsearch, in_mongodb, running_consumer, wait_until
from tests.end_to_end.spark_cluster import SparkCluster, spark_cluster

pytestmark = [pytest.mark.timeout(600), pytest.mark.long]

START_S = 240
"""So long may a driver and two executors take to start on a busy machine."""


@pytest.fixture(scope="module")
def apart(stack: SpareStack) -> SpareStack:
    return stack.apart("cluster")


@pytest.fixture(scope="module")
def cluster(apart: SpareStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkCluster]:
    with spark_cluster(tmp_path_factory.mktemp("cluster"), apart.environment) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def feed(apart: SpareStack, cluster: SparkCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Feed]:
    on_it = {"SPARK_MASTER": cluster.url, "SPARK_EXECUTOR_MEMORY": "512m", "SPARK_LOCAL_IP": "127.0.0.1"}
    log = tmp_path_factory.mktemp("consumer") / "log"
    with running_consumer(apart.apart("cluster", **on_it), log):
        yield Feed(apart)


def assert_each_once(feed: Feed, apart: SpareStack) -> None:
    wait_until(lambda: in_mongodb(apart).keys() == feed.acknowledged, "each reading is in MongoDB", START_S)
    wait_until(lambda: in_elasticsearch(apart).keys() == feed.acknowledged, "each reading is in Elasticsearch", START_S)
    stored = in_mongodb(apart)
    assert not [one for one in stored.values() if one["revision"]]
    assert in_elasticsearch(apart) == as_json(stored)


def test_both_workers_take_part_and_write_each_reading_once(
    feed: Feed, apart: SpareStack, cluster: SparkCluster
) -> None:
    for number in range(1000):
        feed.send(f"place-{number % 10}", number // 10)
    meters.send(apart, "on_a_cluster", meters.recorded(1, 1))
    feed.flush()
    assert_each_once(feed, apart)
    assert cluster.cores_used() == [1, 1]
    assert all(cluster.reads()), "a worker has read nothing"
    totals = connect_mongodb(apart.settings)["meter_totals"]
    wait_until(lambda: totals.count_documents({"sensor_id": "on_a_cluster"}) > 0, "the meter's totals", START_S)


def test_a_worker_that_is_killed_is_done_without(feed: Feed, apart: SpareStack, cluster: SparkCluster) -> None:
    for number in range(1000):
        feed.send(f"killed-{number % 10}", number // 10)
    feed.flush()
    cluster.kill_worker()
    for number in range(1000, 2000):
        feed.send(f"killed-{number % 10}", number // 10)
    feed.flush()
    assert_each_once(feed, apart)
    wait_until(lambda: cluster.cores_used() == [1], "the master has given the worker up")
