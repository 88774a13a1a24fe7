"""Production in a real Cassandra: written once however often, by Oslo's years, and brought back to MongoDB."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from bson import json_util
from cassandra import InvalidRequest
from kafka import KafkaProducer

from local_stack.cassandra import PASSWORD, USER, cassandra_node
from local_stack.spare import SpareStack, settings_of
from readings.config import ROOT
from readings.connections import connect_mongodb, kafka_options
from readings.errors import ConfigError
from readings.settings import load_settings
from readings.stream import load_streams
from spark_consumer.documents import Document, make_document
from spark_consumer.read_cassandra import AWARE
from spark_consumer.sinks.cassandra import Cassandra, Row
from spark_consumer.waiting import ServerAway
from tests.end_to_end.consumer import running_consumer, wait_until

pytestmark = pytest.mark.timeout(400)
STREAM = load_streams(load_settings())["production"]
ARRIVED = datetime(2026, 11, 24, 12, 0, 0, 123_000, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables of a Cassandra that answers."""
    folder = tmp_path_factory.mktemp("cassandra")
    with cassandra_node(load_settings(), folder) as address:
        variables = {"CASSANDRA_HOSTS": address, "ASTRA_CLIENT_ID": USER, "ASTRA_CLIENT_SECRET": PASSWORD}

        def answers() -> bool:
            try:
                Cassandra(settings_of(variables)).close()
            except (ServerAway, ConfigError):  # its user is made a moment after it listens
                return False
            return True

        wait_until(answers, f"Cassandra answers; its log is {folder}/log", 180)
        yield variables


def connect(node: dict[str, str], namespace: str) -> Cassandra:
    return Cassandra(settings_of({**node, "SKYWATT_NAMESPACE": namespace}))


def document(start_time: datetime, quantity_kwh: float, offset: int = 0, arrived: datetime = ARRIVED) -> Document:
    values = {"price_area": "NO5", "production_group": "hydro", "start_time": start_time, "quantity_kwh": quantity_kwh}
    return make_document(STREAM, STREAM.model.model_validate({**values, "source": "test"}), arrived, 0, offset)


def rows_of(cassandra: Cassandra, table: str) -> list[Row]:
    return sorted(cassandra.read(table), key=lambda row: row.start_time)


def test_a_reading_is_in_the_table_of_its_year_in_oslo(node: dict[str, str]) -> None:
    cassandra = connect(node, "years")
    new_year = datetime(2025, 12, 31, 23, tzinfo=UTC)
    cassandra.write([document(new_year - HOUR, 1.0), document(new_year, 2.0)])
    assert cassandra.tables() == ["elhub_production_2025", "elhub_production_2026"]
    (before,), (after,) = (rows_of(cassandra, table) for table in cassandra.tables())
    assert (before.quantity_kwh, after.quantity_kwh) == (1.0, 2.0)
    assert (after.price_area, after.production_group) == ("NO5", "hydro")
    assert after.start_time.replace(tzinfo=UTC) == new_year
    cassandra.close()


def test_the_later_message_stays_in_whatever_order_and_however_often(node: dict[str, str]) -> None:
    cassandra, start = connect(node, "order"), datetime(2026, 11, 1, tzinfo=UTC)
    versions = [
        document(start, 1.0, 7),
        document(start, 2.0, 8),
        document(start, 3.0, 9, ARRIVED + timedelta(milliseconds=1)),
    ]
    for order in (versions, versions[::-1], [versions[1]] * 3):
        for version in order:
            cassandra.write([version])
    assert [row.quantity_kwh for row in rows_of(cassandra, "elhub_production_2026")] == [3.0]
    cassandra.close()


def test_a_wrong_password_is_told_and_a_node_that_is_away_is_waited_for(node: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="refuses") as raised:
        Cassandra(settings_of({**node, "ASTRA_CLIENT_SECRET": "wr0ng"}))
    assert "wr0ng" not in str(raised.value)
    with pytest.raises(ServerAway):
        Cassandra(settings_of({**node, "CASSANDRA_HOSTS": "127.0.0.1:1"}))


