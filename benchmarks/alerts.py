"""How soon a late reading is told in Slack, and how long a round of many rules over many series takes.

``python -m benchmarks.alerts --json`` starts servers, a consumer and an alert engine of its own, on free ports, with a
stand-in of Slack on this machine. ElastAlert2 is measured after it, on the same servers and the same kind of readings.

late_to_slack       late readings of one series after the other are appended to Kafka, each later than the one before,
                    for a message names the worst; until Slack is asked to post or to edit one that names the series.
                    ElastAlert2 looks as often as our engine, each second.
round_10k_series_50_rules   the median round; ElastAlert2's: its 50 rules once, one run after the other
rss_mb, rss_10k_series_mb   the engine's process, after the late readings, and after the rounds
"""

import argparse
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
import psutil
from kafka import KafkaProducer

from alerts.book import KeptBook
from alerts.engine import Engine, whole_milliseconds
from alerts.links import linker
from alerts.rules import Rules
from alerts.run import connect_store, connect_view
from benchmarks import elastalert
from benchmarks.progress import say
from local_stack.spare import SpareStack, spare_stack
from readings.config import ROOT
from readings.connections import connect_elasticsearch, connect_mongodb, kafka_options, make_topics
from readings.declared import declare
from readings.stream import Stream, load_streams

LATE_BY = timedelta(hours=2)
SECONDS_BETWEEN = 2.5
DEADLINE_S = 60.0
ELASTALERT_DEADLINE_S = 150.0


class SlackSink:
    """A stand-in of Slack that answers every call and remembers when it was asked for what."""

    def __init__(self) -> None:
        self.requests: list[tuple[float, str]] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are written apart: else the body waits 40 ms

            def do_POST(self) -> None:
                """Remembers, and answers as chat.postMessage does, or a webhook."""
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                sink.requests.append((time.time(), body))
                given = parse_qs(body)
                ts = given.get("ts", [f"{time.time():.6f}"])[0]
                answer = {"ok": True, "channel": "C0123ABCDEF", "ts": ts, "scheduled_messages": []}
                raw = json.dumps(answer).encode() if self.path.startswith("/api/") else b"ok"
                self.send_response(200)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *arguments: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def heard(self, name: str) -> float | None:
        """When it was first asked for something that names a series."""
        return next((at for at, body in list(self.requests) if re.search(rf"{name}\b", body)), None)


