"""How every part and stream is, asked of the supervisor and the servers at the same time, within seconds."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from elasticsearch import ApiError, Elasticsearch, TransportError
from kafka.errors import KafkaError
from pymongo.database import Database
from pymongo.errors import PyMongoError
from requests import RequestException

from local_stack import processes
from local_stack.errors import NotReadyError
from local_stack.layout import Layout
from local_stack.parts import HEARTBEATS, PARTS, PINGS, addresses, outside, parts_of
from local_stack.supervisor import ProcessState, Supervisor
from readings import dead_letters, parts
from readings.connections import Document, connect_elasticsearch, connect_mongodb
from readings.declared import declared
from readings.settings import Settings
from readings.stream import Stream, load_streams

TIMEOUT_S = 10.0
"""A server that takes in all that was there before needs more than four to answer, and is not away. Half of it is for
one that is not there at all."""
LOW_DISK = 0.1
_SERIES_AT_ONCE = 10_000
_STARTING_S = 60.0
"""How long a part that was started may take until it is heard of."""

T = TypeVar("T")
State = Literal["running", "waiting", "failed"]
ServerErrors = (PyMongoError, ApiError, TransportError, KafkaError, RequestException, OSError)
"""What the clients raise where a server is not well."""


@dataclass(frozen=True)
class PartStatus:
    """One part."""

    name: str
    state: State
    address: str
    port: int | None
    pid: int | None
    rss_mb: float | None
    """Proportional set size of the part's whole process tree, in MB."""
    waiting_for: str = ""


@dataclass(frozen=True)
class StreamStatus:
    """One stream; None where a number cannot be had because its server does not answer."""

    name: str
    source: str | None
    """None while nothing feeds it, too."""
    mongodb: int | None
    elasticsearch: int | None
    late: int | None
    silent: int | None
    dead_letters: int | None


@dataclass(frozen=True)
class Status:
    """The whole stack."""

    parts: list[PartStatus]
    streams: list[StreamStatus]
    predictions: int | None
    disk_free: float
    """The free share of the disk that holds the data, 0 to 1."""

    @property
    def all_running(self) -> bool:
        """Whether every part does its work."""
        return all(part.state == "running" for part in self.parts)

    def as_json(self) -> dict[str, list[dict[str, Any]]]:
        """What ``status --json`` prints."""
        part_keys = ("name", "state", "port", "pid", "rss_mb")
        stream_keys = ("name", "mongodb", "elasticsearch", "late", "silent", "dead_letters")
        return {
            "parts": [{key: getattr(part, key) for key in part_keys} for part in self.parts],
            "streams": [{key: getattr(stream, key) for key in stream_keys} for stream in self.streams],
        }


def gather(settings: Settings, layout: Layout, parts: Callable[[], list[PartStatus]] | None = None) -> Status:
    """Asks for everything at once; what does not answer within about `TIMEOUT_S` is not well.

    `parts` tells of the parts where they are no processes of this machine's supervisor.
    """
    ask_parts = parts or (lambda: part_statuses(settings, layout, parts_of(settings)))
    streams = load_streams(settings)
    # few connections: each logs in, which costs the server more than what is asked on it
    database = connect_mongodb(
        settings, TIMEOUT_S / 2, socketTimeoutMS=int(TIMEOUT_S * 1000), maxPoolSize=2, retryReads=False
    )
    try:
        with (
            connect_elasticsearch(settings, TIMEOUT_S, max_retries=0) as view,
            ThreadPoolExecutor(max_workers=16) as pool,
        ):
            told = pool.submit(ask_parts)
            predictions = pool.submit(_answer, lambda: database["predictions"].estimated_document_count())
            numbers = [pool.submit(_stream, stream, database, view) for stream in streams.values()]
            return Status(
                told.result(), [number.result() for number in numbers], predictions.result(), disk_free(layout)
            )
    finally:
        database.client.close()


def part_statuses(settings: Settings, layout: Layout, names: Sequence[str], *, memory: bool = True) -> list[PartStatus]:
    """How the named parts are: each one's process by the supervisor, its work by a ping or its heartbeat, if it has."""
    states = Supervisor(layout).states()
    with ThreadPoolExecutor(max_workers=len(PARTS)) as pool:
        heartbeats = pool.submit(read_heartbeats, settings) if set(names) & set(HEARTBEATS) else None
        pings = {name: pool.submit(_ping_problem, name, settings) for name in names if name in PINGS}
        work: dict[str, tuple[State, str]] = {name: ("running", "") for name in names}
        work |= {name: _by_ping(ping.result()) for name, ping in pings.items()}
        if heartbeats:
            told = heartbeats.result()
            work |= {name: _by_heartbeat(states.get(name), told, name) for name in names if name in HEARTBEATS}
    return [_part(name, settings, states.get(name), work[name], memory=memory) for name in names]


def processes_of(layout: Layout) -> list[PartStatus]:
    """The parts as their supervisor alone knows them: where a setting is wrong, nothing is asked with the others."""
    states = Supervisor(layout).states()
    return [_by_process(name, "", None, states[name], ("running", "")) for name in PARTS if name in states]


def disk_free(layout: Layout) -> float:
    """The free share of the disk that holds the data."""
    folder = next(path for path in (layout.root, *layout.root.parents) if path.exists())
    usage = shutil.disk_usage(folder)
    return usage.free / usage.total


