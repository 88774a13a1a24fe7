"""The local servers: they ask for their passwords, listen on this machine alone, and keep what they acknowledged."""

import os
import stat
import time
import uuid
from pathlib import Path

import bcrypt
import psutil
import pytest
import requests
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError
from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from local_stack import mongodb, outside, processes
from local_stack.errors import StackError
from local_stack.layout import Layout
from local_stack.parts import SERVERS, parts_of
from local_stack.spare import SpareStack
from local_stack.status import TIMEOUT_S, part_statuses
from readings.connections import connect_elasticsearch, connect_mongodb, kafka_options, make_topics
from readings.logs import secrets_of
from readings.settings import Settings
from readings.stream import load_streams

INDEX = "readings-weather-2026.11"


def test_every_server_listens_on_this_machine_alone(stack: SpareStack) -> None:
    addresses = {
        connection.laddr.ip
        for name in SERVERS
        if name in parts_of(stack.settings)
        for process in processes.tree(stack.pid(name))
        for connection in process.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert addresses


def test_kafka_refuses_a_wrong_password(stack: SpareStack) -> None:
    options = kafka_options(stack.settings) | {"sasl_plain_password": "wrong"}
    with pytest.raises(KafkaError):
        KafkaAdminClient(**options, bootstrap_timeout_ms=3000)


def test_a_topic_whose_messages_times_are_their_senders_is_told_of(
    stack: SpareStack, caplog: pytest.LogCaptureFixture
) -> None:
    apart = stack.apart("senders_times")
    streams = load_streams(apart.settings)
    admin = KafkaAdminClient(**kafka_options(apart.settings))
    admin.create_topics([NewTopic(streams["meter"].topic, 1, 1)])
    admin.close()
    caplog.set_level("WARNING", "readings.connections")
    for _ in range(2):  # the others are made, and are there
        make_topics(apart.settings, streams)
    assert [record.getMessage().split(", ")[0] for record in caplog.records if "topic" in record.getMessage()] == [
        "topic senders_times-energy: message.timestamp.type is CreateTime"
    ] * 2


def test_mongodb_refuses_who_does_not_log_in(stack: SpareStack) -> None:
    with (
        MongoClient("127.0.0.1", stack.settings.skywatt_mongodb_port) as client,
        pytest.raises(OperationFailure),
    ):
        client["skywatt"]["weather"].find_one({})


def test_mongodbs_user_is_given_a_changed_password(stack: SpareStack, tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.make()
    mongodb.prepare(stack.settings, layout)
    stamp = layout.server("mongodb") / "provisioned"
    first = stamp.read_bytes()
    mongodb.prepare(stack.settings, layout)
    assert stamp.read_bytes() == first, "the same password: nothing to do"
    changed = stack.settings.model_copy(update={"local_mongodb_password": SecretStr("another-one")})
    mongodb.prepare(changed, layout)
    assert bcrypt.checkpw(b"another-one", stamp.read_bytes())


def test_servers_elsewhere_that_refuse_a_password_are_told_and_those_that_take_it_are_not(stack: SpareStack) -> None:
    here = stack.settings
    mongodb_uri = here.mongodb_address.get_secret_value()
    elsewhere = {
        **here.model_dump(),
        **{"kafka_bootstrap_servers": here.kafka_address, "kafka_security_protocol": "SASL_PLAINTEXT"},
        **{"kafka_username": "skywatt", "kafka_password": here.local_kafka_password, "mongodb_uri": mongodb_uri},
        **{"elasticsearch_url": here.elasticsearch_address, "elasticsearch_username": "skywatt"},
        "elasticsearch_password": here.local_elasticsearch_password,
    }
    outside.examine(Settings.model_validate(elsewhere), SERVERS)
    secret = here.local_mongodb_password.get_secret_value()
    wrong = {"kafka_password": "wrong", "elasticsearch_password": "wrong"}
    began = time.monotonic()
    with pytest.raises(StackError) as refused:
        outside.examine(
            Settings.model_validate({**elsewhere, **wrong, "mongodb_uri": mongodb_uri.replace(secret, "wrong")}),
            SERVERS,
        )
    assert time.monotonic() - began < 2 * TIMEOUT_S
    for variable in ("KAFKA_BOOTSTRAP_SERVERS", "MONGODB_URI", "ELASTICSEARCH_URL"):
        assert f"{variable}: read " in str(refused.value)
    assert "wrong" not in str(refused.value)


def test_elasticsearch_refuses_who_does_not_log_in(stack: SpareStack) -> None:
    answer = requests.get(f"{stack.settings.elasticsearch_address}/_cluster/health", timeout=5)
    assert answer.status_code == 401


def test_elasticsearch_is_not_well_without_its_shards(stack: SpareStack) -> None:
    index = "readings-weather-2010.01"
    nowhere = {"index.routing.allocation.require._name": "nowhere", "index.number_of_replicas": 0}
    with connect_elasticsearch(stack.settings) as client:
        client.indices.create(index=index, settings=nowhere, wait_for_active_shards=0)
        try:
            (part,) = part_statuses(stack.settings, stack.layout, ["elasticsearch"], memory=False)
        finally:
            client.indices.delete(index=index)
    assert (part.state, part.waiting_for) == ("waiting", "its shards: 1 are not there")


def test_no_password_is_in_a_command_line_an_environment_or_a_log(stack: SpareStack) -> None:
    secrets = secrets_of(stack.settings)
    shown = []
    for process in processes.of_stack(stack.layout):
        shown += [" ".join(process.cmdline()), str(process.environ())]
    shown += [log.read_text(errors="replace") for log in stack.layout.logs.iterdir()]
    assert shown
    assert not [text[:200] for text in shown if any(secret in text for secret in secrets)]


def test_files_with_passwords_are_for_the_owner_alone(stack: SpareStack) -> None:
    secrets = [secret.encode() for secret in secrets_of(stack.settings)]
    files = [path for path in stack.folder.rglob("*") if path.is_file() and path.stat().st_size < 1_000_000]
    holding = [path for path in files if any(secret in path.read_bytes() for secret in secrets)]
    assert {path.name for path in holding} >= {"env", "server.properties"}
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in holding)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives its rights up")
def test_elasticsearch_does_not_run_as_root(stack: SpareStack) -> None:
    assert {process.uids().effective for process in processes.tree(stack.pid("elasticsearch"))}.isdisjoint({0})


def test_kafka_keeps_what_it_acknowledged_when_it_is_killed(stack: SpareStack) -> None:
    topic = f"killed-{uuid.uuid4().hex[:8]}"
    admin = KafkaAdminClient(**kafka_options(stack.settings))
    admin.create_topics([NewTopic(topic, 1, 1)])
    admin.close()
    producer = KafkaProducer(**kafka_options(stack.settings), acks="all")
    for number in range(100):
        producer.send(topic, str(number).encode()).get(timeout=30)
    producer.close()

    stack.kill_and_wait("kafka")

    consumer = KafkaConsumer(
        topic, **kafka_options(stack.settings), auto_offset_reset="earliest", consumer_timeout_ms=30_000, group_id=None
    )
    kept = [int(next(consumer).value) for _ in range(100)]
    consumer.close()
    assert kept == list(range(100))


def test_mongodb_keeps_what_it_acknowledged_when_it_is_killed(stack: SpareStack) -> None:
    database = connect_mongodb(stack.settings)
    collection = database[f"killed_{uuid.uuid4().hex[:8]}"]
    for number in range(100):
        collection.insert_one({"_id": number})

    stack.kill_and_wait("mongodb")

    assert sorted(document["_id"] for document in collection.find({})) == list(range(100))
    database.client.close()


def test_elasticsearch_keeps_what_it_acknowledged_when_it_is_killed(stack: SpareStack) -> None:
    index = f"killed{uuid.uuid4().hex[:8]}-{INDEX}"
    with connect_elasticsearch(stack.settings) as client:
        for number in range(100):
            client.index(index=index, id=str(number), document={"number": number})

        stack.kill_and_wait("elasticsearch")

        client.indices.refresh(index=index)
        assert client.count(index=index)["count"] == 100


def test_elasticsearch_lets_the_user_reach_skywatts_indices_alone(stack: SpareStack) -> None:
    with connect_elasticsearch(stack.settings) as client:
        answer = client.security.has_privileges(
            index=[
                {"names": ["readings-weather-2026.11", "demo-alerts-2026.11"], "privileges": ["all"]},
                {"names": ["something-else"], "privileges": ["read"]},
            ]
        )
    assert answer["index"]["readings-weather-2026.11"]["all"]
    assert answer["index"]["demo-alerts-2026.11"]["all"]
    assert not answer["index"]["something-else"]["read"]
