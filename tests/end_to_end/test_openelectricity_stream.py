"""``openelectricity_stream`` in real Spark queries, and its examples as a user runs them, against a stand-in API."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient, NewTopic
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from local_stack.spare import SpareStack
from readings.config import ROOT
from readings.connections import kafka_options
from readings.settings import load_settings
from spark_consumer.openelectricity_stream import OpenElectricityStreamDataSource
from spark_consumer.session import make_session
from tests.apis.misbehaving_server import MisbehavingServer, answer
from tests.apis.openelectricity_stand_in import KEY, OpenElectricityStandIn, value_of
from tests.end_to_end.consumer import wait_until
from tests.end_to_end.delta_table import in_table

pytestmark = pytest.mark.timeout(300)
Rows = list[tuple[Any, ...]]
COLUMNS = ["interval", "metric", "network_region", "fueltech_group"]
"""What tells rows apart."""


@pytest.fixture
def api() -> OpenElectricityStandIn:
    return OpenElectricityStandIn()


@pytest.fixture
def server(api: OpenElectricityStandIn) -> Iterator[MisbehavingServer]:
    with MisbehavingServer(choose=api) as server:
        yield server


@pytest.fixture(scope="module")
def spark(classes: None) -> Iterator[SparkSession]:
    session = make_session(load_settings(), "test of openelectricity_stream")
    session.dataSource.register(OpenElectricityStreamDataSource)
    yield session
    session.stop()


class Stream:
    """A query that notes what each batch brought."""

    def __init__(self, spark: SparkSession, server: MisbehavingServer, folder: Path) -> None:
        self.spark, self.server, self.folder = spark, server, folder
        self.batches: list[tuple[int, Rows]] = []
        self.failing = False

    def start(self, checkpoint: str = "checkpoint", **options: Any) -> StreamingQuery:
        def note(batch: DataFrame, number: int) -> None:
            rows = [(row.interval, row.metric, row.network_region, row.power or row.price) for row in batch.collect()]
            if self.failing:
                raise RuntimeError("the sink is down")
            self.batches.append((number, rows))

        given = {"api_key": KEY, "base_url": self.server.url, "retries": 0, "poll_seconds": 0, **options}
        return (
            self.spark.readStream.format("openelectricity_stream")
            .options(**given)
            .load()
            .writeStream.foreachBatch(note)
            .option("checkpointLocation", str(self.folder / checkpoint))
            .trigger(availableNow=True)
            .start()
        )

    def run(self, checkpoint: str = "checkpoint", **options: Any) -> Rows:
        """The rows that the query brought up to now."""
        before = len(self.batches)
        self.start(checkpoint, **options).awaitTermination()
        return [row for _, rows in self.batches[before:] for row in rows]


@pytest.fixture
def stream(spark: SparkSession, server: MisbehavingServer, tmp_path: Path) -> Stream:
    return Stream(spark, server, tmp_path)


def hours_ago(hours: float) -> datetime:
    """On the full five minutes, naive UTC as Spark collects it where the session's time is UTC."""
    moment = datetime.now(UTC) - timedelta(hours=hours)
    return moment.replace(minute=moment.minute // 5 * 5, second=0, microsecond=0, tzinfo=None)


def local(at: datetime) -> datetime:
    """Spark collects timestamps in this machine's zone."""
    return at.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)


def test_every_value_once_over_restarts_and_a_new_checkpoint(
    stream: Stream, api: OpenElectricityStandIn, tmp_path: Path
) -> None:
    begun = hours_ago(5)
    options = {
        "metrics": ["power", "price"],
        "primary_grouping": "network_region",
        "progress_path": str(tmp_path / "progress"),
    }
    (tmp_path / "progress").mkdir()
    (tmp_path / "progress" / "progress.json").write_text(json.dumps({"timestamp": begun.isoformat()}))
    api.known_until = (begun + timedelta(hours=2, minutes=20)).replace(tzinfo=UTC)
    rows = stream.run(**options)
    assert len(rows) == 28 * 2 * 2
    assert [len(rows) for _, rows in stream.batches] == [12 * 4, 12 * 4, 4 * 4], "an hour a batch, and what there is"
    api.known_until = (begun + timedelta(hours=3)).replace(tzinfo=UTC)
    rows += stream.run(**options)
    api.known_until = None
    rows += stream.run("another checkpoint", **options)
    assert max(Counter(row[:3] for row in rows).values()) == 1
    times = {row[0] for row in rows}
    expected = {local(begun + number * timedelta(minutes=5)) for number in range(len(times))}
    assert times == expected
    assert len(rows) == len(times) * 4
    assert local(datetime.now(UTC).replace(tzinfo=None)) - max(times) < timedelta(minutes=12)
    one = next(row for row in rows if row[1:3] == ("price", "QLD1"))
    assert one[3] == value_of("price", "QLD1", one[0].astimezone(UTC))
    progress = json.loads((tmp_path / "progress" / "progress.json").read_text())
    assert progress == {"timestamp": (begun + len(times) * timedelta(minutes=5)).replace(tzinfo=UTC).isoformat()}


def test_the_checkpoint_is_the_truth_and_not_progress(stream: Stream, tmp_path: Path) -> None:
    options = {"progress_path": str(tmp_path)}
    first = stream.run(**options)
    assert first
    (tmp_path / "progress.json").write_text('{"timestamp": "2026-01-01T00:00:00+00:00"}')
    assert len(stream.run(**options)) <= 1


def test_a_first_batch_that_failed_is_the_same_batch_again(stream: Stream) -> None:
    """Without its end's `since` it would begin an hour ago, and the hour before would be missing."""
    stream.failing = True
    with pytest.raises(StreamingQueryException):
        stream.run(batch_size_hours=2)
    stream.failing = False
    assert len(stream.run(batch_size_hours=1)) >= 24


