"""The totals of meters on real servers: late, twice, out of order, killed, counted again, they equal plain pandas."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import psutil
import pytest
import yaml
from kafka import KafkaProducer

from local_stack.spare import SpareStack
from readings.anew import asked
from readings.config import ROOT
from readings.connections import connect_mongodb, kafka_options, make_topics
from readings.declared import declare, declared
from readings.stream import load_streams
from spark_consumer.meters.query import NICE
from tests.end_to_end.consumer import (
    Consumer,
    as_json,
    delete_messages,
    in_elasticsearch,
    put_index_templates,
    running_consumer,
    wait_until,
)
from tests.spark_consumer.meters import plain
from tests.spark_consumer.meters.plain import Shown

START = datetime(2026, 10, 20, tzinfo=UTC)
"""Before the day of 50 half hours."""
STEP = timedelta(minutes=15)
PER_DAY = 96
LISBON = ZoneInfo("Europe/Lisbon")

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def apart(stack: SpareStack, tmp_path_factory: pytest.TempPathFactory) -> SpareStack:
    """Of a `skywatt.yml` that has meters alone: nothing is forecast there."""
    config = yaml.safe_load((ROOT / "skywatt.yml").read_text())
    config["streams"] = {"meter": config["streams"]["meter"]}
    file = tmp_path_factory.mktemp("config") / "skywatt.yml"
    file.write_text(yaml.safe_dump(config))
    return stack.apart("meter_totals", SKYWATT_CONFIG=str(file))


@pytest.fixture(scope="module")
def consumer(apart: SpareStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    with running_consumer(apart, tmp_path_factory.mktemp("meter_totals") / "log") as consumer:
        yield consumer


def recorded(days: float, seed: int) -> list[Shown]:
    """A meter's messages, each quarter of an hour."""
    kwh = np.cumsum(np.random.default_rng(seed).uniform(0, 0.4, round(days * PER_DAY)))
    return [
        Shown(START + number * STEP, round(1000 * seed + float(value), 3), number) for number, value in enumerate(kwh)
    ]


def send(apart: SpareStack, meter: str, messages: Sequence[Shown], source: str = "test") -> None:
    producer = KafkaProducer(**kafka_options(apart.settings), acks="all")
    topic = load_streams(apart.settings)["meter"].topic
    for one in messages:
        value = orjson.dumps({"timestamp": one.at.isoformat(), "sensor_id": meter, "energy": one.kwh, "source": source})
        producer.send(topic, key=meter.encode(), value=value)
    producer.flush(60)
    producer.close()


def totals(apart: SpareStack, meter: str) -> dict[datetime, dict[str, Any]]:
    found = connect_mongodb(apart.settings)["meter_totals"].find({"sensor_id": meter})
    return {document["timestamp"]: document for document in found}


def problem(apart: SpareStack, meter: str, messages: Sequence[Shown]) -> str | None:
    """What is not as plain pandas works it out, if anything."""
    expected, found = plain.totals(messages), totals(apart, meter)
    if sorted(found) != list(expected.index):
        return f"{len(found)} marks instead of {len(expected)}"
    for name in expected.columns:
        got = np.array([found[mark.to_pydatetime()][name] for mark in expected.index])
        wrong = np.flatnonzero(np.abs(got - expected[name].to_numpy()) > 2e-6)
        if len(wrong):
            return f"{name} at {expected.index[wrong[0]]}: {got[wrong[0]]}, expected {expected[name].iloc[wrong[0]]}"
    return None


def assert_as_pandas(apart: SpareStack, meter: str, messages: Sequence[Shown]) -> None:
    """Within a time: totals are as good as the readings so far."""
    numbered = [one._replace(offset=number) for number, one in enumerate(messages)]
    try:
        wait_until(lambda: problem(apart, meter, numbered) is None, meter)
    except AssertionError:
        pytest.fail(f"{meter}: {problem(apart, meter, numbered)}")


