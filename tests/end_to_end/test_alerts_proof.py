"""Recordings with bad days in them: each incident is told once and once that it is over, and no series that is well.

Once in real time, from the producer's replay over Kafka to Slack, with the broker restarted and the engine killed at
random; once on the clock of then, over a change of the clock, with the engine broken off at random in its writes.
"""

import csv
import gzip
import json
import random
import re
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from elasticsearch import ApiError
from kafka import KafkaConsumer

from alerts.alert_store import from_document, remove_alerts, write_alerts
from alerts.book import KeptBook
from alerts.engine import Engine
from alerts.links import linker
from alerts.notices import Changes
from alerts.rules import Rules
from alerts.silences import Silence, add_silence
from alerts.states import Alert, Key
from local_stack.spare import SpareStack
from readings.config import ROOT
from readings.connections import connect_elasticsearch, connect_mongodb, kafka_options, make_topics
from readings.declared import declare
from readings.parts import INGEST, Part
from readings.reading import Reading
from readings.stream import Stream, load_streams
from spark_consumer.documents import make_document
from tests.alerts.slack import CHANNEL, TOKEN, Slack, slack_stand_in
from tests.end_to_end.consumer import put_index_templates, wait_until

KILLS = [pytest.param(5, id="5 kills"), pytest.param(50, id="50 kills", marks=pytest.mark.long)]
PLAYED = ("weather", "meter")
"""What a replay fills with a reading each two seconds."""
THEN_STREAMS = ("weather", "production")

RULES = """
rules:
  - {name: late, kind: late, window: 15s}
  - {name: silent, kind: silent, for: HOLD}
  - {name: stalled, kind: stalled, for: 10s, keep_firing_for: 20s, parts: [consumer]}
inhibit:
  - {while: {kind: stalled}, mute: {kind: silent}}
"""
HELD_AFTER_S, HELD_S = 45, 90
HELD = {"weather": ("Bergen", "Oslo"), "meter": ("home-B",)}
SILENCED = "Oslo"
SILENT_AFTER_S = 62.0
"""Cadence and allowed delay."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", KILLS)
def test_recordings_with_stalls_late_batches_a_broker_restart_and_an_engine_that_is_killed(
    stack: SpareStack, tmp_path: Path, kills: int
) -> None:
    config = yaml.safe_load((ROOT / "skywatt.yml").read_text())
    config["streams"] = {name: config["streams"][name] for name in PLAYED}
    for stream in config["streams"].values():
        stream |= {"cadence": "2s", "allowed_delay": "60s"}
    (tmp_path / "skywatt.yml").write_text(yaml.safe_dump(config))
    # an engine that is killed every other second sees nothing last for three: after a start it counts anew
    (tmp_path / "rules.yml").write_text(RULES.replace("HOLD", "3s" if kills == 5 else "0s"))
    with slack_stand_in() as slack, ExitStack() as running:
        way_out = {"SLACK_BASE_URL": slack.api, "SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": CHANNEL}
        apart = stack.apart(f"proof{kills}", SKYWATT_CONFIG=str(tmp_path / "skywatt.yml"), **way_out)
        put_index_templates(apart)
        make_topics(apart.settings, load_streams(apart.settings))
        silence = [sys.executable, "-m", "alerts", "silence", "region=Oslo", "1h"]
        subprocess.run(silence, cwd=ROOT, env=apart.environment, check=True)
        seen = running.enter_context(indexing(apart))
        for name in PLAYED:
            held = [word for series in HELD[name] for word in ("--hold-back", f"{series}={HELD_S}s")]
            after = ("--hold-back-after", f"{HELD_AFTER_S}s")
            replay = ("producer", "replay", f"recordings/{name}", "--shift-to-now", "--every", "2s", *held, *after)
            running.enter_context(process(apart, tmp_path / f"{name}.log", *replay))
        view = connect_elasticsearch(apart.settings)
        wait_until(lambda: all_stored(view, apart), "readings of every series", 240)
        engine = running.enter_context(killed_at_random(apart, tmp_path, kills))
        stack.kill_and_wait("kafka")
        try:
            wait_until(engine.done, "the last kill", 300)
            wait_until(lambda: all_over(view, apart), "every incident and its end", 300)
        except AssertionError as error:
            error.add_note("\n".join(slack.texts))
            error.add_note(
                "\n".join(f"{life['series']} {life['kind']}: {life['state']}" for life in lives(view, apart))
            )
            error.add_note((tmp_path / "alerts.log").read_text()[-3000:])
            raise
        check(slack, lives(view, apart), connect_mongodb(apart.settings), seen)


def test_the_clock_of_then_over_a_change_of_the_clock(stack: SpareStack) -> None:
    _play_then(stack, 5)


@pytest.mark.long
def test_the_clock_of_then_broken_off_fifty_times(stack: SpareStack) -> None:
    _play_then(stack, 50)


THEN = datetime(2025, 10, 24, tzinfo=UTC)
"""Three days later clocks in Oslo were put back."""
OSLO = ZoneInfo("Europe/Oslo")
STEP = timedelta(minutes=30)
WEATHER_SHIFT = datetime(2025, 10, 26, tzinfo=UTC) - datetime(2021, 10, 31, tzinfo=UTC)
"""By whole days, so that the recording's change of the clock falls on that of 2025."""
HOURS = timedelta(hours=1)


