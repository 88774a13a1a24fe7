"""Clients of the servers, made from the settings the same way in every room."""

import logging
from collections.abc import Iterable
from typing import Any

from elasticsearch import Elasticsearch
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import AuthorizationError, TopicAlreadyExistsError
from paho.mqtt.client import Client as MqttClient
from paho.mqtt.enums import CallbackAPIVersion
from pymongo import MongoClient
from pymongo.database import Database

from readings import dead_letters
from readings.settings import LOCAL, Settings
from readings.stream import MAX_MESSAGE_BYTES, Stream

log = logging.getLogger(__name__)

Document = dict[str, Any]
"""A MongoDB document."""

DAY_MS = 86_400_000
FIRST_ANSWER_MS = 10_000
"""So long a Kafka that is away is waited for at once: who waits for it looks meanwhile whether it is to end."""
TIMESTAMP_TYPE, AS_APPENDED = "message.timestamp.type", "LogAppendTime"
LOGS_TOPIC = "logs"
"""The topic of log lines (ECS JSON) from parts that share no folder with Logstash."""


def kafka_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments for any kafka-python client: addresses and credentials."""
    protocol, mechanism = (
        settings.kafka_security_protocol,
        settings.kafka_sasl_mechanism,
    )
    username, password = settings.kafka_username, settings.kafka_password
    if not settings.kafka_bootstrap_servers:
        protocol, mechanism, username, password = (
            "SASL_PLAINTEXT",
            "PLAIN",
            "skywatt",
            settings.local_password("kafka"),
        )
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_address.split(","),
        "security_protocol": protocol,
    }
    if protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": mechanism,
            "sasl_plain_username": username,
            "sasl_plain_password": password.get_secret_value() if password else None,
        }
    if settings.kafka_ca_file:
        options["ssl_cafile"] = str(settings.kafka_ca_file)
    return options


def mqtt_client(settings: Settings, client_id: str = "", *, keep_session: bool = False) -> MqttClient:
    """An MQTT 3.1.1 client that is not connected yet; it acknowledges what it received only when told to.

    With `keep_session` the broker keeps what comes for the client's id while it is away.
    """
    _, _, secure = settings.mqtt_address
    username, password = settings.mqtt_username, settings.mqtt_password
    if settings.mqtt_url == LOCAL:
        username, password = "skywatt", settings.local_password("mqtt")
    client = MqttClient(CallbackAPIVersion.VERSION2, client_id, clean_session=not keep_session, manual_ack=True)
    if username:
        client.username_pw_set(username, password.get_secret_value() if password else None)
    if secure:
        client.tls_set(str(settings.mqtt_ca_file) if settings.mqtt_ca_file else None)
    client.reconnect_delay_set(min_delay=1, max_delay=5)
    return client


def connect_mongodb(settings: Settings, timeout_s: float = 5, **options: Any) -> "Database[Document]":
    """The database, with acknowledged, journalled majority writes and aware UTC datetimes. Connects when first used.

    Only then DNS is asked for the servers of a mongodb+srv address: where it does not answer, ConfigurationError.
    Further options go to MongoClient.
    """
    client: MongoClient[Document] = MongoClient(
        settings.mongodb_address.get_secret_value(),
        w="majority",
        journal=True,
        tz_aware=True,
        serverSelectionTimeoutMS=int(timeout_s * 1000),
        appname="skywatt",
        connect=False,
        **options,
    )
    return client[settings.database]


def connect_elasticsearch(settings: Settings, timeout_s: float = 30, **options: Any) -> Elasticsearch:
    """An Elasticsearch client; it connects when first used. Further options go to Elasticsearch."""
    if not settings.elasticsearch_url:
        options["basic_auth"] = (
            "skywatt",
            settings.local_password("elasticsearch").get_secret_value(),
        )
    elif settings.elasticsearch_api_key:
        options["api_key"] = settings.elasticsearch_api_key.get_secret_value()
    elif settings.elasticsearch_username and settings.elasticsearch_password:
        options["basic_auth"] = (
            settings.elasticsearch_username,
            settings.elasticsearch_password.get_secret_value(),
        )
    if settings.elasticsearch_ca_file:
        options["ca_certs"] = str(settings.elasticsearch_ca_file)
    return Elasticsearch(settings.elasticsearch_address, request_timeout=timeout_s, **options)


def make_topics(settings: Settings, streams: dict[str, Stream]) -> None:
    """Makes the topics that are not there yet: one a stream, ``dead-letters``, ``logs``. Others stay as they are.

    Of those that were there it is told where their messages' times are not the broker's, since delays count from them.
    """
    topics = [
        NewTopic(
            stream.topic,
            stream.config.partitions,
            -1,
            topic_configs={
                TIMESTAMP_TYPE: AS_APPENDED,
                "max.message.bytes": str(MAX_MESSAGE_BYTES),
                "retention.ms": str(stream.config.kafka_days * DAY_MS),
            },
        )
        for stream in streams.values()
    ]
    topics.append(
        NewTopic(
            settings.prefix + dead_letters.TOPIC,
            1,
            -1,
            topic_configs={
                TIMESTAMP_TYPE: AS_APPENDED,
                "max.message.bytes": str(dead_letters.MAX_BYTES),
                "retention.ms": str(30 * DAY_MS),
            },
        )
    )
    topics.append(NewTopic(settings.prefix + LOGS_TOPIC, 1, -1, topic_configs={"retention.ms": str(7 * DAY_MS)}))
    admin = KafkaAdminClient(**kafka_options(settings), bootstrap_timeout_ms=FIRST_ANSWER_MS)
    try:
        existing = set(admin.list_topics())
        missing = [topic for topic in topics if topic.name not in existing]
        if missing:
            admin.create_topics(missing)
        _tell_of_senders_times(admin, {stream.topic for stream in streams.values()} & existing)
    except TopicAlreadyExistsError:
        return  # another part made them in the same moment
    finally:
        admin.close()


def _tell_of_senders_times(admin: KafkaAdminClient, topics: Iterable[str]) -> None:
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic, {TIMESTAMP_TYPE: None}) for topic in sorted(topics)]
    try:
        told = admin.describe_configs(asked, config_filter="all") if asked else {}
    except AuthorizationError:
        return  # a user who may read and write alone
    for of_kind in told.values():
        for topic, configs in of_kind.items():
            if (found := configs[TIMESTAMP_TYPE]["value"]) != AS_APPENDED:
                log.warning(
                    "topic %s: %s is %s, so that a reading arrived when its sender says; for delays to count from when "
                    "it came: kafka-configs.sh --alter --topic %s --add-config %s=%s",
                    *(topic, TIMESTAMP_TYPE, found, topic, TIMESTAMP_TYPE, AS_APPENDED),
                )
