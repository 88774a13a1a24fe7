"""The alert engine as a process on real Elasticsearch and MongoDB, with a stand-in of Slack.

Readings are written into Elasticsearch as the consumer writes them; Slack gets one message for each firing and one
for each resolve, whoever is killed meanwhile.
"""

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_stack.spare import SpareStack
from readings.config import ROOT
from readings.connections import connect_elasticsearch, connect_mongodb
from readings.declared import declare
from readings.stream import load_streams
from tests.alerts.slack import CHANNEL, TOKEN, Slack, slack_stand_in
from tests.end_to_end.consumer import put_index_templates, wait_until

CADENCE = timedelta(seconds=2)
ALLOWED_DELAY = timedelta(seconds=4)
WINDOW = timedelta(seconds=6)
SLACK_WITHIN_S = 5.0


@dataclass
class Scene:
    """One test's engine, readings and Slack."""

    stack: SpareStack
    slack: Slack
    rules: Path
    log: Path
    engine: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.stream = load_streams(self.stack.settings)["weather"]
        self.view = connect_elasticsearch(self.stack.settings)
        self.database = connect_mongodb(self.stack.settings)

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "alerts", "run", "--rules", str(self.rules), "--every", "0.5s"]
            self.engine = subprocess.Popen(command, cwd=ROOT, env=self.stack.environment, stderr=log)

    def kill(self) -> None:
        if self.engine:
            self.engine.kill()
            self.engine.wait()

    def command(self, *words: str) -> str:
        """What a command of the engine prints."""
        command = [sys.executable, "-m", "alerts", *words]
        answer = subprocess.run(
            command, cwd=ROOT, env=self.stack.environment, check=True, capture_output=True, text=True
        )
        return answer.stdout

    def index(self, region: str, event_time: datetime, arrived_at: datetime, mode: str = "live") -> None:
        """A reading as the consumer's contract has it, searchable on return."""
        arrived_at = arrived_at.replace(microsecond=arrived_at.microsecond // 1000 * 1000)
        reading = self.stream.model.model_validate(
            {"source": "test", "mode": mode, "region": region, "timestamp": event_time, "temperature_c": 5.0}
        )
        delay_s = self.stream.delay_s(reading.event_time, arrived_at)
        document = json.loads(reading.model_dump_json(exclude_none=True)) | {
            "series": region,
            "arrived_at": arrived_at.isoformat(),
            "delay_s": delay_s,
            "late": self.stream.is_late(mode, delay_s),
            "revision": 0,
        }
        index = self.stream.index(reading.event_time)
        self.view.index(index=index, id=reading.key, document=document, refresh=True)

    @contextmanager
    def flowing(self, *regions: str, delay: timedelta = timedelta(0)) -> Iterator[set[str]]:
        """A reading of each region each second, so long after its time; the regions put into the set are held back."""
        stop, held = threading.Event(), set[str]()

        def flow() -> None:
            while not stop.is_set():
                now = datetime.now(UTC)
                for region in regions:
                    if region not in held:
                        self.index(region, now - delay, now)
                stop.wait(1)

        thread = threading.Thread(target=flow, daemon=True)
        thread.start()
        try:
            yield held
        finally:
            stop.set()
            thread.join()

    def titles(self) -> list[str]:
        return [text.split(":")[1].strip() for text in self.slack.texts]

    def wait_for(self, *titles: str, deadline_s: float = 60) -> None:
        self.wait_until(lambda: sorted(self.titles()) == sorted(titles), f"{titles}, not", deadline_s)

    def wait_until(self, condition: Callable[[], bool], what: str, deadline_s: float = 60) -> None:
        try:
            wait_until(condition, what, deadline_s)
        except AssertionError as error:
            error.add_note(f"{self.slack.texts}\n{self.log.read_text()[-2000:]}")
            raise

    def rounds(self) -> float:
        part = self.part()
        return float(part["counts"].get("rounds", 0)) if part and part["state"] == "running" else 0.0

    def wait_rounds(self, more: int = 3) -> None:
        """Until so many further rounds have been told in the heartbeat."""
        before = self.rounds()
        self.wait_until(lambda: self.rounds() >= before + more, "rounds")

    def part(self) -> dict[str, Any] | None:
        return self.database["parts"].find_one({"_id": "alerts"})

    def indexed(self) -> int:
        """How many readings can be searched."""
        return int(self.view.count(index=f"{self.stack.settings.prefix}readings-weather-*")["count"])

    def in_view(self) -> list[dict[str, Any]]:
        answer = self.view.search(index=f"{self.stack.settings.prefix}alerts-*", size=100)
        return [hit["_source"] for hit in answer["hits"]["hits"]]


@pytest.fixture
def slack() -> Iterator[Slack]:
    with slack_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
def scene(stack: SpareStack, slack: Slack, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scene]:
    yield from _scene(stack, slack, tmp_path, request, {"SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": CHANNEL})


def _scene(
    stack: SpareStack, slack: Slack, folder: Path, request: pytest.FixtureRequest, way_out: dict[str, str]
) -> Iterator[Scene]:
    config = yaml.safe_load((ROOT / "skywatt.yml").read_text())
    config["streams"]["weather"] |= {"cadence": "2s", "allowed_delay": "4s", "series": ["Bergen", "Oslo", "Troms"]}
    config_file = folder / "skywatt.yml"
    config_file.write_text(yaml.safe_dump(config))
    rules = folder / "rules.yml"
    rules.write_text("rules: [{name: late, kind: late, window: 6s}, {name: silent, kind: silent}]")
    name = f"alerts_{abs(hash(request.node.name)) % 10**8}"
    apart = stack.apart(name, SLACK_BASE_URL=slack.api, SKYWATT_CONFIG=str(config_file), **way_out)
    put_index_templates(apart)
    scene = Scene(apart, slack, rules, folder / "alerts.log")
    yield scene
    scene.kill()
    log = scene.log.read_text() if scene.log.exists() else ""
    assert TOKEN not in log
    assert slack.problems == []


def test_a_place_held_back_is_silent_then_late_then_well_and_each_is_told_once(scene: Scene) -> None:
    declare(scene.database, scene.stream, "test", ["Bergen", "Oslo"], CADENCE)
    scene.start()
    with scene.flowing("Bergen", "Oslo") as held:
        scene.wait_rounds()
        assert scene.titles() == []
        held.add("Bergen")
        began = datetime.now(UTC)
        scene.wait_for("Bergen silent")
        late = datetime.now(UTC)
        for second in range(3):
            scene.index("Bergen", began + timedelta(milliseconds=100 * second), late)
        searchable = time.time()
        held.clear()
        scene.wait_for("Bergen silent", "Bergen late", "Bergen silent no more", "Bergen late no more")
        scene.wait_rounds(6)

    assert len(scene.slack.messages) == 4
    by_title = dict(zip(scene.titles(), scene.slack.messages, strict=True))
    assert by_title["Bergen late"]["wall"] - searchable < SLACK_WITHIN_S
    assert by_title["Bergen late no more"]["thread_ts"] == by_title["Bergen late"]["ts"]
    assert by_title["Bergen silent no more"]["thread_ts"] == by_title["Bergen silent"]["ts"]
    lives = {(life["rule"], life["state"]): life for life in scene.in_view()}
    assert set(lives) == {("late", "resolved"), ("silent", "resolved")}
    assert lives["late", "resolved"]["count"] == 3
    assert list(scene.database["alerts"].find({})) == []


def test_readings_that_come_but_late_are_late_and_not_silent(scene: Scene) -> None:
    declare(scene.database, scene.stream, "test", ["Oslo"], 10 * CADENCE)
    with scene.flowing("Oslo", delay=timedelta(minutes=10)):
        scene.wait_until(lambda: scene.indexed() > 0, "the first reading")
        scene.start()
        scene.wait_for("Oslo late")
        scene.wait_rounds(8)

        assert scene.titles() == ["Oslo late"]


def test_a_backfill_is_never_late(scene: Scene) -> None:
    declare(scene.database, scene.stream, "test", ["Oslo"], timedelta(hours=1))
    now = datetime.now(UTC)
    scene.index("Oslo", now - timedelta(minutes=10), now, mode="backfill")
    scene.start()
    scene.wait_rounds(4)

    assert scene.titles() == []


def test_places_that_fall_silent_together_are_one_message(scene: Scene) -> None:
    now = datetime.now(UTC)
    for region in ("Bergen", "Oslo"):
        scene.index(region, now - timedelta(minutes=10), now - timedelta(minutes=10))
    declare(scene.database, scene.stream, "test", ["Bergen", "Oslo"], CADENCE)
    scene.start()

    scene.wait_for("Bergen and 1 more silent")


@pytest.mark.parametrize("moment", ["before_keeping", "before_answering"])
@pytest.mark.parametrize("message", [1, 2], ids=["firing", "resolve"])
def test_killed_while_a_message_is_under_way_it_is_there_once(scene: Scene, moment: str, message: int) -> None:
    declare(scene.database, scene.stream, "test", ["Bergen"], timedelta(hours=1))
    old = datetime.now(UTC) - timedelta(hours=2)
    scene.index("Bergen", old, old)
    killed = threading.Event()

    def kill() -> None:
        scene.kill()
        killed.set()

    if message == 1:
        setattr(scene.slack, moment, kill)
    scene.start()
    if message == 2:
        scene.wait_for("Bergen silent")
        setattr(scene.slack, moment, kill)
        scene.index("Bergen", datetime.now(UTC), datetime.now(UTC))
    assert killed.wait(30)
    scene.start()
    if message == 1:
        scene.wait_for("Bergen silent")
        scene.index("Bergen", datetime.now(UTC), datetime.now(UTC))
    scene.wait_for("Bergen silent", "Bergen silent no more")
    scene.wait_rounds()

    assert scene.titles() == ["Bergen silent", "Bergen silent no more"]


def test_killed_at_random_five_times_it_tells_each_once(scene: Scene) -> None:
    declare(scene.database, scene.stream, "test", ["Bergen", "Oslo"], CADENCE)
    kills = iter([random.Random(seed).uniform(0.6, 3.5) for seed in range(5)])  # noqa: S311 - moments, no secrets
    done = threading.Event()

    def kill_now_and_then() -> None:
        for pause_s in kills:
            done.wait(pause_s)
            scene.kill()
            scene.start()

    with scene.flowing("Bergen", "Oslo") as held:
        scene.start()
        killer = threading.Thread(target=kill_now_and_then)
        held.add("Bergen")
        killer.start()
        scene.wait_for("Bergen silent")
        held.clear()
        killer.join()
        scene.wait_for("Bergen silent", "Bergen silent no more")
        scene.wait_rounds()

    assert scene.titles() == ["Bergen silent", "Bergen silent no more"]


@pytest.mark.parametrize("server", ["elasticsearch", "mongodb"])
def test_while_a_store_is_away_nothing_fires_and_nothing_resolves(scene: Scene, server: str) -> None:
    declare(scene.database, scene.stream, "test", ["Bergen", "Oslo"], timedelta(hours=1))
    now = datetime.now(UTC)
    scene.index("Bergen", now - timedelta(hours=2), now - timedelta(hours=2))
    scene.index("Oslo", now, now)
    scene.start()
    scene.wait_for("Bergen silent")
    with scene.stack.away(server):
        scene.wait_until(lambda: f"while {server} does not answer" in scene.log.read_text(), "the outage is said")
    scene.wait_rounds()

    assert scene.titles() == ["Bergen silent"]

    scene.index("Bergen", datetime.now(UTC), datetime.now(UTC))
    scene.wait_for("Bergen silent", "Bergen silent no more")


def test_a_second_engine_waits_and_says_so(scene: Scene) -> None:
    declare(scene.database, scene.stream, "test", ["Bergen"], timedelta(hours=1))
    old = datetime.now(UTC) - timedelta(hours=2)
    scene.index("Bergen", old, old)
    scene.start()
    first = scene.engine
    scene.wait_for("Bergen silent")
    scene.start()
    second = scene.engine
    assert first is not None
    assert second is not None
    try:
        scene.wait_until(
            lambda: "another alert engine" in str((scene.part() or {}).get("waiting_for")), "the second waits"
        )
        first.kill()
        first.wait()
        scene.index("Bergen", datetime.now(UTC), datetime.now(UTC))
        scene.wait_for("Bergen silent", "Bergen silent no more")
    finally:
        first.kill()
        first.wait()


def test_a_rule_that_is_removed_resolves_what_it_fired(scene: Scene) -> None:
    declare(scene.database, scene.stream, "test", ["Bergen"], timedelta(hours=1))
    old = datetime.now(UTC) - timedelta(hours=2)
    scene.index("Bergen", old, old)
    scene.start()
    scene.wait_for("Bergen silent")
    scene.kill()
    scene.rules.write_text("rules: [{name: late, kind: late}]")
    scene.start()

    scene.wait_for("Bergen silent", "Bergen silent no more")
    assert "no rule looks after it any more" in scene.slack.texts[1]


def test_places_that_fall_silent_one_after_the_other_are_one_message_edited_and_ended_once(scene: Scene) -> None:
    declare(scene.database, scene.stream, "test", ["Bergen"], timedelta(hours=1))
    old = datetime.now(UTC) - timedelta(hours=2)
    for region in ("Bergen", "Oslo"):
        scene.index(region, old, old)
    scene.start()
    scene.wait_for("Bergen silent")
    declare(scene.database, scene.stream, "test", ["Bergen", "Oslo"], timedelta(hours=1))
    scene.wait_until(lambda: "Bergen and 1 more silent" in scene.slack.shown[0], "Oslo in the same message")
    scene.index("Bergen", datetime.now(UTC), datetime.now(UTC))
    scene.wait_until(lambda: "well since" in scene.slack.shown[0], "Bergen is marked")
    scene.index("Oslo", datetime.now(UTC), datetime.now(UTC))
    scene.wait_for("Bergen silent", "Bergen and 1 more silent no more")
    scene.wait_until(lambda: scene.slack.shown[0].startswith("🟢"), "the message shows that it is over")

    assert scene.slack.messages[1]["thread_ts"] == scene.slack.messages[0]["ts"]
    [bergen, oslo] = sorted(scene.in_view(), key=lambda life: life["series"])
    assert [change.split()[-1] for change in bergen["life"]] == ["pending", "firing", "recovering", "resolved"]
    assert bergen["message"] == oslo["message"]


def test_what_is_silenced_is_told_when_the_silence_is_ended_and_it_still_fires(scene: Scene) -> None:
    declare(scene.database, scene.stream, "test", ["Bergen", "Oslo"], timedelta(hours=1))
    old = datetime.now(UTC) - timedelta(hours=2)
    for region in ("Bergen", "Oslo"):
        scene.index(region, old, old)
    said = scene.command("silence", "region=Bergen", "1h")
    scene.start()
    scene.wait_for("Oslo silent")
    scene.wait_rounds()
    assert scene.titles() == ["Oslo silent"]
    assert "silence" in scene.command("list")
    assert "not now: silence" in scene.command("show", "Bergen")

    scene.command("unsilence", said.split()[1].rstrip(":"))
    scene.wait_until(lambda: "Bergen" in scene.slack.shown[0], "Bergen is told in the message that is open")
    assert "told" in scene.command("show", "Bergen")


def test_a_replay_says_what_was_told_and_a_dry_run_sends_nothing(scene: Scene) -> None:
    declare(scene.database, scene.stream, "test", ["Bergen"], timedelta(minutes=1))
    scene.database["sources"].update_one(
        {"_id": "weather"}, {"$set": {"since": datetime.now(UTC) - timedelta(hours=2)}}
    )
    now = datetime.now(UTC)
    for minutes in (60, 59, 50, 49):
        scene.index("Bergen", now - timedelta(minutes=minutes), now - timedelta(minutes=minutes))

    said = scene.command("replay", "--from", "65min", "--every", "30s", "--rules", str(scene.rules))
    titles = [line.split("UTC  ")[1] for line in said.splitlines() if "UTC  " in line and line[0] != " "]
    assert [title.split(": ")[1] for title in titles] == [
        *("Bergen silent", "Bergen silent no more") * 2,
        "Bergen silent",
    ]

    command = [sys.executable, "-m", "alerts", "run", "--dry-run", "--rules", str(scene.rules)]
    dry = subprocess.Popen(
        command, cwd=ROOT, env=scene.stack.environment | {"PYTHONUNBUFFERED": "1"}, stdout=-1, text=True
    )
    assert dry.stdout is not None
    try:
        assert any("Bergen silent" in line for line in dry.stdout)
    finally:
        dry.terminate()
        assert dry.wait(30) == 0
    assert (scene.slack.messages, list(scene.database["alerts"].find({}))) == ([], [])


def test_the_engine_that_stops_leaves_a_message_for_slack_to_post(scene: Scene) -> None:
    declare(scene.database, scene.stream, "test", ["Bergen"], timedelta(hours=1))
    scene.rules.write_text("dead_man_after: 2min\nrules: [{name: late, kind: late}]")
    scene.start()
    scene.wait_until(lambda: len(scene.slack.scheduled) == 1, "a scheduled message")
    scene.kill()
    scene.start()
    scene.wait_until(lambda: [method for method, _ in scene.slack.calls].count("chat.scheduleMessage") == 2, "a second")
    scene.wait_until(lambda: len(scene.slack.scheduled) == 1, "one is left")

    assert "not heard of for 2min" in scene.slack.scheduled[0]["text"]