@dataclass(frozen=True)
class BadDay:
    """Readings of a series whose time lies in a span come at its end or, where `lost`, never."""

    series: str
    since: datetime
    until: datetime
    told: tuple[str, ...]
    lost: bool = False


BAD_DAYS = (
    BadDay("Bergen", THEN + 20 * HOURS, THEN + 26 * HOURS, ("silent", "late")),
    BadDay("Bergen", THEN + 70 * HOURS, THEN + 75 * HOURS, ("silent",), lost=True),  # over the change of the clock
    BadDay("Tromsø", THEN + 40 * HOURS, THEN + 43 * HOURS, ()),  # silenced
    BadDay("NO2/wind", THEN - 30 * HOURS, THEN + 62 * HOURS, ("silent", "late")),
)


def _play_then(stack: SpareStack, crashes: int) -> None:
    apart = stack.apart(f"then{crashes}")
    settings = apart.settings
    put_index_templates(apart)
    every = load_streams(settings)
    streams = {name: every[name] for name in THEN_STREAMS}
    view, database = connect_elasticsearch(settings), connect_mongodb(settings)
    for name, read in (("weather", weather_then), ("production", production_then)):
        found = list(read())
        declare(database, streams[name], "recording", sorted({series for _, series, _, _ in found}), HOURS)
        store(view, streams[name], found)
    database["sources"].update_many({}, {"$set": {"since": THEN - timedelta(days=30)}})
    lasts = THEN + 39.5 * HOURS
    add_silence(database, Silence("a1", {"region": "Troms*"}, lasts, lasts + 12 * HOURS))
    rules = Rules.model_validate(
        {"rules": [{"name": "late", "kind": "late", "window": "6h"}, {"name": "silent", "kind": "silent"}]}
    )
    chance = random.Random(crashes)  # noqa: S311 - moments of crashes
    rounds = int(timedelta(days=4) / STEP)
    crashing = set(chance.sample(range(rounds), crashes))
    book = CrashingBook(database, chance)

    def start(at: datetime) -> Engine:
        engine = Engine(book, view, settings.prefix, streams, rules, linker(settings), can_edit=True)
        engine.load(at)
        return engine

    engine = start(THEN)
    crashed = 0
    for number in range(rounds):
        now = THEN + number * STEP
        book.armed = book.armed or number in crashing
        try:
            report = engine.round(now)
        except Crash:
            crashed += 1
            engine = start(now)
            report = engine.round(now)
        assert (report.blind, report.view_away) == ({}, None)

    told: Counter[tuple[str, str, str]] = Counter()
    for message in database["alert_messages"].find({}):
        for incident in {from_document(row).incident: from_document(row) for row in message["alerts"]}.values():
            told[message["event"], incident.key.series, incident.kind] += 1
    expected = Counter(
        (event, day.series, kind) for day in BAD_DAYS for kind in day.told for event in ("firing", "resolved")
    )
    assert crashed > 0
    assert told == expected