def _part(
    name: str, settings: Settings, process: ProcessState | None, work: tuple[State, str], *, memory: bool
) -> PartStatus:
    address, port = addresses(settings).get(name, ("", None))
    if name in outside(settings):
        return PartStatus(name, work[0], address, None, None, None, work[1])
    return _by_process(name, address, port, process, work, memory=memory)


def _by_process(
    name: str,
    address: str,
    port: int | None,
    process: ProcessState | None,
    work: tuple[State, str],
    *,
    memory: bool = True,
) -> PartStatus:
    if process is None or process.state in ("STOPPED", "STOPPING"):
        return PartStatus(name, "failed", address, port, None, None, "to be started: bash run.sh up")
    if process.pid is None:
        return PartStatus(name, "failed", address, port, None, None, f"it ends by itself; bash run.sh logs {name}")
    rss_mb = processes.memory_mb(process.pid) if memory else None
    return PartStatus(name, work[0], address, port, process.pid, rss_mb, work[1])


def _by_ping(problem: str | None) -> tuple[State, str]:
    return ("running", "") if problem is None else ("waiting", problem)


def _by_heartbeat(process: ProcessState | None, told: Mapping[str, Document] | None, name: str) -> tuple[State, str]:
    if told is None:
        return "waiting", "mongodb, where it tells how it is"
    began = (process and process.pid and processes.started_at(process.pid)) or 0.0
    now = datetime.now(UTC)
    heartbeat = told.get(name)
    if heartbeat is None or heartbeat["at"].timestamp() < began:
        return ("waiting", "its start") if now.timestamp() - began < _STARTING_S else ("failed", "never heard of")
    if not parts.is_alive(heartbeat, now):
        return "failed", f"not heard of since {heartbeat['at']:%H:%M:%S} UTC"
    return heartbeat["state"], heartbeat["waiting_for"] or ""


def read_heartbeats(settings: Settings) -> dict[str, Document] | None:
    """What our parts tell of themselves, by name; None where MongoDB does not answer."""
    database = connect_mongodb(settings, TIMEOUT_S / 2, socketTimeoutMS=int(TIMEOUT_S * 1000), retryReads=False)
    try:
        return {document["_id"]: document for document in database[parts.COLLECTION].find({"_id": {"$in": HEARTBEATS}})}
    except PyMongoError:
        return None
    finally:
        database.client.close()


def _ping_problem(name: str, settings: Settings) -> str | None:
    try:
        PINGS[name](settings, TIMEOUT_S)
    except NotReadyError as error:
        return str(error)
    except ServerErrors as error:
        return f"an answer from it ({type(error).__name__})"
    return None


def _stream(stream: Stream, database: "Database[Document]", view: Elasticsearch) -> StreamStatus:
    letters = f"{stream.namespace}{dead_letters.TOPIC}-*"
    readings = f"{stream.index_prefix}*"
    with ThreadPoolExecutor(max_workers=6) as pool:
        source = pool.submit(_answer, lambda: _source(stream, database))
        stored = pool.submit(_answer, lambda: database[stream.collection].estimated_document_count())
        viewed = pool.submit(_answer, lambda: _count(view, readings))
        late = pool.submit(_answer, lambda: _count(view, readings, {"late": True}))
        silent = pool.submit(_answer, lambda: _silent(stream, database, view))
        dead = pool.submit(_answer, lambda: _count(view, letters, {"stream": stream.name}))
        return StreamStatus(
            stream.name,
            source.result(),
            stored.result(),
            viewed.result(),
            late.result(),
            silent.result(),
            dead.result(),
        )


def _source(stream: Stream, database: "Database[Document]") -> str | None:
    fed_by = declared(database, stream)
    return fed_by.source if fed_by.since else None


def _silent(stream: Stream, database: "Database[Document]", view: Elasticsearch) -> int:
    """How many declared series are silent; the newest event times come from the view, which is fast at it."""
    expected = declared(database, stream)
    newest = {series: at + stream.model.interval for series, at in _newest(stream, view)}
    return len(expected.silent(newest, stream.config.allowed_delay, datetime.now(UTC)))


def _newest(stream: Stream, view: Elasticsearch) -> Iterator[tuple[str, datetime]]:
    """Each series of the view with its newest event time, `_SERIES_AT_ONCE` in a question."""
    asked: dict[str, Any] = {"size": _SERIES_AT_ONCE, "sources": [{"series": {"terms": {"field": "series"}}}]}
    aggs = {"series": {"composite": asked, "aggs": {"newest": {"max": {"field": stream.model.time_field}}}}}
    while True:
        answer = view.search(index=f"{stream.index_prefix}*", size=0, aggs=aggs)
        page = answer.get("aggregations", {"series": {"buckets": []}})["series"]  # none without an index
        for bucket in page["buckets"]:
            yield bucket["key"]["series"], datetime.fromtimestamp(bucket["newest"]["value"] / 1000, UTC)
        if "after_key" not in page:
            return
        asked["after"] = page["after_key"]


def _count(view: Elasticsearch, index: str, term: Mapping[str, Any] | None = None) -> int:
    query = {"term": term} if term else {"match_all": {}}
    count: int = view.count(index=index, query=query, ignore_unavailable=True)["count"]
    return count


def _answer(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except ServerErrors:
        return None
