"""One Cassandra 5.0 node for tests, from its jars: ``with cassandra_node(settings, folder) as address:``.

Local mode does without Cassandra: production goes to one only where a user has one, or Astra. So this node is started
by tests alone, on this machine's loopback, on free ports, and asks for a password.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_stack.artifacts import CASSANDRA, OPTIONAL_LOCK_FILE, fetch, load_lock
from local_stack.errors import StackError
from local_stack.java import find_java
from local_stack.ports import free_ports
from readings.settings import Settings

USER = PASSWORD = "cassandra"  # noqa: S105 - of every new node
"""The superuser that a new node makes."""
STOP_S = 30

_OPEN = (
    *("java.io", "java.lang", "java.lang.module", "java.lang.reflect", "java.net", "java.nio", "java.util"),
    *("java.util.concurrent", "java.util.concurrent.atomic", "jdk.internal.loader", "jdk.internal.math"),
    *("jdk.internal.module", "jdk.internal.ref", "jdk.internal.reflect", "jdk.internal.util.jar", "sun.nio.ch"),
)
_EXPORTED = (
    *("java.base/jdk.internal.misc", "java.base/jdk.internal.ref", "java.base/sun.nio.ch"),
    *("java.management.rmi/com.sun.jmx.remote.internal.rmi", "java.rmi/sun.rmi.registry"),
    *("java.rmi/sun.rmi.server", "java.rmi/sun.rmi.transport.tcp", "java.sql/java.sql", "jdk.unsupported/sun.misc"),
)
"""What Cassandra's ``jvm17-server.options`` opens to it."""

_LOGBACK = """\
<configuration><appender name="out" class="ch.qos.logback.core.ConsoleAppender">
<encoder><pattern>%-5level %date %logger{0} %msg%n</pattern></encoder></appender>
<root level="WARN"><appender-ref ref="out"/></root></configuration>
"""


@contextmanager
def cassandra_node(settings: Settings, folder: Path) -> Iterator[str]:
    """A node with its data and its log in the folder, for the block. Gives ``host:port``; it may not answer yet.

    Its jars are fetched into the cache folder the first time. Raises StackError where it ends by itself.
    """
    java, home = find_java(), settings.skywatt_home.absolute()
    fetch(home, [CASSANDRA], load_lock(OPTIONAL_LOCK_FILE), java, lambda *_: None)
    folder.mkdir(parents=True, exist_ok=True)
    port, storage_port = free_ports(2)
    (folder / "cassandra.yaml").write_text(_configuration(folder, port, storage_port))
    (folder / "logback.xml").write_text(_LOGBACK)
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(_command(str(java), home / CASSANDRA, folder), stdout=log, stderr=log, cwd=folder)
    try:
        yield f"127.0.0.1:{port}"
        if process.poll() is not None:
            raise StackError(f"cassandra ended by itself:\n{(folder / 'log').read_text()[-2000:]}")
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _command(java: str, jars: Path, folder: Path) -> list[str]:
    agent = next(jars.glob("jamm-*.jar"))
    return [
        *(java, "-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:MaxDirectMemorySize=128m", f"-javaagent:{agent}"),
        *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPEN),
        *(f"--add-exports={package}=ALL-UNNAMED" for package in _EXPORTED),
        "-Djdk.attach.allowAttachSelf=true",
        f"-Dcassandra.config=file:{folder / 'cassandra.yaml'}",
        f"-Dlogback.configurationFile=file:{folder / 'logback.xml'}",
        f"-Dcassandra.storagedir={folder}",
        "-Dcassandra-foreground=yes",
        # One node: it has no others to wait for.
        *("-Dcassandra.skip_wait_for_gossip_to_settle=0", "-Dcassandra.ring_delay_ms=0"),
        *("-Dcassandra.superuser_setup_delay_ms=0", "-Dcassandra.native.epoll.enabled=false"),
        *("-cp", f"{jars}/*", "org.apache.cassandra.service.CassandraDaemon"),
    ]


def _configuration(folder: Path, port: int, storage_port: int) -> str:
    """Its ``cassandra.yaml``; JSON is YAML."""
    seeds = [{"class_name": "org.apache.cassandra.locator.SimpleSeedProvider"}]
    seeds[0]["parameters"] = [{"seeds": f"127.0.0.1:{storage_port}"}]  # type: ignore[assignment]
    return json.dumps(
        {
            "cluster_name": "skywatt test",
            "num_tokens": 1,
            "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
            "endpoint_snitch": "SimpleSnitch",
            "seed_provider": seeds,
            "authenticator": "PasswordAuthenticator",
            "authorizer": "CassandraAuthorizer",
            "listen_address": "127.0.0.1",
            "rpc_address": "127.0.0.1",
            "native_transport_port": port,
            "storage_port": storage_port,
            "commitlog_sync": "batch",
            "commitlog_total_space": "256MiB",
            "auto_snapshot": False,
            "data_file_directories": [str(folder / "data")],
            "commitlog_directory": str(folder / "commitlog"),
            "saved_caches_directory": str(folder / "saved_caches"),
            "hints_directory": str(folder / "hints"),
            "cdc_raw_directory": str(folder / "cdc_raw"),
        },
        indent=1,
    )