def main() -> None:
    """Measures and prints; the last line is one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alerts", description=__doc__)
    parser.add_argument("--late", type=int, default=24, help="late readings, each of another series (default 24)")
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--without-elastalert", action="store_true", help="measure our engine alone")
    parser.add_argument("--json", action="store_true", help="print only the JSON line on standard output")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, spare_stack() as servers:
        rival = None
        if not options.without_elastalert:
            say("installing ElastAlert2 in a virtual environment of its own")
            rival = elastalert.installed(servers.settings.skywatt_home / "elastalert2")
        result = {
            **_late_to_slack(servers, Path(folder), options.late, rival),
            **_rounds(servers, Path(folder), options.series, options.rounds, rival),
        }
    print(json.dumps(result))


def _late_to_slack(servers: SpareStack, folder: Path, late: int, rival: Path | None) -> dict[str, Any]:
    sink, rival_sink = SlackSink(), SlackSink()
    slack = {"SLACK_BOT_TOKEN": "any-token", "SLACK_CHANNEL": "C0123ABCDEF", "SLACK_BASE_URL": f"{sink.url}/api/"}
    apart = servers.apart("bench_late", **slack)
    stream = load_streams(apart.settings)["weather"]
    subprocess.run([sys.executable, "-m", "elk.setup"], cwd=ROOT, check=True, env=apart.environment, stdout=sys.stderr)
    make_topics(apart.settings, load_streams(apart.settings))
    database = connect_mongodb(apart.settings)
    producer = KafkaProducer(**kafka_options(apart.settings), acks="all")
    rules = folder / "late.yml"
    rules.write_text("rules: [{name: late, kind: late}]")
    engine = ("alerts", "run", "--rules", str(rules))
    with _process(apart, folder, "spark_consumer"):
        with _process(apart, folder, *engine) as us:
            _send(producer, stream, "warm-up", LATE_BY)
            _until(lambda: sink.heard("warm-up") is not None, "the first alert", 120)
            log = folder / "spark_consumer.log"
            _until(lambda: '"meter_totals"' in log.read_text(), "the start of the consumer's last query", 120)
            _delays(_send_late(producer, stream, "warm-up", 4), sink)
            say("late readings go all the way; measuring")
            ours = _delays(_send_late(producer, stream, "ours", late), sink)
            memory = psutil.Process(us.pid).memory_info().rss / 1e6
        say(f"ours: {_percentiles(ours)}")
        theirs = []
        if rival:
            with _elastalert(rival, apart, folder, stream, rival_sink):
                theirs = _delays(_send_late(producer, stream, "theirs", late), rival_sink)
            say(f"ElastAlert2: {_percentiles(theirs)}")
    database.client.drop_database(database.name)
    return {
        "late_to_slack_p95_s": round(_p95(ours), 2),
        "late_to_slack_median_s": round(statistics.median(ours), 2),
        "elastalert2_late_to_slack_p95_s": round(_p95(theirs), 2) if theirs else None,
        "rss_mb": round(memory, 1),
        "late_readings": late,
    }


def _rounds(servers: SpareStack, folder: Path, series: int, rounds: int, rival: Path | None) -> dict[str, Any]:
    apart = servers.apart("bench_round")
    settings = apart.settings
    streams = load_streams(settings)
    stream = streams["weather"]
    subprocess.run([sys.executable, "-m", "elk.setup"], cwd=ROOT, check=True, env=apart.environment, stdout=sys.stderr)
    database = connect_mongodb(settings)
    names = [f"place-{number:05d}" for number in range(series)]
    declare(database, stream, "benchmark", names, timedelta(minutes=15))
    say(f"storing an hour of readings of {series:,} series")
    _store(apart, stream, names)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        taken, requests, memory = alone.submit(_our_rounds, apart, rounds).result()
    theirs = _elastalert_round(rival, apart, folder, stream)
    return {
        "round_10k_series_50_rules_s": round(statistics.median(taken[1:]), 3),
        "first_round_s": round(taken[0], 3),
        "requests_per_round": requests,
        "elastalert2_round_s": theirs and round(theirs, 2),
        "rss_10k_series_mb": round(memory, 1),
        "series": series,
    }


def _our_rounds(apart: SpareStack, rounds: int) -> tuple[list[float], int, float]:
    """What each round took, the first besides, in s; the most requests of one, and this process's memory in MB."""
    settings = apart.settings
    streams = load_streams(settings)
    rules = Rules.model_validate({"rules": fifty_rules()})
    book, view = KeptBook(connect_store(settings)), connect_view(settings)
    engine = Engine(book, view, settings.prefix, streams, rules, linker(settings), can_edit=True)
    engine.load(datetime.now(UTC))
    taken, requests = [], 0
    for number in range(rounds + 1):
        began = time.perf_counter()
        report = engine.round(whole_milliseconds(datetime.now(UTC)))
        taken.append(time.perf_counter() - began)
        requests = max(requests, report.requests)
        if report.blind or report.view_away:
            raise RuntimeError(f"a round was not whole: {report}")
        say(f"round {number}: {taken[-1]:.2f} s, {report.requests} requests, {report.posts} messages")
    return taken, requests, psutil.Process().memory_info().rss / 1e6


