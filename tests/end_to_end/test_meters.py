"""Meters on the real servers: a file that is played, and one that grows."""

import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from kafka import KafkaConsumer, TopicPartition

from local_stack.spare import SpareStack
from readings.config import ROOT
from readings.connections import connect_mongodb, kafka_options
from tests.end_to_end.test_producer import ends, eventually, messages, producer

pytestmark = pytest.mark.timeout(300)

HEADER = "timestamp;sensor_id;energy\n"
LISBON = datetime(2026, 2, 1, 12, tzinfo=UTC)
"""In winter, when Lisbon's time is UTC."""


def lines(first: int, count: int, begin: datetime = LISBON) -> str:
    """Two meters, a reading each five minutes."""
    times = [begin + timedelta(minutes=5 * number) for number in range(first, first + count)]
    numbered = enumerate(times, first)
    return "".join(f"{at:%Y-%m-%d %H:%M:%S};{sensor};{number}.5\n" for number, at in numbered for sensor in "AB")


def energies(found: list[dict[str, Any]], sensor: str = "A") -> list[float]:
    return [one["energy"] for one in found if one["sensor_id"] == sensor]


def numbers(count: int) -> list[float]:
    return [number + 0.5 for number in range(count)]


def run(environment: Mapping[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, "-m", "producer", "run", "meters", *arguments]
    return subprocess.run(words, env=dict(environment), cwd=ROOT, check=False, capture_output=True, text=True)


def state(mine: SpareStack) -> dict[str, Any]:
    return connect_mongodb(mine.settings)["parts"].find_one({"_id": "producer"}) or {}


def test_a_played_file_arrives_with_its_gaps_divided(stack: SpareStack, tmp_path: Path) -> None:
    mine, file = stack.apart("meters_played"), tmp_path / "energy.csv"
    begin = LISBON.replace(minute=0)
    rows = [f"{begin + timedelta(seconds=60 * number):%Y-%m-%dT%H:%M:%S};A;{number}.5" for number in range(8)]
    file.write_text("\n".join([*rows, "yesterday;A;1"]))
    played = run(mine.environment, "--filename", str(file), "--topic", "energy", "--speedup", "60")
    assert played.returncode == 0, played.stderr
    records = kafka_records(mine, "energy")
    assert [orjson.loads(record.value) for record in records] == [
        {
            "timestamp": f"{begin + timedelta(minutes=number):%Y-%m-%dT%H:%M:%S}Z",
            "sensor_id": "A",
            "energy": number + 0.5,
            "mode": "replay",
        }
        for number in range(8)
    ]
    assert {record.key for record in records} == {b"A"}
    took_s = (records[-1].timestamp - records[0].timestamp) / 1000
    assert took_s == pytest.approx(7, abs=1), "seven minutes in seven seconds"
    (letter,) = messages(mine.settings, "dead-letters")
    assert letter["reason"].startswith("energy.csv: line 9: timestamp: read 'yesterday'")


def kafka_records(mine: SpareStack, topic: str) -> list[Any]:
    """A topic's records in the order in which Kafka took them."""
    consumer = KafkaConsumer(**kafka_options(mine.settings), enable_auto_commit=False)
    try:
        parts = [
            TopicPartition(mine.settings.prefix + topic, n)
            for n in consumer.partitions_for_topic(mine.settings.prefix + topic)
        ]
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        end = consumer.end_offsets(parts)
        found: list[Any] = []
        while any(consumer.position(part) < end[part] for part in parts):
            found += [record for records in consumer.poll(timeout_ms=500).values() for record in records]
        return sorted(found, key=lambda record: record.timestamp)
    finally:
        consumer.close()


def test_what_a_growing_file_holds_is_a_backfill_and_what_is_added_is_live_each_once(
    stack: SpareStack, tmp_path: Path
) -> None:
    file, log = tmp_path / "energy.csv", tmp_path / "log"
    mine = stack.apart("meters_grow", METERS_FILE=str(file))
    file.write_text(HEADER + lines(0, 3))
    with producer(mine.environment, log, "run", "meters") as first:
        eventually(lambda: len(messages(mine.settings, "energy")) == 6, "what the file held")
        with file.open("a") as growing:
            growing.write(lines(3, 1) + "yesterday;A;1\n")
        eventually(lambda: len(messages(mine.settings, "energy")) == 8, "what was added")
        first.kill()
        first.wait()
    with file.open("a") as growing:
        growing.write(lines(4, 2))
    with producer(mine.environment, log, "run", "meters") as second:
        eventually(lambda: len(messages(mine.settings, "energy")) == 12, "what was added while it was away")
        assert ends(second) == 0
    found = messages(mine.settings, "energy")
    assert energies(found) == energies(found, "B") == numbers(6)
    assert [one.get("mode", "live") for one in found if one["sensor_id"] == "A"] == [
        *["backfill"] * 3,
        "live",
        *["backfill"] * 2,
    ]
    (letter,) = messages(mine.settings, "dead-letters")
    assert letter["reason"].startswith("energy.csv: line 10: timestamp: read 'yesterday'")
    assert log.read_text().count("line 10") == 1


def test_kafka_away_costs_no_line(stack: SpareStack, tmp_path: Path) -> None:
    file, log = tmp_path / "energy.csv", tmp_path / "log"
    mine = stack.apart("meters_kafka", METERS_FILE=str(file))
    file.write_text(HEADER + lines(0, 2))
    with producer(mine.environment, log, "run", "meters") as process:
        eventually(lambda: len(messages(mine.settings, "energy")) == 4, "what the file held")
        with stack.away("kafka"):
            with file.open("a") as growing:
                growing.write(lines(2, 2))
            eventually(lambda: (state(mine).get("waiting_for") or "").startswith("kafka"), "it waits for Kafka")
        eventually(lambda: set(energies(messages(mine.settings, "energy"))) == set(numbers(4)), "what was added")
        assert ends(process) == 0


def test_a_replaced_file_is_read_from_its_beginning_after_it_was_away(stack: SpareStack, tmp_path: Path) -> None:
    file, log = tmp_path / "energy.csv", tmp_path / "log"
    mine = stack.apart("meters_replaced", METERS_FILE=str(file))
    file.write_text(HEADER + lines(0, 4))
    with producer(mine.environment, log, "run", "meters") as process:
        eventually(lambda: len(messages(mine.settings, "energy")) == 8, "what the file held")
        file.rename(tmp_path / "energy.csv.1")
        eventually(lambda: "METERS_FILE" in (state(mine).get("waiting_for") or ""), "it waits for the file")
        new = tmp_path / "new"
        new.write_text(HEADER + lines(4, 6))
        new.rename(file)
        eventually(lambda: len(messages(mine.settings, "energy")) == 20, "the whole new file")
        assert energies(messages(mine.settings, "energy")) == numbers(10)
        file.write_text(HEADER + lines(10, 1))
        eventually(lambda: len(messages(mine.settings, "energy")) == 22, "a shorter one")
        assert energies(messages(mine.settings, "energy")) == numbers(11)
        eventually(lambda: state(mine).get("state") == "running", "it runs")
        assert ends(process) == 0


def test_once_sends_what_there_is_and_says_what_has_no_end_yet(stack: SpareStack, tmp_path: Path) -> None:
    file = tmp_path / "energy.csv"
    mine = stack.apart("meters_once", METERS_FILE=str(file))
    file.write_text(HEADER + lines(0, 2) + "2026-02-01 12:10:00;A;2")
    once = run(mine.environment, "--once")
    assert once.returncode == 0
    assert "line 6 of energy.csv has no end" in once.stdout + once.stderr
    assert energies(messages(mine.settings, "energy")) == numbers(2)
    with file.open("a") as growing:
        growing.write(".5\n")
    assert run(mine.environment, "--once").returncode == 0
    assert energies(messages(mine.settings, "energy")) == numbers(3)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "cannot be read (No such file or directory)"),
        ("<html>\n", "line 1: read '<html>', expected timestamp;sensor_id;energy"),
        ("", "holds no reading of a meter"),
    ],
)
def test_a_file_that_is_missing_or_no_csv_is_refused_in_one_line_with_2(
    stack: SpareStack, tmp_path: Path, text: str | None, problem: str
) -> None:
    file = tmp_path / "energy.csv"
    if text is not None:
        file.write_text(text)
    mine = stack.apart("meters_refused", METERS_FILE=str(file))
    refused = [run(mine.environment, "--filename", str(file), "--topic", "energy", "--speedup", "60")]
    if text != "":  # what is empty may grow
        refused.append(run(mine.environment, "--once"))
    for one in refused:
        assert one.returncode == 2
        assert one.stdout == ""
        (said,) = one.stderr.splitlines()
        assert f"{file}: {problem}" in said


def test_what_is_for_a_file_is_refused_without_one(stack: SpareStack) -> None:
    for options in (("--topic", "energy"), ("--speedup", "60")):
        refused = run(stack.apart("meters_options").environment, *options)
        assert refused.returncode == 2
        assert "expected them with a file of meters" in refused.stderr