def test_the_consumer_writes_what_mongodb_has(stack: SpareStack, node: dict[str, str], tmp_path: Path) -> None:
    apart = stack.apart("withcassandra", **node)
    collection: Any = connect_mongodb(apart.settings)["production"]
    cassandra = Cassandra(apart.settings)

    def in_cassandra() -> dict[str, Document]:
        try:
            rows = [row for table in cassandra.tables() for row in cassandra.read(table)]
        except (InvalidRequest, ServerAway):  # a table is listed a moment before it can be read
            return {}
        documents = [json_util.loads(row.document or "", json_options=AWARE) for row in rows]
        assert len({one["_id"] for one in documents}) == len(documents)
        return {one["_id"]: one for one in documents}

    def in_mongodb() -> dict[str, Document]:
        return {one["_id"]: one for one in collection.find({})}

    with running_consumer(apart, tmp_path / "log"):
        producer = KafkaProducer(**kafka_options(apart.settings), acks="all")
        topic = load_streams(apart.settings)["production"].topic

        def send(quantity_kwh: float, hours: int = 400) -> None:
            for number in range(hours):
                reading = document(datetime(2025, 12, 24, tzinfo=UTC) + number * HOUR, quantity_kwh)
                names = ("source", "price_area", "production_group", "start_time", "quantity_kwh")
                value = {name: reading[name] for name in names} | {"mode": "backfill"}
                producer.send(topic, orjson.dumps(value), b"NO5/hydro")
            producer.flush()

        send(1.5)
        wait_until(lambda: len(in_cassandra()) == 400, "all hours in Cassandra")
        assert cassandra.tables() == ["elhub_production_2025", "elhub_production_2026"]
        for quantity_kwh, hours, revisions in ((2.5, 10, 10), (1.5, 5, 15)):
            send(quantity_kwh, hours)
            wait_until(
                lambda revisions=revisions: sum(one["revision"] for one in in_mongodb().values()) == revisions,
                f"{revisions} revisions in MongoDB",
            )
        wait_until(lambda: in_cassandra() == in_mongodb(), "the same in Cassandra")
        producer.close()
    cassandra.close()


def read_cassandra(stack: SpareStack, *arguments: str) -> str:
    answer = subprocess.run(
        [sys.executable, "-m", "spark_consumer", "read-cassandra", *arguments],
        cwd=ROOT,
        env=stack.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    return answer.stdout


def test_read_cassandra_shows_it_and_brings_the_same_documents_back(stack: SpareStack, node: dict[str, str]) -> None:
    apart = stack.apart("fromcassandra", **node)
    collection: Any = connect_mongodb(apart.settings)["production"]
    start = datetime(2025, 12, 31, 12, tzinfo=UTC)
    written = [document(start + number * HOUR, number + 0.5, number) for number in range(24)]
    written[3] |= {"revision": 2, "revised_at": ARRIVED + HOUR}
    cassandra = Cassandra(apart.settings)
    cassandra.write(written)
    shown = read_cassandra(apart)
    assert "|NO5       |hydro           |24   |2025-12-31 12:00:00|2026-01-01 11:00:00|288.0" in shown

    newer = document(start, 99.0, 0, ARRIVED + HOUR)
    collection.insert_one(newer)
    same = {one["_id"]: one for one in written} | {newer["_id"]: newer}
    assert "24 readings" in read_cassandra(apart, "--to-mongodb")
    assert {one["_id"]: one for one in collection.find({})} == same

    columns = "(price_area, production_group, start_time, quantity_kwh) VALUES (%s, %s, %s, %s)"
    cassandra._session.execute(
        f"INSERT INTO {cassandra.keyspace}.elhub_production_2026 {columns}",
        ("NO1", "wind", datetime(2026, 5, 1, tzinfo=UTC), 4.0),
    )
    cassandra.close()
    assert "25 readings" in read_cassandra(apart, "--to-mongodb")
    stored = {one["_id"]: one for one in collection.find({})}
    one = stored.pop("NO1|wind|2026-05-01T00:00:00Z")
    assert stored == same
    assert (one["quantity_kwh"], one["source"], one["mode"]) == (4.0, "cassandra", "backfill")


def test_read_cassandra_says_that_it_is_off(stack: SpareStack) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "spark_consumer", "read-cassandra"],
        cwd=ROOT,
        env=stack.apart("nocassandra").environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2
    assert "CASSANDRA_HOSTS or ASTRA_SECURE_BUNDLE_PATH" in answer.stderr