def fifty_rules() -> list[dict[str, Any]]:
    """A rules file as a large user might have it: all on one stream, so that nothing is spared."""
    weather = {"stream": "weather"}
    humid = {"kind": "threshold", "field": "humidity_pct", "aggregate": "avg"}
    windy = {"kind": "threshold", "field": "wind_speed_ms", "aggregate": "max"}
    rules: list[dict[str, Any]] = [
        *({"kind": "late", "window": f"{minutes}min", "at_least": 1 + minutes // 30} for minutes in range(10, 60, 5)),
        *({"kind": "silent", "for": f"{minutes}min"} for minutes in range(10)),
        *({"kind": "threshold", "field": "temperature_c", "above": 39.6 + 0.02 * number} for number in range(10)),
        *({**humid, "above": 97 + number / 5} for number in range(5)),
        *({**windy, "above": 29.9 + number} for number in range(5)),
        *({"kind": "change", "field": "temperature_c", "how": "stuck", "at_least": 3 + number} for number in range(5)),
        *({"kind": "change", "field": "pressure_hpa", "how": "jumps", "by": 60 + number} for number in range(5)),
    ]
    return [{"name": f"{rule['kind']}-{number}", **weather, **rule} for number, rule in enumerate(rules)]


def elastalert_rules(stream: Stream) -> list[dict[str, Any]]:
    """The same in its words, where it has them; it has none for a newest value, `stuck` and `jumps` by series: there
    it counts what is above the bound, which is less work."""
    base = {"index": f"{stream.index_prefix}*", "alert": ["debug"], "timestamp_field": "arrived_at"}
    late = [{"term": {"late": True}}, {"term": {"mode": "live"}}]

    def per_series(kind: str, **further: Any) -> dict[str, Any]:
        return {**base, "type": kind, "query_key": "series", **further}

    def aggregate(field: str, kind: str, bound: float) -> dict[str, Any]:
        words = {"metric_agg_key": field, "metric_agg_type": kind, "max_threshold": bound}
        return per_series("metric_aggregation", buffer_time={"minutes": 60}, **words)

    above = {"range": {"temperature_c": {"gt": 39.8}}}
    rules: list[dict[str, Any]] = [
        *(
            per_series("frequency", filter=late, num_events=1, timeframe={"minutes": minutes})
            for minutes in range(10, 60, 5)
        ),
        *(
            per_series(
                "flatline",
                threshold=1,
                timeframe={"minutes": 45},
                use_terms_query=True,
                doc_type="_doc",
                terms_size=20_000,
                timestamp_field="timestamp",
            )
            for _ in range(10)
        ),
        *(per_series("frequency", filter=[above], num_events=1, timeframe={"minutes": 60}) for _ in range(20)),
        *(aggregate("humidity_pct", "avg", 97 + number / 5) for number in range(5)),
        *(aggregate("wind_speed_ms", "max", 29.9 + number) for number in range(5)),
    ]
    return [{"name": f"rule-{number}", **rule} for number, rule in enumerate(rules)]


def _elastalert_round(python: Path | None, apart: SpareStack, folder: Path, stream: Stream) -> float | None:
    """How long all of its rules take once, one after the other, by the times that it writes down itself."""
    if python is None:
        return None
    place = folder / "elastalert-round"
    rules = elastalert_rules(stream)
    with elastalert.root_answered(apart.settings.elasticsearch_address) as port:
        password = apart.settings.local_elasticsearch_password.get_secret_value()
        config = elastalert.write_rules(place, port, password, 900, rules)
        elastalert.make_indices(python, config)
        view = connect_elasticsearch(apart.settings)
        with (place / "log").open("wb") as out:
            command = [str(python), "-m", "elastalert.elastalert", "--config", str(config), "--verbose"]
            process = subprocess.Popen(command, cwd=place, stdout=out, stderr=out)
        seconds: dict[str, float] = {}

        def all_ran() -> bool:
            found = view.search(index=f"{elastalert.INDEX}_status", size=1000, ignore_unavailable=True)
            for hit in found["hits"]["hits"]:
                seconds.setdefault(hit["_source"]["rule_name"], float(hit["_source"]["time_taken"]))
            return len(seconds) == len(rules)

        try:
            _until(all_ran, "ElastAlert2's round", ELASTALERT_DEADLINE_S)
        except TimeoutError:
            say(f"ElastAlert2 ran {len(seconds)} of {len(rules)} rules within {ELASTALERT_DEADLINE_S:.0f} s")
            return None
        finally:
            process.kill()
            process.wait()
    say(f"ElastAlert2: {sum(seconds.values()):.1f} s for {len(rules)} rules, the slowest {max(seconds.values()):.1f} s")
    return sum(seconds.values())


@contextmanager
def _elastalert(python: Path, apart: SpareStack, folder: Path, stream: Stream, sink: SlackSink) -> Iterator[None]:
    """ElastAlert2 with the rule for late readings, looking each second."""
    place = folder / "elastalert-late"
    with elastalert.root_answered(apart.settings.elasticsearch_address) as port:
        password = apart.settings.local_elasticsearch_password.get_secret_value()
        rule = elastalert.late_rule(f"{stream.index_prefix}*", f"{sink.url}/hook")
        config = elastalert.write_rules(place, port, password, 1, [rule])
        elastalert.make_indices(python, config)
        with (place / "log").open("wb") as out:
            command = [str(python), "-m", "elastalert.elastalert", "--config", str(config), "--verbose"]
            process = subprocess.Popen(command, cwd=place, stdout=out, stderr=out)
        try:
            _until(lambda: sink.heard("warm-up") is not None, "ElastAlert2's first alert", 60)
            yield
        finally:
            process.kill()
            process.wait()


def _store(apart: SpareStack, stream: Stream, names: Sequence[str]) -> None:
    """Four readings of each series in the last hour, a few of them late, too warm or missing."""
    view = connect_elasticsearch(apart.settings)
    chance = random.Random(7)  # noqa: S311 - the same readings each time
    now = datetime.now(UTC)
    for quarter in range(4):
        lines: list[dict[str, Any]] = []
        for name in names:
            if chance.random() < 0.002:
                continue
            at = now - timedelta(minutes=15 * quarter + 2)
            late = chance.random() < 0.001
            reading = stream.model.model_validate(
                {
                    "source": "benchmark",
                    "mode": "live",
                    "region": name,
                    "timestamp": at,
                    "temperature_c": chance.uniform(0, 40),
                    "humidity_pct": chance.uniform(20, 100),
                    "pressure_hpa": chance.uniform(980, 1040),
                    "wind_speed_ms": chance.uniform(0, 30),
                }
            )
            beside = {"series": name, "arrived_at": (at + timedelta(seconds=20)).isoformat(), "delay_s": 20.0}
            own = orjson.loads(reading.model_dump_json(exclude_none=True))
            document = {**own, **beside, "late": late, "revision": 0}
            lines += [{"index": {"_index": stream.index(at), "_id": reading.key}}, document]
        answer = view.bulk(operations=lines)
        if answer["errors"]:
            raise SystemExit(f"a reading was refused: {answer['items'][0]}")
    view.indices.refresh(index=f"{stream.index_prefix}*")


def _send(producer: Any, stream: Stream, series: str, late_by: timedelta) -> float:
    """Appends a late reading; gives when it was acknowledged."""
    at = datetime.now(UTC) - late_by
    whose = {"source": "benchmark", "mode": "live", "region": series}
    reading = {**whose, "timestamp": at.isoformat(), "temperature_c": 5.0}
    producer.send(stream.topic, key=series.encode(), value=orjson.dumps(reading)).get(30)
    return time.time()


def _send_late(producer: Any, stream: Stream, name: str, number: int) -> dict[str, float]:
    """Appends one late reading of a series after the other; gives when each was acknowledged."""
    sent = {}
    for one in range(number):
        series = f"{name}-{one:03d}"
        sent[series] = _send(producer, stream, series, LATE_BY + timedelta(seconds=one + 1))
        time.sleep(SECONDS_BETWEEN * random.uniform(0.8, 1.2))  # noqa: S311 - spreads moments, guards nothing
    return sent


def _delays(sent: dict[str, float], sink: SlackSink) -> list[float]:
    _until(lambda: all(sink.heard(name) for name in sent), "every late reading", DEADLINE_S)
    return [(sink.heard(name) or 0) - at for name, at in sent.items()]


def _until(condition: Callable[[], bool], what: str, deadline_s: float) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come within {deadline_s:.0f} s")
        time.sleep(0.05)  # between two looks


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def _percentiles(values: Sequence[float]) -> str:
    return f"median {statistics.median(values):.2f} s, p95 {_p95(values):.2f} s, of {len(values)}"


@contextmanager
def _process(apart: SpareStack, folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A part, ended with all it started."""
    with (folder / f"{words[0]}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=ROOT, env=apart.environment, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        for one in (*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)):
            one.kill()
        process.wait()


if __name__ == "__main__":
    main()
