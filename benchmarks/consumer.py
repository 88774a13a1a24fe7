"""How many readings a second the consumer takes from Kafka into both stores, beside what would be run instead.

``python -m benchmarks.consumer --json`` starts servers of its own, on free ports, and measures in one run: the consumer
draining readings that wait in Kafka, in a warm session; a bare loop that writes the same documents, encoded beforehand,
with as many threads a store as there are cores; two applications of quixstreams, with its own sinks and with our bulk
calls; a consumer that writes row by row; and with all five streams at once how long it takes until a search finds a
reading. What is slow gets fewer readings. Consumer, bare loop and quixstreams with our bulk calls alternate, round by
round, the consumer's two, of few and of many series, by turns; medians are printed, of ratios as well.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from pyspark.sql import SparkSession

from benchmarks.consumer_latency import p95_append_to_searchable_s
from benchmarks.consumer_load import send, weather
from benchmarks.consumer_rivals import BareLoop, quixstreams_seconds, row_by_row_seconds
from benchmarks.cpu import Cpu, Processes
from benchmarks.progress import say
from local_stack import processes
from local_stack.mongodb import find_server
from local_stack.spare import SpareStack, spare_stack
from readings.connections import connect_elasticsearch, connect_mongodb, make_topics
from readings.stream import Stream, load_streams
from spark_consumer.application import make_indexes
from spark_consumer.ingest import start_ingest
from spark_consumer.session import make_session

PROCESSES = 2
"""Of quixstreams' application: one a partition, as the consumer has a Python worker a partition."""
MANY_SERIES = 100_000
FEWER_OWN = 10
"""So many times fewer readings are given to quixstreams' own sinks, whose upserts take longest."""
FEWER_ROWS = 100
READINGS = 100_000
"""What is a batch's own, 0.8 s, weighs little then."""
SLOW_SERVER, SLOW_READINGS = "secantusd-py", 30_000


