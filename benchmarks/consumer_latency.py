"""How long after Kafka appended a reading a search finds it, with all five streams at once.

The whole application runs (the ingest, the meters' query, sums, forecasts), with the forecaster beside it. Readings are
sent evenly, a fifth of each stream; of every so many the arrival (Kafka's LogAppendTime) is noted and Elasticsearch is
asked ten times a second which of those can be found. What the asking takes, and the time between, counts as delay.
"""

import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import psutil
import requests
from confluent_kafka import KafkaError, Message
from elasticsearch import Elasticsearch

from benchmarks.consumer_load import make_producer
from benchmarks.cpu import Cpu, Processes
from benchmarks.progress import say
from local_stack import processes
from local_stack.spare import SpareStack
from readings.config import ROOT
from readings.connections import connect_elasticsearch, make_topics
from readings.stream import Stream, load_streams

FIRST = 100
"""So many readings are sent and waited for before all others: the application starts meanwhile."""
WARM_S = 300.0
"""What is sent in the first minutes is not judged: workers and states are made then, and Java compiles its code, which
takes 0.45 of two cores after one minute and still 0.2 after three. The same stack then runs for weeks."""
SAMPLED = 19
"""One reading of so many is looked for: of each stream, and of each of its partitions (both by number)."""
SLICE_S = 0.02
LOOK_S = 0.1
"""So often Elasticsearch is asked, so that the asking takes little of what is measured."""
LOOKED_FOR = 500
"""Of those not found yet, so many that came first."""
READY_S = 120.0
"""What is not there so long after it was asked for, a part or a reading, ends the benchmark with an error."""

Values = dict[str, Any]


def p95_append_to_searchable_s(servers: SpareStack, per_s: int, seconds: float) -> dict[str, Any]:
    """The 95th percentile and the median in seconds, of readings sent at a rate for so long after the warm-up.

    And how many cores each part kept busy while those were sent and looked for.
    """
    settings = servers.settings
    streams = load_streams(settings)
    make_topics(settings, streams)
    with _process(servers, "forecaster") as forecaster, _process(servers, "spark_consumer") as consumer:
        _wait(lambda: _answers(f"{settings.forecaster_address}/health"), "the forecaster")
        measured = _Measured(connect_elasticsearch(settings), [stream.index_prefix for stream in streams.values()])
        readings = _Readings(streams)
        warm, whole = round(per_s * WARM_S), round(per_s * (WARM_S + seconds))
        for numbers in (range(FIRST), range(FIRST, warm)):
            _send(servers, readings, per_s, numbers, measured, judged=False)
            measured.look_until_found()
        cpu, began = Cpu(_parts(servers, forecaster, consumer)), time.monotonic()
        _send(servers, readings, per_s, range(warm, whole), measured, judged=True)
        measured.look_until_found()
        lasted_s = time.monotonic() - began
        cores = {part: round(used_s / lasted_s, 2) for part, used_s in cpu.seconds().items()}
    delays_s = sorted(measured.delays_s)
    say(f"{len(delays_s)} of {per_s * seconds:,.0f} readings looked for")
    return {
        "p95_append_to_searchable_s": round(delays_s[int(0.95 * (len(delays_s) - 1))], 2),
        "median_append_to_searchable_s": round(statistics.median(delays_s), 2),
        "cores_append_to_searchable": cores,
    }


def _parts(servers: SpareStack, forecaster: psutil.Process, consumer: psutil.Process) -> dict[str, Processes]:
    """The processes of each part; Spark's are the driver's Python, its JVM, and the Python workers behind that."""
    jvm = next(child for child in consumer.children() if child.name() == "java")
    return {
        "benchmark": lambda: [psutil.Process()],
        "forecaster": lambda: processes.tree(forecaster.pid),
        "spark_driver": lambda: [consumer],
        "spark_jvm": lambda: [jvm],
        "spark_python": lambda: jvm.children(recursive=True),
        **{name: partial(processes.tree, servers.pid(name)) for name in ("kafka", "mongodb", "elasticsearch")},
    }


class _Measured:
    """Which readings are looked for, and how long the found ones took."""

    def __init__(self, view: Elasticsearch, prefixes: list[str]) -> None:
        self._view = view
        self._indices = ",".join(f"{prefix}*" for prefix in prefixes)
        self._sought: dict[str, tuple[float, bool]] = {}
        self._next_s = 0.0
        self.delays_s: list[float] = []

    def seek(self, _id: str, appended_s: float, *, judged: bool) -> None:
        """Adds a reading that Kafka appended then (Unix seconds)."""
        self._sought[_id] = appended_s, judged

    def look(self) -> bool:
        """Asks for those not found yet, where it is time to. Gives whether all are."""
        if not self._sought:
            return True
        if time.monotonic() < self._next_s:
            return False
        self._next_s = time.monotonic() + LOOK_S
        found = self._view.options(ignore_status=503).search(  # 503: of an index that is being made
            index=self._indices,
            query={"ids": {"values": list(islice(self._sought, LOOKED_FOR))}},
            source=False,
            size=LOOKED_FOR,
            ignore_unavailable=True,
            filter_path="hits.hits._id",
        )
        now = time.time()
        for hit in found.get("hits", {}).get("hits", []):
            appended_s, judged = self._sought.pop(hit["_id"])
            if judged:
                self.delays_s.append(now - appended_s)
        return not self._sought

    def look_until_found(self) -> None:
        """Asks until all are found. Ends the benchmark where one never is."""
        _wait(self.look, "every reading to be found")


