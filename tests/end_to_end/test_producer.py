"""The producer on the real servers: what is killed leaves no gap, calls are counted for good, going live clears up."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from elasticsearch import Elasticsearch
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from local_stack.spare import SpareStack
from producer.pacing import DailyCalls
from readings.config import ROOT
from readings.connections import connect_elasticsearch, connect_mongodb, kafka_options, make_topics
from readings.declared import declare, declared
from readings.parts import CONSUMER, INGEST, Part
from readings.settings import Settings
from readings.stream import load_streams
from tests.apis.misbehaving_server import Answer, MisbehavingServer, answer
from tests.producer.conftest import hourly, write_recording

DEADLINE_S = 90
KEY = "k3y-that-no-one-may-see"


def eventually(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Returns when the condition holds; fails at the deadline."""
    ends = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < ends, f"not within {deadline_s} s: {what}"
        threading.Event().wait(0.1)


def messages(settings: Settings, topic: str = "openweathermap") -> list[dict[str, Any]]:
    """Everything that is in a topic now, in the order of its partitions."""
    consumer = KafkaConsumer(**kafka_options(settings), enable_auto_commit=False)
    try:
        name = settings.prefix + topic
        parts = [TopicPartition(name, number) for number in consumer.partitions_for_topic(name) or ()]
        if not parts:
            return []
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        ends = consumer.end_offsets(parts)
        found = []
        while any(consumer.position(part) < ends[part] for part in parts):
            for records in consumer.poll(timeout_ms=500).values():
                found += [orjson.loads(record.value) for record in records]
        return found
    finally:
        consumer.close()


def live(settings: Settings) -> list[dict[str, Any]]:
    return [one for one in messages(settings) if one["mode"] == "live"]


def live_since(settings: Settings, instant: datetime) -> bool:
    return any(datetime.fromisoformat(one["timestamp"]) > instant for one in live(settings))