def main() -> None:
    """Measures and prints; the last line is one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.consumer", description=__doc__)
    server = find_server().name
    readings = SLOW_READINGS if server == SLOW_SERVER else READINGS
    parser.add_argument(
        "--readings",
        type=int,
        default=readings,
        help=f"a round ({READINGS:,}; {SLOW_READINGS:,} where {SLOW_SERVER} is the local MongoDB)",
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--per-s", type=int, default=1000, help="readings a second of all streams, for the delay")
    parser.add_argument("--seconds", type=int, default=60, help="how long those are sent after the warm-up")
    parser.add_argument("--only", choices=["throughput", "latency"], help="a part of it alone")
    parser.add_argument("--json", action="store_true", help="print only the JSON line on standard output")
    options = parser.parse_args()

    result: dict[str, Any] = {"mongodb_server": server, "cores": os.cpu_count()}
    with spare_stack() as servers:
        if options.only != "latency":
            result |= _Throughput(servers, options.readings, options.series).measure(options.rounds)
        if options.only != "throughput":
            stack = _apart(servers, "latency")
            result |= p95_append_to_searchable_s(stack, options.per_s, options.seconds)
    print(json.dumps(result))


@dataclass
class _Throughput:
    servers: SpareStack
    readings: int
    series: int
    found: dict[str, list[float]] = field(default_factory=dict)
    cpu: list[dict[str, float]] = field(default_factory=list)
    """Of each drained round by part: the microseconds of processor time that a reading took."""

    def measure(self, rounds: int) -> dict[str, Any]:
        """Round 0 warms everything up and is not counted."""
        os.environ.update(self.servers.environment)  # for Spark's workers
        stream = _stream(_prepared(self.servers))
        session = make_session(self.servers.settings, "benchmark")
        with tempfile.TemporaryDirectory() as checkpoint:
            for number in range(rounds + 1):
                values = weather(self.readings, self.series, 2 * number)
                many = weather(self.readings, MANY_SERIES, 2 * number + 1)
                drains = {"readings": values, "many_series": many}
                for name in reversed(drains) if number % 2 else drains:
                    self._note(
                        number, name, self.readings, self._drain(session, stream, drains[name], Path(checkpoint))
                    )
                bare = _apart(self.servers, f"bare{number}")
                self._note(number, "bare_loop", len(values), BareLoop(bare, _stream(bare), values).seconds())
                bulk = self._loaded(f"bulk{number}", values)
                self._note(number, "quixstreams_bulk", len(values), quixstreams_seconds(bulk, "bulk", PROCESSES))
        few = weather(self.readings // FEWER_OWN, self.series, 0)
        own = self._loaded("own", few)
        self._note(1, "quixstreams", len(few), quixstreams_seconds(own, "own", PROCESSES))
        _expect(own, _stream(own), len(few))
        fewer = weather(self.readings // FEWER_ROWS, self.series, 0)
        rows = self._loaded("rows", fewer)
        self._note(1, "row_by_row", len(fewer), row_by_row_seconds(session, rows, _stream(rows)))
        _expect(rows, _stream(rows), len(fewer))
        session.stop()
        return self._result(rounds)

    def _note(self, number: int, name: str, readings: int, seconds: float) -> None:
        say(f"round {number}: {name} {readings / seconds:,.0f}/s")
        if number:
            self.found.setdefault(name, []).append(readings / seconds)

    def _drain(self, session: SparkSession, stream: Stream, values: list[bytes], checkpoint: Path) -> float:
        """Seconds from the first batch's start until the last one is committed; into empty stores, as all others'."""
        _empty(self.servers, stream)
        send(self.servers.settings, stream, values)
        cpu = Cpu(self._parts())
        query = start_ingest(session, self.servers.settings, {"weather": stream}, checkpoint, lambda _tallies: None)
        query.processAllAvailable()
        batches = [one for one in query.recentProgress if one["numInputRows"]]
        used = {part: seconds / len(values) * 1e6 for part, seconds in cpu.seconds().items()}
        query.stop()
        say("  µs a reading: " + ", ".join(f"{part} {one:.1f}" for part, one in used.items()))
        self.cpu.append(used)
        if sum(one["numInputRows"] for one in batches) != len(values):
            raise SystemExit("the consumer read other messages than were sent")
        _expect(self.servers, stream, len(values))
        began, last = (datetime.fromisoformat(batches[i]["timestamp"]) for i in (0, -1))
        return (last - began).total_seconds() + float(batches[-1]["durationMs"]["triggerExecution"]) / 1000

    def _parts(self) -> dict[str, Processes]:
        jvm = next(child for child in psutil.Process().children() if child.name() == "java")
        return {
            "spark_jvm": lambda: [jvm],
            "spark_python": lambda: jvm.children(recursive=True),
            **{name: partial(processes.tree, self.servers.pid(name)) for name in ("kafka", "mongodb", "elasticsearch")},
        }

    def _loaded(self, namespace: str, values: list[bytes]) -> SpareStack:
        stack = _apart(self.servers, namespace)
        send(stack.settings, _stream(stack), values)
        return stack

    def _result(self, rounds: int) -> dict[str, Any]:
        medians = {name: statistics.median(rates) for name, rates in self.found.items()}
        return {
            "readings_per_s": round(medians["readings"]),
            "bare_loop_per_s": round(medians["bare_loop"]),
            "quixstreams_per_s": round(medians["quixstreams"]),
            "quixstreams_bulk_per_s": round(medians["quixstreams_bulk"]),
            "row_by_row_per_s": round(medians["row_by_row"]),
            "readings_per_s_100k_series": round(medians["many_series"]),
            "ratio_bare_loop": self._ratio("readings", "bare_loop"),
            "ratio_quixstreams": round(medians["readings"] / medians["quixstreams"], 2),
            "ratio_quixstreams_bulk": self._ratio("readings", "quixstreams_bulk"),
            "ratio_row_by_row": round(medians["readings"] / medians["row_by_row"], 1),
            "ratio_100k_series": self._ratio("many_series", "readings"),
            "cpu_us_per_reading": {
                part: round(statistics.median(one[part] for one in self.cpu[2:]), 1) for part in self.cpu[0]
            },
            "readings": self.readings,
            "rounds": rounds,
            "series": self.series,
        }

    def _ratio(self, one: str, other: str) -> float:
        pairs = zip(self.found[one], self.found[other], strict=True)
        return round(statistics.median(a / b for a, b in pairs), 3)


def _apart(servers: SpareStack, namespace: str) -> SpareStack:
    return _prepared(servers.apart(namespace))


def _prepared(servers: SpareStack) -> SpareStack:
    """With topics, indices' templates and MongoDB's indexes."""
    streams = load_streams(servers.settings)
    subprocess.run([sys.executable, "-m", "elk.setup"], check=True, env=servers.environment, stdout=subprocess.DEVNULL)
    make_topics(servers.settings, streams)
    make_indexes(connect_mongodb(servers.settings), streams)
    return servers


def _stream(servers: SpareStack) -> Stream:
    return load_streams(servers.settings)["weather"]


def _empty(servers: SpareStack, stream: Stream) -> None:
    database = connect_mongodb(servers.settings)
    database.drop_collection(stream.collection)
    make_indexes(database, load_streams(servers.settings))
    view = connect_elasticsearch(servers.settings)
    for index in view.indices.get(index=f"{stream.index_prefix}*"):
        view.indices.delete(index=index)


def _expect(servers: SpareStack, stream: Stream, readings: int) -> None:
    """Both stores have so many readings: what was measured was the writing of all of them."""
    view = connect_elasticsearch(servers.settings)
    indices = f"{stream.index_prefix}*"
    view.indices.refresh(index=indices)
    found = {
        "MongoDB": connect_mongodb(servers.settings)[stream.collection].count_documents({}),
        "Elasticsearch": view.count(index=indices)["count"],
    }
    for store, number in found.items():
        if number != readings:
            raise SystemExit(f"{number} readings are in {store}, expected {readings}")


if __name__ == "__main__":
    main()
