"""One Elasticsearch node with its security module on, for this machine only.

It refuses to run as root: started by root, it runs as ``nobody``, with the one capability that lets it read the
cache folder below a home that others may not enter; where a container does not give that one, as Docker's do not, with
the one that lets it write there, too. Its users are those of the file realm: ``skywatt``, with a role
that reaches Skywatt's indices alone. The built-in users are switched off.
"""

import os
import pwd
from pathlib import Path

import bcrypt

from local_stack.errors import NotReadyError, StackError
from local_stack.java import java_environment
from local_stack.layout import Layout
from local_stack.programs import Program
from local_stack.setpriv import setpriv
from readings.connections import connect_elasticsearch
from readings.settings import Settings

NAME = "elasticsearch"
DISTRIBUTION = "elasticsearch-8.19.21"
"""The set in ``artifacts.json``, and its folder under SKYWATT_HOME."""

INDICES = ("readings", "forecasts", "dead-letters", "alerts", "arrivals", "totals", "service-logs")
"""What the user may read and write: indices whose names begin so, after a namespace."""

HEAP = "768m"

_ENTERING = ("dac_read_search", "dac_override")
"""The capabilities that let a process enter a closed home (capabilities(7)); the second is in Docker's default set."""

_LOG4J = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}][%node_name]%marker %m%consoleException%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


def prepare(settings: Settings, layout: Layout, java: Path) -> Program:
    """Writes the node's configuration and users, and says how it is run."""
    folder = layout.server(NAME)
    config = folder / "config"
    for path in (folder, config, folder / "data", folder / "logs", folder / "tmp"):
        path.mkdir(mode=0o700, exist_ok=True)
    _write_config(settings, folder, config)
    distribution = settings.skywatt_home.absolute() / DISTRIBUTION
    dropped: tuple[str, ...] = ()
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        _give(folder, nobody.pw_uid, nobody.pw_gid)
        dropped = _dropped(nobody.pw_uid, nobody.pw_gid)
    return Program(
        NAME,
        (*dropped, "bash", str(distribution / "bin" / "elasticsearch")),
        folder,
        settings.skywatt_elasticsearch_port,
        environment={
            **java_environment(),
            "ES_JAVA_HOME": str(java.parent.parent),
            "ES_PATH_CONF": str(config),
            "ES_TMPDIR": str(folder / "tmp"),
            "CLI_JAVA_OPTS": "-Xmx32m -XX:TieredStopAtLevel=1",
        },
        clean=True,
        stop_wait_s=30,
    )


def ping(settings: Settings, timeout_s: float) -> None:
    """Logs in and asks for the cluster's health.

    Raises what the client raises where that fails, NotReadyError where shards are not there (yet).
    """
    with connect_elasticsearch(settings, timeout_s, max_retries=0) as client:
        health = client.options(ignore_status=408).cluster.health(
            wait_for_status="yellow", timeout=f"{int(timeout_s * 500)}ms"
        )
    if health["status"] == "red":
        raise NotReadyError(
            f"its shards: {health['unassigned_primary_shards'] + health['initializing_shards']} are not there"
        )


def _write_config(settings: Settings, folder: Path, config: Path) -> None:
    (config / "elasticsearch.yml").write_text(
        f"""\
cluster.name: skywatt
node.name: local
discovery.type: single-node
network.host: 127.0.0.1
http.port: {settings.skywatt_elasticsearch_port}
transport.port: {settings.skywatt_elasticsearch_transport_port}
path.data: {folder / "data"}
path.logs: {folder / "logs"}
xpack.security.enabled: true
xpack.security.http.ssl.enabled: false
xpack.security.transport.ssl.enabled: false
xpack.security.authc.reserved_realm.enabled: false
xpack.security.authc.realms.file.local.order: 0
# One index a stream and month, from 2010 on.
cluster.max_shards_per_node: 5000
# In bytes, not per cent: a large disk that is nearly full still takes readings. `status` warns below a tenth.
cluster.routing.allocation.disk.watermark.low: 1gb
cluster.routing.allocation.disk.watermark.high: 700mb
cluster.routing.allocation.disk.watermark.flood_stage: 400mb
"""
    )
    (config / "jvm.options").write_text(
        f"""\
-Xms256m
-Xmx{HEAP}
-XX:+UseG1GC
-XX:-AlwaysPreTouch
-Djava.io.tmpdir=${{ES_TMPDIR}}
-Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1
-XX:+ExitOnOutOfMemoryError
-Des.queryable_built_in_roles_enabled=false
-XX:ErrorFile={folder / "logs"}/hs_err_pid%p.log
"""
    )
    (config / "log4j2.properties").write_text(_LOG4J)
    _write_users(settings.local_elasticsearch_password.get_secret_value(), config)


def _write_users(password: str, config: Path) -> None:
    users = config / "users"
    known = users.read_text().strip().partition(":")[2] if users.exists() else ""
    if not (known and bcrypt.checkpw(password.encode(), known.encode())):
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=10, prefix=b"2a")).decode()
        users.write_text(f"skywatt:{hashed}\n")
    users.chmod(0o600)
    (config / "users_roles").write_text("skywatt:skywatt\n")
    patterns = ", ".join(f"'{name}-*', '*-{name}-*'" for name in INDICES)
    (config / "roles.yml").write_text(
        f"""\
skywatt:
  cluster: [monitor, manage_index_templates]
  indices:
    - names: [{patterns}]
      privileges: [all]
"""
    )


def _dropped(user: int, group: int) -> tuple[str, ...]:
    """What starts a command as another user who may still read below a closed home. Raises StackError."""
    for capability in _ENTERING:
        found = setpriv(
            *(f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs", f"--inh-caps=+{capability}"),
            # the secure bit makes access(2), which Java asks, say so too
            *(f"--ambient-caps=+{capability}", "--securebits=+no_setuid_fixup"),
        )
        if found:
            return found
    raise StackError(
        "elasticsearch: it refuses to run as root, and root may not start it as nobody here (setpriv with one of "
        f"{', '.join(_ENTERING)})\n  → use an ordinary user, or give the container that capability"
    )


def _give(folder: Path, user: int, group: int) -> None:
    """Makes a folder with all that is in it another user's, where it is not yet."""
    for path in (folder, *folder.rglob("*")):
        if path.lstat().st_uid != user:
            os.chown(path, user, group, follow_symlinks=False)
