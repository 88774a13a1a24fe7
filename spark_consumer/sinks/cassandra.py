"""Cassandra: production's readings once more, for those who query it there. Off where no address is set.

Keyspace ``ind320`` (CASSANDRA_KEYSPACE), a table a year of Oslo's, ``elhub_production_2026``::

    PRIMARY KEY ((price_area, production_group), start_time)
    price_area text, production_group text, start_time timestamp, quantity_kwh double
    document text       the document of MongoDB as extended JSON, so that --to-mongodb brings it back as it was

A row is written with the arrival of its message as Cassandra's own write time: of two versions of a reading the later
one stays, however often and in whatever order they are written.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from bson import json_util
from cassandra import (
    AuthenticationFailed,
    ConsistencyLevel,
    DriverException,
    OperationTimedOut,
    ReadTimeout,
    Unavailable,
    UnresolvableContactPoints,
    WriteFailure,
    WriteTimeout,
)
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.concurrent import execute_concurrent
from cassandra.connection import ConnectionException
from cassandra.policies import RoundRobinPolicy, TokenAwarePolicy
from cassandra.query import BatchStatement, BatchType

from readings.errors import ConfigError
from readings.settings import Settings
from spark_consumer.documents import Document
from spark_consumer.waiting import ServerAway

OSLO = ZoneInfo("Europe/Oslo")
TABLE = "elhub_production_{year}"
TABLES = re.compile(r"elhub_production_\d{4}")
PORT = 9042
CONCURRENT = 8
"""Writes on their way at once, of a worker."""
ROWS_PER_WRITE = 50
"""Of one series, so that they are one mutation of one partition: 5,000–10,000 rows/s, and 1,600 each on its own."""
TIMEOUT_S = 20.0

_AWAY = (NoHostAvailable, OperationTimedOut, Unavailable, WriteTimeout, WriteFailure, ReadTimeout, ConnectionException)

logging.getLogger("cassandra").setLevel(logging.ERROR)  # each connection that is lost; the one that waits says it once


class Row(NamedTuple):
    """What is read back."""

    price_area: str
    production_group: str
    start_time: Any
    """Aware UTC."""
    quantity_kwh: float
    document: str | None
    """None where another program wrote the table."""


def table_of(start_time: Any) -> str:
    """The table of an aware instant: the year is Oslo's, so an hour of New Year's Eve in UTC is in the next."""
    return TABLE.format(year=start_time.astimezone(OSLO).year)


class Cassandra:
    """The keyspace behind a session. Its methods raise ServerAway while Cassandra does not answer."""

    def __init__(self, settings: Settings) -> None:
        """Connects. Raises ServerAway, and ConfigError where the settings do not fit or are refused."""
        self.keyspace = settings.cassandra_keyspace_name
        self._session, cluster = _connect(settings)
        if self.keyspace not in cluster.metadata.keyspaces:
            if settings.astra_secure_bundle_path:
                raise ConfigError(f"CASSANDRA_KEYSPACE: Astra has no keyspace {self.keyspace}; make it in its console")
            self._execute(
                f"CREATE KEYSPACE IF NOT EXISTS {self.keyspace} "
                "WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
            )
        self._prepared: dict[str, Any] = {}

    def close(self) -> None:
        """Closes the connections."""
        self._session.cluster.shutdown()

    def write(self, documents: Iterable[Document]) -> None:
        """Writes readings of production; returns when Cassandra has acknowledged all. Again, it changes nothing."""
        partitions: dict[tuple[str, str], list[Document]] = defaultdict(list)
        for document in documents:
            partitions[table_of(document["start_time"]), document["series"]].append(document)
        writes = [
            (self._batch(table, rows[first : first + ROWS_PER_WRITE]), ())
            for (table, _), rows in partitions.items()
            for first in range(0, len(rows), ROWS_PER_WRITE)
        ]
        try:
            execute_concurrent(self._session, writes, concurrency=CONCURRENT)
        except _AWAY as error:
            raise _away(error) from error

    def tables(self) -> list[str]:
        """The tables that are there, one a year."""
        rows = self._execute("SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", [self.keyspace])
        return sorted(row.table_name for row in rows if TABLES.fullmatch(row.table_name))

    def read(self, table: str) -> Iterator[Row]:
        """All rows of a table."""
        columns = self._execute(
            "SELECT column_name FROM system_schema.columns WHERE keyspace_name = %s AND table_name = %s",
            [self.keyspace, table],
        )
        document = ", document" if "document" in {row.column_name for row in columns} else ""
        query = f"SELECT price_area, production_group, start_time, quantity_kwh{document} FROM {self.keyspace}.{table}"  # noqa: S608 - names of our own
        try:
            for row in self._session.execute(query):
                yield Row._make(row if document else (*row, None))
        except _AWAY as error:
            raise _away(error) from error

    def _batch(self, table: str, documents: list[Document]) -> BatchStatement:
        """Rows of one partition, written together."""
        batch, insert = BatchStatement(BatchType.UNLOGGED), self._insert(table)
        for document in documents:
            batch.add(insert, _values(document))
        return batch

    def _insert(self, table: str) -> Any:
        if table not in self._prepared:
            self._execute(
                f"CREATE TABLE IF NOT EXISTS {self.keyspace}.{table} (price_area text, production_group text, "
                "start_time timestamp, quantity_kwh double, document text, "
                "PRIMARY KEY ((price_area, production_group), start_time))"
            )
            insert = (
                f"INSERT INTO {self.keyspace}.{table} "  # noqa: S608
                "(price_area, production_group, start_time, quantity_kwh, document) VALUES (?, ?, ?, ?, ?) "
                "USING TIMESTAMP ?"
            )
            try:
                self._prepared[table] = self._session.prepare(insert)
            except _AWAY as error:
                raise _away(error) from error
        return self._prepared[table]

    def _execute(self, query: str, values: list[str] | None = None) -> Any:
        try:
            return self._session.execute(query, values)
        except _AWAY as error:
            raise _away(error) from error


def _connect(settings: Settings) -> tuple[Session, Cluster]:
    user, secret = settings.astra_client_id, settings.astra_client_secret
    login = PlainTextAuthProvider(user, secret.get_secret_value()) if user and secret else None
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(RoundRobinPolicy()),
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
        request_timeout=TIMEOUT_S,
    )
    options: dict[str, Any] = {
        "auth_provider": login,
        "connect_timeout": TIMEOUT_S,
        "control_connection_timeout": TIMEOUT_S,
    }
    if settings.astra_secure_bundle_path:
        if login is None:
            raise ConfigError("ASTRA_CLIENT_ID, ASTRA_CLIENT_SECRET: expected both beside ASTRA_SECURE_BUNDLE_PATH")
        options["cloud"] = {"secure_connect_bundle": str(settings.astra_secure_bundle_path)}
        profile = ExecutionProfile(consistency_level=ConsistencyLevel.LOCAL_QUORUM, request_timeout=TIMEOUT_S)
    else:
        options["contact_points"] = [_host_and_port(host) for host in (settings.cassandra_hosts or "").split(",")]
    try:  # of Astra the nodes are asked for here already
        cluster = Cluster(execution_profiles={EXEC_PROFILE_DEFAULT: profile}, **options)
    except DriverException as error:
        raise _away(error) from error
    try:
        return cluster.connect(), cluster
    except NoHostAvailable as error:
        cluster.shutdown()
        refused = [one for one in error.errors.values() if isinstance(one, AuthenticationFailed)]
        if refused:
            raise ConfigError("ASTRA_CLIENT_ID, ASTRA_CLIENT_SECRET: Cassandra refuses them") from None
        raise _away(error) from error


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.strip().rpartition(":")
    return (host, int(port)) if host else (port, PORT)


def _values(document: Document) -> tuple[object, ...]:
    """A row's values, and the microsecond of its message's arrival; of several within a millisecond, by revision."""
    kafka = document["kafka"]
    written_at = int(kafka["arrived_at"].timestamp() * 1000) * 1000 + min(document["revision"], 999)
    reading = (document["price_area"], document["production_group"], document["start_time"], document["quantity_kwh"])
    return (*reading, json_util.dumps(document), written_at)


def _away(error: Exception) -> ServerAway:
    if isinstance(error, UnresolvableContactPoints):
        return ServerAway("cassandra: no name in CASSANDRA_HOSTS has an address")
    said = "; ".join(f"{host}: {one}" for host, one in error.errors.items()) if hasattr(error, "errors") else str(error)
    return ServerAway(f"cassandra: {said[:500]}")
