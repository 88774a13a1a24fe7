"""The consumer on real servers: whatever is killed, whatever is sent, the stores hold each good reading once."""

import subprocess
import sys
from collections.abc import Iterator

import orjson
import pytest

from local_stack.spare import SpareStack
from readings.config import ROOT
from readings.connections import connect_elasticsearch, connect_mongodb
from readings.logs import secrets_of
from tests.end_to_end.consumer import (
    Consumer,
    Feed,
    as_json,
    in_elasticsearch,
    in_mongodb,
    running_consumer,
    wait_until,
)

REVISED = "revised"
SENT = 6000
"""Before a kill: some chunks of a batch, so that it comes between two."""

KILLS, MOST_KILLS = 2, 6

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def apart(stack: SpareStack) -> SpareStack:
    return stack.apart("consumer")


@pytest.fixture(scope="module")
def consumer(apart: SpareStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    with running_consumer(apart, tmp_path_factory.mktemp("consumer") / "log") as consumer:
        yield consumer


@pytest.fixture(scope="module")
def feed(apart: SpareStack, consumer: Consumer) -> Feed:
    """One feed for the module: what an earlier test sent must still be there after a later one."""
    return Feed(apart)


def written(apart: SpareStack) -> int:
    return connect_mongodb(apart.settings)["weather"].count_documents({})


def assert_each_reading_once(feed: Feed, apart: SpareStack) -> None:
    wait_until(lambda: written(apart) >= len(feed.acknowledged), "all acknowledged readings in MongoDB")
    wait_until(lambda: len(in_elasticsearch(apart)) >= len(feed.acknowledged), "and in Elasticsearch")
    stored = in_mongodb(apart)
    assert stored.keys() == feed.acknowledged
    assert all(document["revision"] == (document["region"] == REVISED) for document in stored.values())
    assert in_elasticsearch(apart) == as_json(stored)


def test_kills_of_the_consumer_in_the_middle_of_a_batch(feed: Feed, apart: SpareStack, consumer: Consumer) -> None:
    in_the_middle = 0
    for kill in range(MOST_KILLS):
        before = kill * SENT
        wait_until(lambda before=before: written(apart) == before, "what was sent before the kill is written")
        for number in range(SENT):
            feed.send(f"kill {kill}", number)
        feed.flush()
        wait_until(lambda before=before: written(apart) > before, "the batch has begun")
        in_the_middle += written(apart) < before + SENT  # else the machine was too slow to see it begin
        consumer.kill()
        consumer.start()
        if in_the_middle == KILLS:
            break
    assert in_the_middle == KILLS
    assert_each_reading_once(feed, apart)


def test_what_a_batch_has_written_is_found_without_the_clocks_refresh(
    feed: Feed, apart: SpareStack, consumer: Consumer
) -> None:
    view = connect_elasticsearch(apart.settings)
    index = f"{apart.settings.prefix}readings-weather-*"
    feed.send("first", 1)  # that there is an index
    feed.flush()
    assert_each_reading_once(feed, apart)
    view.indices.put_settings(index=index, settings={"index": {"refresh_interval": "-1"}})
    try:
        feed.send("unrefreshed", 1)
        feed.flush()
        query = {"term": {"region": "unrefreshed"}}
        wait_until(lambda: view.count(index=index, query=query)["count"] == 1, "the reading is found")
    finally:
        view.indices.put_settings(index=index, settings={"index": {"refresh_interval": None}})


@pytest.mark.parametrize("server", ["kafka", "mongodb", "elasticsearch"])
def test_kill_of_a_server_while_readings_flow(feed: Feed, apart: SpareStack, server: str) -> None:
    before = len(feed.acknowledged)
    for number in range(3000):
        feed.send(f"{server} killed", number)
        if number == 1000:
            wait_until(lambda: written(apart) > before, "readings flow")
            apart.kill(server)
    feed.flush()
    apart.wait_ready(server)
    assert len(feed.acknowledged) == before + 3000
    assert_each_reading_once(feed, apart)


def test_a_revision_replaces_in_both_stores(feed: Feed, apart: SpareStack) -> None:
    feed.send(REVISED, 1, temperature_c=5.0)
    feed.send(REVISED, 1, temperature_c=5.0)
    feed.flush()
    [key] = {key for key in feed.acknowledged if key.startswith(f"{REVISED}|")}
    wait_until(lambda: key in in_elasticsearch(apart), "the first reading")
    first = in_mongodb(apart)[key]
    feed.send(REVISED, 1, temperature_c=6.0)
    feed.flush()
    wait_until(lambda: in_elasticsearch(apart)[key]["revision"] == 1, "the revision")
    second = in_mongodb(apart)[key]
    assert (first["revision"], second["revision"], second["temperature_c"]) == (0, 1, 6.0)
    assert second["arrived_at"] == first["arrived_at"] < second["revised_at"]
    assert in_elasticsearch(apart)[key] == as_json({key: second})[key]


GOOD = b'{"source":"test","region":"Bergen","timestamp":"2026-11-01T00:00:00Z","temperature_c":5}'
MALFORMED: list[bytes | None] = [
    b"",
    None,
    b"no JSON",
    b"\x00\x00\x00",
    b"\xff\xfe\xfd",
    b"{",
    b"17",
    b"[]",
    b"[null]",
    b"[" * 50_000,
    b'{"a":' * 2000 + b"1" + b"}" * 2000,
    GOOD.replace(b"5}", b'"5"}'),
    GOOD.replace(b"5}", b"500}"),
    GOOD.replace(b"5}", b"null}"),
    GOOD.replace(b"5}", b"NaN}"),
    GOOD.replace(b"Bergen", b"Ber\\u0000gen"),
    GOOD.replace(b'"region":"Bergen",', b""),
    GOOD.replace(b"2026-11", b"2126-11"),
    GOOD.replace(b"2026-11", b"1726-11"),
    GOOD.replace(b"Z", b""),
    GOOD.replace(b"2026-11-01T00:00:00Z", b"0001-01-01T00:00:00+01:00"),
    GOOD.replace(b"2026-11-01T00:00:00Z", b"9999-12-31T23:59:59-01:00"),
]


def test_5000_malformed_messages_among_good_ones(feed: Feed, apart: SpareStack, consumer: Consumer) -> None:
    before, pid, log = len(in_elasticsearch(apart, "dead-letters-*")), consumer.running.pid, consumer.text()
    processed = processed_messages(apart)
    for number in range(5000):
        if number % 250 == 0:  # 20 of 2 MB
            feed.send_raw(GOOD.replace(b"5}", b'5,"description":"' + b"x" * 2_000_000 + b'"}'))
        else:
            value = MALFORMED[number % len(MALFORMED)]
            feed.send_raw(value, key=b"\x00" if value is None or number % 3 == 0 else None)
        if number % 5 == 0:
            feed.send("among the malformed", number)
    feed.flush()
    wait_until(lambda: len(in_elasticsearch(apart, "dead-letters-*")) >= before + 5000, "5,000 dead letters", 240)
    letters = in_elasticsearch(apart, "dead-letters-*")
    assert len(letters) == before + 5000
    assert all(letter["reason"] for letter in letters.values())
    assert {letter["stream"] for letter in letters.values()} == {"weather"}
    assert sum(len(letter["message"]) > 2_000_000 for letter in letters.values()) == 20
    assert "read '5', expected" in orjson.dumps([letter["reason"] for letter in letters.values()]).decode()
    assert_each_reading_once(feed, apart)
    wait_until(lambda: processed_messages(apart) >= processed + 6000, "all messages counted as processed")
    assert consumer.running.pid == pid
    assert consumer.running.poll() is None
    assert "the query stopped" not in consumer.text()[len(log) :]


def processed_messages(apart: SpareStack) -> int:
    """What the heartbeat tells of the workers."""
    heartbeat = connect_mongodb(apart.settings)["parts"].find_one({"_id": "consumer"}) or {}
    return int(heartbeat.get("gone_through", {}).get("ingest", 0))


FAILS_BEHIND = """
import runpy
from spark_consumer import retention

def fails(*_):
    raise KeyError("on purpose")

retention.remove_expired = fails
runpy.run_module("spark_consumer", run_name="__main__")
"""


def test_a_consumer_whose_work_behind_the_readings_fails_ends_so_that_it_is_started_again(stack: SpareStack) -> None:
    apart = stack.apart("fails_behind")
    command = [sys.executable, "-c", FAILS_BEHIND]
    with subprocess.Popen(command, cwd=ROOT, env=apart.environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            _, said = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == 1
    assert "on purpose" in said


def test_no_secret_is_logged(consumer: Consumer, apart: SpareStack) -> None:
    secrets = secrets_of(apart.settings)
    assert len(secrets) == 4
    assert not [secret for secret in secrets if secret in consumer.text()]