Read = tuple[datetime, str, dict[str, Any], datetime]
"""An event time, a series, values, and when it arrives."""


def weather_then() -> Iterator[Read]:
    """Norway's hours, each two minutes after its time."""
    for row in recorded("weather/norway_era5_2021"):
        at = datetime.fromisoformat(row["timestamp"]) + WEATHER_SHIFT
        if THEN - timedelta(days=1) <= at < THEN + timedelta(days=5):
            yield from arriving(at, row["region"], {"temperature_c": float(row["temperature_c"])}, timedelta(minutes=2))


def production_then() -> Iterator[Read]:
    """Elhub's hours: a day at nine in the morning of the second day after it, by the clock in Oslo."""
    for row in recorded("production/norway_elhub_2025"):
        at = datetime.fromisoformat(row["start_time"])
        if THEN - timedelta(days=4) <= at < THEN + timedelta(days=5):
            day = at.astimezone(OSLO).date()
            arrives = datetime(day.year, day.month, day.day, 9, tzinfo=OSLO) + timedelta(days=2)
            series = f"{row['price_area']}/{row['production_group']}"
            values = {"quantity_kwh": float(row["quantity_kwh"])}
            yield from arriving(at, series, values, arrives.astimezone(UTC) - at)


def arriving(at: datetime, series: str, values: dict[str, Any], after: timedelta) -> Iterator[Read]:
    bad = next((day for day in BAD_DAYS if day.series == series and day.since <= at < day.until), None)
    if bad is None or not bad.lost:
        yield at, series, values, max(at + after, bad.until + timedelta(minutes=1)) if bad else at + after


