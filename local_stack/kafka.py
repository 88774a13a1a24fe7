"""One Kafka broker in KRaft mode, for this machine only, with a password on every listener."""

import os
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from kafka.admin import KafkaAdminClient

from local_stack.errors import StackError
from local_stack.java import java_environment
from local_stack.layout import Layout
from local_stack.programs import Program
from readings.connections import kafka_options
from readings.settings import Settings

NAME = "kafka"
JARS = "kafka-4.3.1"
"""The set in ``artifacts.json``, and its folder under SKYWATT_HOME."""

MAX_MESSAGE_BYTES = 9 * 1024 * 1024
"""More than the largest message of any topic (8 MiB dead letters), with its headers."""

_LOG4J = """\
rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = stdout
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = [%d] %p %m (%c)%n%xThrowable{short}
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
logger.broker.name = kafka.server.BrokerServer
logger.broker.level = info
"""


def prepare(settings: Settings, layout: Layout, java: Path) -> Program:
    """Writes the broker's configuration, formats its storage the first time, and says how it is run."""
    folder = layout.server(NAME)
    folder.mkdir(mode=0o700, exist_ok=True)
    properties, log4j = folder / "server.properties", folder / "log4j2.properties"
    _write_private(properties, _properties(settings, folder / "data"))
    log4j.write_text(_LOG4J)
    command = _command(settings, java, log4j)
    if not (folder / "data" / "meta.properties").exists():
        _format_storage(command, properties)
    return Program(
        NAME,
        (*command, "kafka.Kafka", str(properties)),
        folder,
        settings.skywatt_kafka_port,
        environment=java_environment(),
        clean=True,
    )


def ping(settings: Settings, timeout_s: float) -> None:
    """Logs in and asks for the topics. Raises what the client raises where that fails, after half the time where
    nothing is there."""
    KafkaAdminClient(
        **kafka_options(settings),
        bootstrap_timeout_ms=int(timeout_s / 2 * 1000),
        request_timeout_ms=int(timeout_s * 1000),
    ).close()


def _properties(settings: Settings, data: Path) -> str:
    password = settings.local_kafka_password.get_secret_value()
    jaas = (
        "org.apache.kafka.common.security.plain.PlainLoginModule required "
        f'username="skywatt" password="{password}" user_skywatt="{password}";'
    )
    controller = f"127.0.0.1:{settings.skywatt_kafka_controller_port}"
    return f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
listeners=CLIENT://127.0.0.1:{settings.skywatt_kafka_port},CONTROLLER://{controller}
listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.mechanism.controller.protocol=PLAIN
listener.name.client.plain.sasl.jaas.config={jaas}
listener.name.controller.plain.sasl.jaas.config={jaas}
log.dirs={data}
auto.create.topics.enable=false
message.max.bytes={MAX_MESSAGE_BYTES}
replica.fetch.max.bytes={MAX_MESSAGE_BYTES}
# Retention counts whole segments: small ones, closed each day, so that it acts on quiet topics too.
log.segment.bytes=67108864
log.roll.hours=24
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
# One small machine.
num.network.threads=2
num.io.threads=4
background.threads=2
log.cleaner.dedupe.buffer.size=8388608
"""


def _command(settings: Settings, java: Path, log4j: Path) -> tuple[str, ...]:
    return (
        str(java),
        "-Xms64m",
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        f"-Dlog4j2.configurationFile=file:{log4j}",
        "-cp",
        f"{settings.skywatt_home.absolute() / JARS}/*",
    )


def _format_storage(command: tuple[str, ...], properties: Path) -> None:
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    answer = subprocess.run(
        # With an equals sign: one in 64 ids begins with a dash.
        [*command, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(properties)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if answer.returncode != 0:
        raise StackError(f"kafka: its storage could not be formatted: {answer.stderr.strip()[-500:]}")


def _write_private(path: Path, text: str) -> None:
    """Writes a file that holds a password: nobody else may read it, at no moment."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