def test_late_twice_and_out_of_order_over_a_clock_change(apart: SpareStack, consumer: Consumer) -> None:
    messages = recorded(7, 1)
    delays = np.random.default_rng(1).uniform(0, PER_DAY, len(messages))
    order = sorted(range(len(messages)), key=lambda number: number + delays[number])
    mixed = [messages[number] for number in order] + messages[-20:]
    for begin in range(0, len(mixed), 200):
        send(apart, "mixed", mixed[begin : begin + 200])
    assert_as_pandas(apart, "mixed", mixed)
    stored = connect_mongodb(apart.settings)["meter_totals"].find({})
    documents = as_json({document.pop("_id"): document for document in stored})
    wait_until(lambda: in_elasticsearch(apart, "totals-meter-*") == documents, "the same in Elasticsearch")


def test_processes_that_count_stand_back_behind_those_that_write(apart: SpareStack, consumer: Consumer) -> None:
    messages = recorded(1, 7)
    send(apart, "nice", messages)
    assert_as_pandas(apart, "nice", messages)
    ours = psutil.Process().nice()
    assert ours < NICE, "a run that stands back itself cannot tell"
    nice = list(nice_of_workers(consumer))
    assert nice.count(NICE) == apart.settings.spark_shuffle_partitions
    assert set(nice) == {ours, NICE}
    assert nice.count(ours) >= 3, "two daemons, and who writes"