@contextmanager
def producer(environment: Mapping[str, str], log: Path, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A producer in a process of its own, killed at the end if it still runs."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "producer", *arguments],
            env=dict(environment),
            cwd=ROOT,
            stderr=output,
            stdout=output,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def ends(process: "subprocess.Popen[bytes]") -> int:
    """Asks a process to end and gives its exit code."""
    process.send_signal(signal.SIGTERM)
    return process.wait(30)


def assert_a_reading_each_second(settings: Settings) -> None:
    """From the first live reading of each series to its last, none is missing."""
    first = min(one["timestamp"] for one in live(settings))
    for region in ("Bergen", "Oslo"):
        times = sorted(
            {
                datetime.fromisoformat(one["timestamp"])
                for one in messages(settings)
                if one["region"] == region and one["timestamp"] >= first
            }
        )
        gaps = [(before, after) for before, after in pairwise(times) if after - before != timedelta(seconds=1)]
        assert gaps == []


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    first = datetime(2021, 3, 1, tzinfo=UTC)
    return write_recording(
        tmp_path / "two_places.csv", hourly("Bergen", first, 72, -20) + hourly("Oslo", first, 72, -15)
    )


def test_a_replay_that_is_killed_goes_on_where_it_was(stack: SpareStack, recording: Path, tmp_path: Path) -> None:
    mine, log = stack.apart("producer_killed"), tmp_path / "log"
    arguments = ("replay", str(recording), "--shift-to-now", "--every", "1s")
    with producer(mine.environment, log, *arguments):
        eventually(lambda: len(live(mine.settings)) >= 6, "live readings")
    killed_at = datetime.now(UTC)
    with producer(mine.environment, log, *arguments) as again:
        eventually(lambda: live_since(mine.settings, killed_at), "live readings again")
        assert ends(again) == 0
    assert_a_reading_each_second(mine.settings)
    found = messages(mine.settings)
    assert sum(one["source"] == "replay" and one["mode"] == "backfill" for one in found) == 2 * 28 * 24
    part = connect_mongodb(mine.settings)["parts"].find_one({"_id": "producer"})
    assert part is not None
    assert part["counts"]["sent"] > 0
    sources = connect_mongodb(mine.settings)["sources"].find_one({"_id": "weather"})
    assert sources is not None
    assert (sources["source"], sources["series"], sources["cadence_s"]) == ("replay", ["Bergen", "Oslo"], 1)


@pytest.mark.parametrize("server", ["kafka", "mongodb"])
def test_a_server_that_is_killed_is_waited_for_and_nothing_is_missing(
    stack: SpareStack, recording: Path, tmp_path: Path, server: str
) -> None:
    mine = stack.apart(f"producer_without_{server}")
    with producer(
        mine.environment, tmp_path / "log", "replay", str(recording), "--shift-to-now", "--every", "1s"
    ) as process:
        eventually(lambda: len(live(mine.settings)) >= 6, "live readings")
        stack.kill_and_wait(server)
        back_at = datetime.now(UTC)
        eventually(lambda: live_since(mine.settings, back_at), "live readings again")
        parts = connect_mongodb(mine.settings)["parts"]
        eventually(lambda: (parts.find_one({"_id": "producer"}) or {}).get("state") == "running", "it says running")
        assert process.poll() is None
        assert ends(process) == 0
    assert_a_reading_each_second(mine.settings)


def test_while_kafka_is_not_there_serve_waits_says_so_and_ends_when_asked(stack: SpareStack, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nowhere = f"127.0.0.1:{unused.getsockname()[1]}"
        mine = stack.apart("producer_no_kafka", KAFKA_BOOTSTRAP_SERVERS=nowhere)
        parts = connect_mongodb(mine.settings)["parts"]
        with producer(mine.environment, tmp_path / "log", "serve") as process:
            eventually(lambda: (parts.find_one({"_id": "producer"}) or {}).get("waiting_for") == "kafka", "it waits")
            assert process.poll() is None
            assert ends(process) == 0


def test_serve_without_a_key_replays_the_shipped_weather(stack: SpareStack, tmp_path: Path) -> None:
    mine = stack.apart("producer_serve")
    with producer(mine.environment, tmp_path / "log", "serve") as process:
        eventually(lambda: len(messages(mine.settings)) >= 5000, "28 days of 8 places")
        assert ends(process) == 0
    found = messages(mine.settings)
    assert len({one["region"] for one in found}) == 8
    stream = load_streams(mine.settings)["weather"]
    assert len(declared(connect_mongodb(mine.settings), stream).series) == 8


def one_call(query: Mapping[str, str]) -> Answer:
    record = {"dt": int(query["dt"]), "temp": 4.5}
    return answer(200, {"lat": float(query["lat"]), "lon": float(query["lon"]), "data": [record]})


def test_live_weather_arrives_and_a_restart_makes_no_calls_twice(stack: SpareStack, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with MisbehavingServer(choose=one_call) as api:
        mine = stack.apart("producer_live", OPENWEATHERMAP_API_KEY=KEY, OPENWEATHERMAP_BASE_URL=api.url)
        with producer(mine.environment, log, "run", "weather"):
            eventually(lambda: len(messages(mine.settings)) >= 13, "13 places")
        with producer(mine.environment, log, "run", "weather") as again:
            eventually(lambda: log.read_text().count("at most 936 calls a day") == 2, "the second start")
            assert ends(again) == 0
        assert len(api.requests) == 13
    calls = DailyCalls(connect_mongodb(mine.settings), "openweathermap", 1000)
    now = datetime.now(UTC)
    assert calls.made(now) + calls.made(now - timedelta(days=1)) == 13
    assert {one["region"] for one in messages(mine.settings)} == set(
        load_streams(mine.settings)["weather"].config.series_names()
    )
    assert KEY not in log.read_text()


def test_a_wrong_key_is_said_by_name_in_state_and_log(stack: SpareStack, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with MisbehavingServer(answers=[answer(401, {"cod": 401, "message": "Invalid API key."})]) as api:
        mine = stack.apart("producer_401", OPENWEATHERMAP_API_KEY=KEY, OPENWEATHERMAP_BASE_URL=api.url)
        parts = connect_mongodb(mine.settings)["parts"]
        with producer(mine.environment, log, "run", "weather") as process:
            eventually(lambda: (parts.find_one({"_id": "producer"}) or {}).get("state") == "failed", "it says failed")
            assert ends(process) == 0
        part = parts.find_one({"_id": "producer"})
        with producer(mine.environment, log, "run", "weather", "--once") as once:
            assert once.wait(60) == 1
    assert part is not None
    assert "OPENWEATHERMAP_API_KEY" in part["waiting_for"]
    assert KEY not in log.read_text() + str(part)


def test_without_a_key_the_start_is_refused_by_name(stack: SpareStack, tmp_path: Path) -> None:
    mine, log = stack.apart("producer_no_key"), tmp_path / "log"
    with producer(mine.environment, log, "run", "weather") as process:
        assert process.wait(60) == 2
    assert log.read_text().startswith("OPENWEATHERMAP_API_KEY or OPEN_METEO_BASE_URL: is not set")
    assert log.read_text().count("\n") == 1


def test_the_calls_of_a_day_are_counted_for_good(stack: SpareStack) -> None:
    database = connect_mongodb(stack.apart("producer_calls").settings)
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    first = DailyCalls(database, "openweathermap", 10)
    assert [first.take(now) for _ in range(6)] == [True] * 6
    again = DailyCalls(database, "openweathermap", 10)
    assert [again.take(now, keep=3) for _ in range(3)] == [True, False, False]
    assert [again.take(now) for _ in range(5)] == [True, True, True, False, False]
    assert again.made(now) == 10
    assert again.take(now + timedelta(days=1))


def put_reading(settings: Settings, view: Elasticsearch, number: int, source: str) -> None:
    document = {"source": source, "region": "Bergen"}
    connect_mongodb(settings)["weather"].insert_one({"_id": f"Bergen|{number}", **document})
    index = f"{load_streams(settings)['weather'].index_prefix}2026.11"
    view.index(index=index, id=f"Bergen|{number}", document=document)


def put_readings(settings: Settings, view: Elasticsearch) -> None:
    """Two replayed readings and one of another producer in both stores, with a forecast."""
    stream = load_streams(settings)["weather"]
    database = connect_mongodb(settings)
    keyword = {"type": "keyword"}
    view.indices.create(index=f"{stream.index_prefix}2026.11", mappings={"properties": {"source": keyword}})
    view.indices.create(
        index=f"{settings.prefix}forecasts-weather-2026.11", mappings={"properties": {"region": keyword}}
    )
    for number, source in enumerate(["replay", "replay-interpolated", "meteorologist"]):
        put_reading(settings, view, number, source)
    for region in ("Bergen", "Sydney"):
        database["predictions"].insert_one({"_id": region, "region": region})
        view.index(index=f"{settings.prefix}forecasts-weather-2026.11", document={"region": region})
    declare(database, stream, "replay", ["Bergen"], timedelta(seconds=60))
    database["cursors"].insert_one({"_id": "replay/weather"})


def send_replayed(settings: Settings, number: int) -> list[dict[str, Any]]:
    """Sends so many messages, and gives what a consumer that has read them tells of it."""
    streams = load_streams(settings)
    topic = streams["weather"].topic
    make_topics(settings, streams)
    sender = KafkaProducer(**kafka_options(settings), acks="all")
    for _ in range(number):
        sender.send(topic, key=b"Bergen", value=b"{}")
    sender.flush()
    parts = [TopicPartition(topic, one) for one in sender.partitions_for(topic)]
    sender.close()
    consumer = KafkaConsumer(**kafka_options(settings))
    ends = consumer.end_offsets(parts)
    consumer.close()
    return [{"query": INGEST, "topic": topic, "partition": part.partition, "offset": end} for part, end in ends.items()]


def test_going_live_removes_what_the_replay_wrote_and_nothing_else(stack: SpareStack, tmp_path: Path) -> None:
    """Also what comes to the stores only when the consumer, which is behind, has read it."""
    mine, log = stack.apart("producer_go_live", OPENWEATHERMAP_API_KEY=KEY), tmp_path / "log"
    database, view = connect_mongodb(mine.settings), connect_elasticsearch(mine.settings)
    put_readings(mine.settings, view)
    with producer(mine.environment, log, "run", "weather") as refused:
        assert refused.wait(60) == 2
    assert "go-live weather" in log.read_text()
    stream, all_read = load_streams(mine.settings)["weather"], send_replayed(mine.settings, 2)
    with producer(mine.environment, log, "go-live", "weather", "--yes") as refused:
        assert refused.wait(60) == 1
    assert "the consumer does not run" in log.read_text()
    assert (database["weather"].count_documents({}), declared(database, stream).source) == (3, "replay")
    with (
        Part(database, CONSUMER) as consumer,
        producer(mine.environment, log, "go-live", "weather", "--yes") as process,
    ):
        eventually(lambda: "waits until the consumer has read 2 messages" in log.read_text(), "it waits")
        put_reading(mine.settings, view, 3, "replay-interpolated")
        consumer.note(offsets=all_read)
        assert process.wait(120) == 0
    assert "Removed: 3 readings in MongoDB, 3 in Elasticsearch, 1 predictions and 1 forecasts" in log.read_text()
    assert [one["source"] for one in database["weather"].find()] == ["meteorologist"]
    assert [one["region"] for one in database["predictions"].find()] == ["Sydney"]
    hits = view.search(index=f"{stream.index_prefix}*")["hits"]["hits"]
    assert [hit["_source"]["source"] for hit in hits] == ["meteorologist"]
    now_fed_by = declared(database, stream)
    assert (now_fed_by.source, len(now_fed_by.series)) == ("openweathermap", 13)
    assert database["cursors"].count_documents({}) == 0


def test_going_live_again_keeps_the_forecasts_that_were_made_since_the_stream_was_live(
    stack: SpareStack, tmp_path: Path
) -> None:
    """Also where another live source follows the first: what it left is no replay's."""
    mine, log = stack.apart("producer_go_live_again", OPENWEATHERMAP_API_KEY=KEY), tmp_path / "log"
    database, view = connect_mongodb(mine.settings), connect_elasticsearch(mine.settings)
    stream, index = load_streams(mine.settings)["weather"], f"{mine.settings.prefix}forecasts-weather-2026.11"
    declare(database, stream, "open_meteo", ["Bergen"], timedelta(hours=1))
    since = declared(database, stream).since
    assert since is not None
    view.indices.create(index=index, mappings={"properties": {"region": {"type": "keyword"}}})
    made_live = since + timedelta(hours=1)
    before = since - timedelta(hours=1)
    database[stream.collection].insert_one({"source": "another", "series": "Sydney", "arrived_at": before})
    kept = [("Sydney", before), ("Bergen", made_live)]
    for region, issued_at in (("Bergen", before), ("Narvik, of the replay alone", before), *kept):
        database["predictions"].insert_one({"region": region, "issued_at": issued_at})
        view.index(index=index, document={"region": region, "issued_at": issued_at})
    for _ in range(2):
        with (
            Part(database, CONSUMER),
            producer(mine.environment, log, "go-live", "weather", "--yes") as process,
        ):
            assert process.wait(120) == 0
        assert [(one["region"], one["issued_at"]) for one in database["predictions"].find()] == kept
        hits = [hit["_source"] for hit in view.search(index=index)["hits"]["hits"]]
        assert sorted(hit["region"] for hit in hits) == ["Bergen", "Sydney"]
        assert {hit["issued_at"] for hit in hits} == {issued_at.isoformat() for _, issued_at in kept}
        now_fed_by = declared(database, stream)
        assert (now_fed_by.source, now_fed_by.since, len(now_fed_by.series)) == ("openweathermap", since, 13)
    assert log.read_text().count("To be removed: 0 readings in MongoDB, 0 in Elasticsearch, 2 predictions and 2 f") == 1


def test_going_live_asks_nobody_where_nobody_is(stack: SpareStack, tmp_path: Path) -> None:
    mine = stack.apart("producer_go_live_asks", OPENWEATHERMAP_API_KEY=KEY)
    done = subprocess.run(
        [sys.executable, "-m", "producer", "go-live", "weather"],
        env=dict(mine.environment),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert b"--yes" in done.stderr