def recorded(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(ROOT / "recordings" / f"{name}.csv.gz", "rt", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def reading_of(stream: Stream, series: str, at: datetime, values: dict[str, Any]) -> Reading:
    return stream.model.model_validate(
        {"source": "recording", **stream.names_of(series), stream.model.time_field: at, **values}
    )


def store(view: Any, stream: Stream, found: Sequence[Read]) -> None:
    documents = [
        make_document(stream, reading_of(stream, series, at, values), arrived_at, 0, number)
        for number, (at, series, values, arrived_at) in enumerate(found)
    ]
    index_all(view, stream, documents)


def index_all(view: Any, stream: Stream, documents: Sequence[dict[str, Any]]) -> None:
    lines: list[dict[str, Any]] = []
    for document in documents:
        index = stream.index(document[stream.model.time_field])
        lines += [
            {"index": {"_index": index, "_id": document["_id"]}},
            {k: v for k, v in document.items() if k != "_id"},
        ]
    for start in range(0, len(lines), 10_000):
        answer = view.bulk(operations=lines[start : start + 10_000], refresh=True)
        assert not answer["errors"], answer["items"][0]


class Crash(Exception):
    """The engine ends here."""


class CrashingBook(KeptBook):
    """Ends in the midst of a write when armed."""

    def __init__(self, database: Any, chance: random.Random) -> None:
        super().__init__(database)
        self._stored = database
        self._chance = chance
        self.armed = False

    def write(self, changed: Sequence[Alert], gone: Any, changes: Changes, now: datetime) -> None:
        if not self.armed:
            super().write(changed, gone, changes, now)
            return
        self.armed = False
        gone_keys: list[Key] = list(gone)
        steps: list[Callable[[], object]] = [
            lambda: write_alerts(self._stored, changed[: len(changed) // 2]),
            lambda: write_alerts(self._stored, changed),
            *(
                lambda post=post: self.outbox.put(
                    Changes({name: one for name, one in changes.notices.items() if name == post.id}, [post]), now
                )
                for post in changes.posts
            ),
            *(lambda one=one: self.outbox.put(Changes({one.id: one}, []), now) for one in changes.notices.values()),
            lambda: self.outbox.put(changes, now),
            lambda: remove_alerts(self._stored, gone_keys[: len(gone_keys) // 2]),
        ]
        for step in steps[: self._chance.randint(0, len(steps))]:
            step()
        raise Crash


@dataclass
class Seen:
    """Of each series, when what became searchable, and which were late."""

    readings: dict[str, list[tuple[datetime, datetime]]] = field(default_factory=lambda: defaultdict(list))
    late: set[str] = field(default_factory=set)

    def silences(self, series: str) -> list[tuple[datetime, datetime]]:
        """From when to when nothing new enough of a series could be seen."""
        spans = []
        newest: datetime | None = None
        for searchable, event_time in self.readings[series]:
            if newest and searchable > newest + timedelta(seconds=SILENT_AFTER_S):
                spans.append((newest + timedelta(seconds=SILENT_AFTER_S), searchable))
            newest = max(newest or event_time, event_time)
        return spans


@contextmanager
def indexing(apart: SpareStack) -> Iterator[Seen]:
    """What arrives in Kafka is searchable half a second later, as the consumer makes it, with its heartbeat.

    The weeks before now, which a replay sends as well, are left out.
    """
    stop, since, seen = threading.Event(), datetime.now(UTC) - timedelta(hours=2), Seen()
    streams = {stream.topic: stream for stream in load_streams(apart.settings).values()}
    view = connect_elasticsearch(apart.settings)

    def index(part: Part) -> None:
        consumer = KafkaConsumer(
            *streams,
            **kafka_options(apart.settings),
            auto_offset_reset="earliest",
            group_id=None,
            max_poll_records=5000,
        )
        while not stop.is_set():
            offsets = []
            for place, records in consumer.poll(timeout_ms=500).items():
                stream = streams[place.topic]
                documents = [
                    make_document(
                        stream,
                        reading,
                        datetime.fromtimestamp(record.timestamp / 1000, UTC),
                        record.partition,
                        record.offset,
                    )
                    for record in records
                    if (reading := stream.model.model_validate_json(record.value)).event_time > since
                ]
                index_all(view, stream, documents)
                for document in documents:
                    seen.readings[document["series"]].append((datetime.now(UTC), document["timestamp"]))
                    seen.late |= {document["series"]} if document["late"] else set()
            for place in consumer.assignment():
                offsets.append(
                    {
                        "query": INGEST,
                        "topic": place.topic,
                        "partition": place.partition,
                        "offset": consumer.position(place),
                    }
                )
            part.note(offsets=offsets)
        consumer.close()

    with Part(connect_mongodb(apart.settings), "consumer") as part:
        thread = threading.Thread(target=index, args=(part,), daemon=True)
        thread.start()
        try:
            yield seen
        finally:
            stop.set()
            thread.join(30)


@dataclass
class Killed:
    """An engine that is killed and started again."""

    finished: threading.Event

    def done(self) -> bool:
        return self.finished.is_set()


@contextmanager
def killed_at_random(apart: SpareStack, folder: Path, kills: int) -> Iterator[Killed]:
    chance = random.Random(kills)  # noqa: S311 - moments of kills
    stop, killed = threading.Event(), Killed(threading.Event())

    def play() -> None:
        for number in range(kills + 1):
            with process(apart, folder / "alerts.log", "alerts", "run", "--rules", str(folder / "rules.yml")):
                if number == kills:
                    killed.finished.set()
                stop.wait(None if number == kills else chance.uniform(0.5, 2.0) * 120 / kills)

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join(30)


@contextmanager
def process(apart: SpareStack, log: Path, *words: str) -> Iterator[None]:
    """A part of ours; it ends by kill -9."""
    with log.open("ab") as out:
        running = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=ROOT, env=apart.environment, stdout=out, stderr=out
        )
    try:
        yield
    finally:
        running.kill()
        running.wait()


def all_stored(view: Any, apart: SpareStack) -> bool:
    """Whether each declared series has a reading of the last seconds."""
    for stream in load_streams(apart.settings).values():
        recent = {
            "range": {stream.model.time_field: {"gte": f"now-{int(stream.model.interval.total_seconds()) + 60}s"}}
        }
        try:
            found = view.search(
                index=f"{stream.index_prefix}*", size=0, query=recent, aggs={"n": {"cardinality": {"field": "series"}}}
            )
        except ApiError as error:
            if error.status_code != 503:
                raise
            return False  # an index was made in this moment
        declared = connect_mongodb(apart.settings)["sources"].find_one({"_id": stream.name})
        if declared is None or not found.get("aggregations"):
            return False
        if found["aggregations"]["n"]["value"] < len(declared["series"]):
            return False
    return True


def lives(view: Any, apart: SpareStack) -> list[dict[str, Any]]:
    """Every incident that is in Elasticsearch."""
    answer = view.search(index=f"{apart.settings.prefix}alerts-*", size=1000)
    return [hit["_source"] for hit in answer["hits"]["hits"]]


def all_over(view: Any, apart: SpareStack) -> bool:
    """Whether what was held back has had its incidents, all incidents are over, and all that is to be told is told."""
    database = connect_mongodb(apart.settings)
    found = lives(view, apart)
    had = {(life["series"], life["kind"]) for life in found}
    held = {(series, kind) for names in HELD.values() for series in names for kind in ("silent", "late")}
    waiting = database["alert_messages"].count_documents({"$or": [{"state": {"$ne": "sent"}}, {"open": True}]})
    return held <= had and all(life["state"] == "resolved" for life in found) and waiting == 0


def check(slack: Slack, found: list[dict[str, Any]], database: Any, seen: Seen) -> None:
    """Each incident was told once and once that it is over, the silenced ones not, and none that was none."""
    messages = {one["_id"]: one for one in database["alert_messages"].find({})}
    posted = Counter(message["metadata"]["event_payload"]["id"] for message in slack.messages)
    assert posted == Counter(messages.keys())
    ends = Counter(one["answers"] for one in messages.values() if one["event"] == "resolved")
    assert ends == Counter(name for name, one in messages.items() if one["event"] == "firing")
    told = [life for life in found if life.get("message")]
    assert {life["message"] for life in told} == set(ends)
    for series, kind in [(series, kind) for series in ("Bergen", "home-B") for kind in ("silent", "late")]:
        assert any((life["series"], life["kind"]) == (series, kind) for life in told)

    spans_told: Counter[tuple[str, datetime]] = Counter()
    for life in told:
        assert life["series"] != SILENCED
        if life["kind"] == "late":
            assert life["series"] in seen.late
        if life["kind"] == "silent":
            fired = datetime.fromisoformat(life["fired_at"])
            second = timedelta(seconds=1)
            spans = seen.silences(life["series"])
            begins = [begin for begin, end in spans if begin - second <= fired <= end + 2 * second]
            assert begins, (life, spans)
            spans_told[life["series"], begins[-1]] += 1
    assert set(spans_told.values()) == {1}
    bad = seen.late | {series for series in seen.readings if seen.silences(series)}
    assert named(slack, seen) <= bad - {SILENCED}
    assert slack.problems == []


def named(slack: Slack, seen: Seen) -> set[str]:
    """Every series that a message or an edit names."""
    said = json.dumps([*slack.messages, *slack.edits], ensure_ascii=False)
    return {name for name in seen.readings if re.search(rf"\b{re.escape(name)}\b", said)}