def nice_of_workers(consumer: Consumer) -> Iterator[int]:
    for one in psutil.Process(consumer.running.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            if "spark_consumer.daemon" in one.cmdline():
                yield one.nice()


@pytest.mark.parametrize("order", ["in order", "the other way round", "any order"])
def test_times_without_an_offset_in_the_repeated_hour(apart: SpareStack, consumer: Consumer, order: str) -> None:
    messages = recorded(1.5, 5)
    messages = [one._replace(at=one.at + timedelta(days=4, hours=12)) for one in messages]
    sent = list(messages)
    if order == "any order":
        np.random.default_rng(3).shuffle(sent)  # type: ignore[arg-type]
    elif order == "the other way round":
        sent.reverse()
    send(apart, order, [one._replace(at=one.at.astimezone(LISBON).replace(tzinfo=None)) for one in sent])
    assert_as_pandas(apart, order, messages)
    stored = connect_mongodb(apart.settings)["meter"].find({"sensor_id": order})
    assert {one["timestamp"]: one["energy_kwh"] for one in stored} == {one.at: one.kwh for one in messages}


def test_the_tables_show_what_is_stored(apart: SpareStack, consumer: Consumer) -> None:
    messages = recorded(7, 6)
    send(apart, "shown", messages)
    assert_as_pandas(apart, "shown", messages)
    words = ["show", "meters", "--day", "2026-10-25", "--meter", "shown"]
    command = [sys.executable, "-m", "spark_consumer", *words]
    told = subprocess.run(command, cwd=ROOT, env=apart.environment, capture_output=True, text=True, check=True).stdout
    at_midnight = totals(apart, "shown")[datetime(2026, 10, 26, tzinfo=UTC)]
    for field in ("month_kwh", "day_kwh", "day_cost_eur"):
        assert re.search(rf"shown *│ *{at_midnight[field]:.3f} ", told), told
    half_hours = told.partition("Energy in each half hour")[2]
    assert len(re.findall(r"^│ \d\d:\d\d ", half_hours, re.MULTILINE)) == 50
    assert half_hours.count("│ 01:30 ") == 2


def test_a_reading_older_than_the_state_is_counted_again_from_mongodb(apart: SpareStack, consumer: Consumer) -> None:
    messages = recorded(9, 2)
    old = messages.pop(PER_DAY)
    send(apart, "old", messages)
    assert_as_pandas(apart, "old", messages)
    revised = old._replace(kwh=messages[PER_DAY - 1].kwh)
    send(apart, "old", [revised])
    assert_as_pandas(apart, "old", [*messages, revised])
    more = [Shown(messages[-1].at + STEP, messages[-1].kwh + 1.5, 0)]
    send(apart, "old", more)
    assert_as_pandas(apart, "old", [*messages, revised, *more])


def test_kills_of_the_consumer_change_nothing(apart: SpareStack, consumer: Consumer) -> None:
    messages = recorded(6, 3)
    for begin in range(0, len(messages), PER_DAY * 2):
        before = len(totals(apart, "killed"))
        send(apart, "killed", messages[begin : begin + PER_DAY * 2])
        wait_until(lambda before=before: len(totals(apart, "killed")) > before, "totals begin to come")
        consumer.kill()
        consumer.start()
    assert_as_pandas(apart, "killed", messages)


def test_a_query_that_fails_in_one_of_twenty_partitions(stack: SpareStack, tmp_path: Path) -> None:
    apart = stack.apart("failing_meters")
    make_topics(apart.settings, load_streams(apart.settings))
    put_index_templates(apart)
    messages, told, sent = recorded(30, 8), tmp_path / "told", 0
    command = [sys.executable, "-m", "tests.end_to_end.failing_queries"]
    with told.open("w") as out, subprocess.Popen(command, cwd=ROOT, env=apart.environment, stdout=out) as process:
        try:
            while told.read_text().count("meter_totals failed on purpose") < 2 and sent < len(messages):
                send(apart, "failing", messages[sent : sent + PER_DAY // 2])
                sent += PER_DAY // 2
                assert_as_pandas(apart, "failing", messages[:sent])
        finally:
            process.terminate()
    assert "meter_totals failed on purpose" in told.read_text()


def test_after_going_live_totals_are_those_of_the_live_readings(
    apart: SpareStack, consumer: Consumer, tmp_path: Path
) -> None:
    """The register that was replayed stood higher, and is still in Kafka; the consumer goes on running."""
    database = connect_mongodb(apart.settings)
    replayed, other = recorded(3, 9), recorded(3, 10)
    send(apart, "live", replayed, "replay")
    send(apart, "other", other)
    assert_as_pandas(apart, "live", replayed)
    assert_as_pandas(apart, "other", other)
    stream = load_streams(apart.settings)["meter"]
    declare(database, stream, "replay", ["live"], stream.config.cadence)
    live = [one._replace(at=one.at + timedelta(days=3), kwh=one.kwh - 8000) for one in replayed]
    (tmp_path / "meters.csv").write_text("")
    environment = {**apart.environment, "METERS_FILE": str(tmp_path / "meters.csv")}
    command = [sys.executable, "-m", "producer", "go-live", "meter", "--yes"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as going:
        wait_until(lambda: declared(database, stream).source == "meters", "the change of the source")
        send(apart, "live", live[:20])
        told, _ = going.communicate(timeout=300)
    assert (going.returncode, f"Removed: {len(replayed)} readings in MongoDB" in told) == (0, True), told
    wait_until(lambda: not asked(database, "meter").due, "totals anew")
    send(apart, "live", live[20:])
    assert_as_pandas(apart, "live", live)
    assert_as_pandas(apart, "other", other)
    assert not any("flags" in one for one in totals(apart, "live").values())
    documents = as_json({document.pop("_id"): document for document in database["meter_totals"].find({})})
    wait_until(lambda: in_elasticsearch(apart, "totals-meter-*") == documents, "the same in Elasticsearch")


def test_without_checkpoint_and_messages_a_month_goes_on_from_mongodb(apart: SpareStack, consumer: Consumer) -> None:
    messages = recorded(4, 4)
    send(apart, "moved", messages)
    assert_as_pandas(apart, "moved", messages)
    consumer.kill()
    shutil.rmtree(apart.settings.skywatt_data / "checkpoints" / apart.settings.skywatt_namespace / "meter_totals")
    delete_messages(apart, load_streams(apart.settings)["meter"].topic)
    consumer.start()
    more = [Shown(messages[-1].at + number * STEP, messages[-1].kwh + number, 0) for number in (1, 2, 3)]
    send(apart, "moved", more)
    assert_as_pandas(apart, "moved", [*messages, *more])