def test_a_batch_whose_commit_was_lost_is_the_same_batch_again(stream: Stream) -> None:
    before = stream.run(batch_size_hours=2)
    (commit,) = (path for path in (stream.folder / "checkpoint" / "commits").iterdir() if path.name == "0")
    for path in (commit, commit.with_name(f".{commit.name}.crc")):
        path.unlink()
    stream.run(batch_size_hours=2)
    assert [number for number, _ in stream.batches[:2]] == [0, 0]
    assert stream.batches[1][1] == before


def test_an_error_of_the_api_fails_the_batch_and_nothing_is_lost(
    stream: Stream, server: MisbehavingServer, api: OpenElectricityStandIn
) -> None:
    server.choose = lambda _: answer(503)
    with pytest.raises(StreamingQueryException, match="503") as raised:
        stream.run(batch_size_hours=2, retries=1)
    assert stream.batches == []
    assert len(server.requests) == 2
    assert KEY not in str(raised.value)
    server.choose = api
    assert len(stream.run(batch_size_hours=2)) >= 24


def test_the_key_is_neither_in_the_checkpoint_nor_in_the_querys_progress(stream: Stream) -> None:
    query = stream.start()
    query.awaitTermination()
    assert query.recentProgress
    assert KEY not in str([progress.json for progress in query.recentProgress])
    files = [path for path in stream.folder.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    assert '+00:00"' in (stream.folder / "checkpoint" / "offsets" / "0").read_text()


def test_a_wrong_option_is_told_at_load(spark: SparkSession) -> None:
    with pytest.raises(Exception, match="option network_code: read 'NZ'"):
        spark.readStream.format("openelectricity_stream").options(api_key=KEY, network_code="NZ").load()


@contextmanager
def example(
    name: str, server: MisbehavingServer, log: Path, *arguments: str, environment: Any = os.environ
) -> Iterator[Callable[[], str]]:
    """Runs an example for the block; gives what it printed so far. Ends it with SIGTERM, and it must end well."""
    variables = {"OPENELECTRICITY_API_KEY": KEY, "OPENELECTRICITY_BASE_URL": server.url, "SPARK_DRIVER_MEMORY": "512m"}
    command = [sys.executable, "-m", f"examples.openelectricity_{name}", *arguments]
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=ROOT, env={**environment, **variables}, stdout=file, stderr=file)
    try:

        def said() -> str:
            assert process.poll() in (None, 0), log.read_text()[-3000:]
            return log.read_text()

        yield said
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()[-3000:]
    finally:
        process.kill()
        process.wait()
    assert KEY not in log.read_text()


def test_example_console(server: MisbehavingServer, tmp_path: Path) -> None:
    with example("console", server, tmp_path / "log") as said:
        wait_until(lambda: "Batch: 0" in said() and "QLD1" in said(), "a first batch on the console")
        assert said().count("|NSW1") + said().count("|QLD1") == 20, "Spark shows 20 rows"


@pytest.mark.usefixtures("delta_jars")
def test_example_delta_goes_on_from_progress_where_the_checkpoint_is_gone(
    server: MisbehavingServer, api: OpenElectricityStandIn, tmp_path: Path
) -> None:
    folder, progress = tmp_path / "nem", tmp_path / "nem" / "progress.json"
    counts = []
    for end in (hours_ago(3).replace(tzinfo=UTC), hours_ago(2).replace(tzinfo=UTC)):
        api.known_until = end
        with example("delta", server, tmp_path / f"log{len(counts)}", str(folder)) as said:

            def saved(end: datetime = end, said: Callable[[], str] = said) -> bool:
                return bool(said()) and progress.exists() and end.isoformat() in progress.read_text()

            wait_until(saved, "a batch in the table, and progress of it", 180)
        counts.append(len(in_table(folder / "table", COLUMNS)))
        (folder / "checkpoint").rename(folder / f"removed {len(counts)}")
    rows = in_table(folder / "table", COLUMNS)
    assert len(set(rows)) == len(rows)
    assert counts[1] - counts[0] == 12 * 2 * 2 * 2


def test_example_union_has_both_networks(server: MisbehavingServer, tmp_path: Path) -> None:
    def networks() -> Counter[str]:
        files = (tmp_path / "rows").glob("*.json")
        return Counter(json.loads(line)["network_code"] for file in files for line in file.read_text().splitlines())

    with example("union", server, tmp_path / "log", str(tmp_path)):
        wait_until(lambda: networks().total() >= 2 * 2 * 11, "rows of both networks")
    assert networks()["NEM"] == networks()["WEM"]


def test_example_kafka(stack: SpareStack, server: MisbehavingServer, tmp_path: Path) -> None:
    admin = KafkaAdminClient(**kafka_options(stack.settings))
    admin.create_topics([NewTopic("openelectricity", 1, 1)])
    admin.close()
    consumer = KafkaConsumer(
        "openelectricity", **kafka_options(stack.settings), auto_offset_reset="earliest", group_id=None
    )
    with example(
        "kafka", server, tmp_path / "log", "openelectricity", str(tmp_path), environment=stack.environment
    ) as said:
        found: list[Any] = []

        def all_there() -> bool:
            said()
            found.extend(message for messages in consumer.poll(1000).values() for message in messages)
            return len(found) >= 11 * 4

        wait_until(all_there, "the prices and demand of an hour")
    consumer.close()
    values = [json.loads(message.value) for message in found]
    assert {message.key for message in found} == {b"NSW1", b"QLD1"}
    assert {value["metric"] for value in values} == {"price", "demand"}
    one = next(value for value in values if value["metric"] == "price")
    assert one["price"] == value_of("price", one["network_region"], datetime.fromisoformat(one["interval"]))