def _send(
    servers: SpareStack, readings: "_Readings", per_s: int, numbers: range, measured: _Measured, *, judged: bool
) -> None:
    """Sends the readings of these numbers at a rate, and looks for some meanwhile."""
    producer = make_producer(servers.settings, 100 * per_s)  # Kafka may be busy for a while
    makers = list(readings.makers.items())
    start = time.monotonic()
    sent = 0

    def tell(_id: str) -> Callable[[KafkaError | None, Message], None]:
        def on_delivery(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                raise SystemExit(f"Kafka: {error}")
            measured.seek(_id, message.timestamp()[1] / 1000, judged=judged)

        return on_delivery

    while sent < len(numbers):
        due = min(round(per_s * (time.monotonic() - start)), len(numbers))
        for number in numbers[sent:due]:
            i, which = divmod(number, len(makers))
            name, make = makers[which]
            stream = readings.streams[name]
            value = orjson.dumps({"source": "benchmark", **make(i)}, option=orjson.OPT_UTC_Z)
            told: dict[str, Any] = {}
            if i % SAMPLED == 0:
                _id = stream.model.model_validate_json(value).key
                told = {"on_delivery": tell(_id)}
            producer.produce(stream.topic, value, partition=number % stream.config.partitions, **told)
        sent = max(sent, due)
        producer.poll(0)
        measured.look()
        time.sleep(SLICE_S)  # what is sent evenly is sent in slices
    if producer.flush(30):
        raise SystemExit("Kafka did not acknowledge all readings")


class _Readings:
    """By stream the i-th reading, each of another series or time: of a stream with few series times are past ones."""

    places, meters = 200, 1000
    areas = tuple(f"NO{i}" for i in range(1, 6))
    groups = "hydro", "other", "solar", "thermal", "wind"
    regions = "NSW1", "QLD1", "SA1", "TAS1", "VIC1"

    def __init__(self, streams: dict[str, Stream]) -> None:
        self.streams = streams
        self._now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        self._codes = [place.name for place in streams["facility"].config.places()]
        self.makers: dict[str, Callable[[int], Values]] = {
            "weather": self._weather,
            "production": self._production,
            "meter": self._meter,
            "facility": self._facility,
            "market": self._market,
        }

    def _weather(self, i: int) -> Values:
        name = f"place-{i % self.places}"
        return {"region": name, "timestamp": datetime.now(UTC), "temperature_c": i % 300 / 10, "humidity_pct": i % 100}

    def _production(self, i: int) -> Values:
        series = {"price_area": self.areas[i % 5], "production_group": self.groups[i // 5 % 5]}
        at = self._now - timedelta(days=300) + timedelta(hours=i // 25)
        return {"mode": "backfill", **series, "start_time": at, "quantity_kwh": i % 9000}

    def _meter(self, i: int) -> Values:
        steps = i // self.meters
        at = self._now - timedelta(hours=12) + timedelta(minutes=5 * steps)
        name = f"meter-{i % self.meters}"
        return {"mode": "backfill", "sensor_id": name, "timestamp": at, "energy_kwh": 100 + steps * 0.04}

    def _facility(self, i: int) -> Values:
        at = self._now - timedelta(hours=24) + timedelta(minutes=5 * (i // len(self._codes)))
        code = self._codes[i % len(self._codes)]
        return {"mode": "backfill", "facility_code": code, "timestamp": at, "power_mw": i % 500, "emissions_t": 1}

    def _market(self, i: int) -> Values:
        at = self._now - timedelta(days=90) + timedelta(minutes=5 * (i // 5))
        name = self.regions[i % 5]
        return {"mode": "backfill", "network_region": name, "timestamp": at, "price_per_mwh": i % 90, "demand_mw": 5000}


@contextmanager
def _process(servers: SpareStack, module: str) -> Iterator[psutil.Process]:
    log = servers.folder / f"{module}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module], cwd=ROOT, env=servers.environment, stdout=output, stderr=output
        )
    try:
        yield psutil.Process(process.pid)
        if process.poll() is not None:
            raise SystemExit(f"{module} ended: {_tail(log)}")
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def _wait(holds: Callable[[], bool], what: str, deadline_s: float = READY_S) -> None:
    deadline = time.monotonic() + deadline_s
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {deadline_s:.0f} s for {what}")
        time.sleep(0.1)  # between two looks


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False
