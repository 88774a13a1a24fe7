"""``run.sh demo``: one place falls silent, comes back late, and is well again, in about two minutes.

On the servers that run (they are started if they do not), with topics, database and indices of its own that are
removed at the end. Its alerts go to this terminal and never to Slack.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from elasticsearch import Elasticsearch
from kafka.admin import KafkaAdminClient
from pydantic import SecretStr
from pymongo.database import Database
from rich.console import Console

from local_stack import processes
from local_stack.errors import StackError
from local_stack.layout import layout as make_layout
from local_stack.parts import SERVERS
from local_stack.up import up
from readings.config import ROOT
from readings.connections import Document, connect_elasticsearch, connect_mongodb, kafka_options, make_topics
from readings.settings import Settings, load_settings
from readings.stream import load_streams

NAMESPACE = "skywatt_demo"
"""What begins with it is removed at the end, also from servers that others use."""
LEFT_OUT = ("slack_", "delta_", "cassandra_", "astra_")
PLACE = "Bergen"
HELD_BACK_S = 40
HELD_AFTER_S = 30
WINDOW = timedelta(seconds=15)
"""Of the rules in ``alerts/demo-rules.yml``."""
STORY_S = 400.0
"""When the story has not come to its end by then, something is wrong."""

ROUND_S = 0.5


def demo(console: Console, settings: Settings) -> int:
    """Plays the story; gives 0 where all of it happened. Raises StackError where a part of it ended or hung."""
    if settings.skywatt_namespace:
        raise StackError("SKYWATT_NAMESPACE is set: the demo has a namespace of its own, run it without")
    up(console, SERVERS)
    environment = _environment(load_settings())
    with patch.dict(os.environ, environment, clear=True):
        apart = load_settings()
    story = Story(console, apart, environment)
    story.remove()  # what an earlier demo left that was broken off
    try:
        story.play()
    finally:
        story.say("removing the demo's topics, database and indices")
        story.remove()
    story.say("the end: each alert was told once when it began, and once when it was over")
    return 0


def _environment(settings: Settings) -> dict[str, str]:
    """The settings of the servers, for processes that read no ``.env``: a line there counts where a variable is empty.

    Not Slack's, nor those of the stores that keep what is theirs: Delta and Cassandra.
    """
    others = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    named = {name for name in settings.model_fields_set if not name.startswith(LEFT_OUT)}
    return {
        **others,
        **{name.upper(): _text(getattr(settings, name)) for name in named},
        "SKYWATT_ENV_FILE": os.devnull,
        "SKYWATT_NAMESPACE": NAMESPACE,
        "SKYWATT_CONFIG": str(Path(__file__).with_name("demo.yml")),
    }


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


@dataclass
class Story:
    """The demo's parts and what is seen of them."""

    console: Console
    settings: Settings
    environment: dict[str, str]
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._stream = load_streams(self.settings)["weather"]
        self._database: Database[Document] = connect_mongodb(self.settings)
        self._view: Elasticsearch = connect_elasticsearch(self.settings)
        self._logs = make_layout(self.settings).logs / "demo"
        self._messages: dict[str, Document] = {}
        self._parts: dict[str, subprocess.Popen[bytes]] = {}

    def say(self, line: str, colour: str = "") -> None:
        """A line of the story with the seconds since it began."""
        text = f"{time.monotonic() - self.began:5.0f} s  {line}"
        self.console.print(f"[{colour}]{text}[/]" if colour else text, soft_wrap=True)

    def play(self) -> None:
        """The story from its first line to the alert's end."""
        self._logs.mkdir(parents=True, exist_ok=True)
        make_topics(self.settings, {"weather": self._stream})
        subprocess.run(
            [sys.executable, "-m", "elk.setup"], cwd=ROOT, env=self.environment, check=True, capture_output=True
        )
        with ExitStack() as running:

            def start(name: str, *words: str) -> None:
                running.enter_context(self._running(name, *words))

            start("consumer", "spark_consumer")
            self.say("Spark is starting; it reads the demo's own topic")
            self._wait("Spark", self._consumer_runs)
            replay = ("producer", "replay", "recordings/weather", "--shift-to-now", "--every", "5s")
            with self._running("producer", *replay):
                self._wait("readings", lambda: self._count() > 0)
                self.say("recorded weather of eight places flows, a reading each 5 s; more than 15 s of delay is late")
                self._wait("the four weeks before now", lambda: self._newest_age_s(PLACE) < 10)
            # on a slow machine those take minutes: only now is time counted until the place falls silent
            held = ("--hold-back", f"{PLACE}={HELD_BACK_S}s", "--hold-back-after", f"{HELD_AFTER_S}s")
            start("producer", *replay, *held)
            self._wait("readings in time", lambda: self._newest_age_s(PLACE) < 10 and not self._late_lately())
            start("alerts", "alerts", "run", "--rules", "alerts/demo-rules.yml")
            self.say(f"{self._count():,} readings are in MongoDB and Elasticsearch, four weeks of them at once")
            self._wait(f"{PLACE} held back", lambda: self._newest_age_s(PLACE) > 8)
            self.say(f"{PLACE} is held back for {HELD_BACK_S} s: nothing comes from it", "yellow")
            self._wait("the alert", lambda: self._told("firing", "silent"))
            self._wait("the late readings", lambda: self._late() > 0)
            late, worst_s = self._late(), self._worst_delay_s()
            self.say(
                f"{PLACE}'s readings arrive: {late} of them late, the worst by {worst_s:.0f} s; none is lost", "yellow"
            )
            self._wait("the end of the silence", lambda: self._told("resolved", "silent"))
            self._wait("the end of the lateness", lambda: self._told("resolved", "late"))

    def remove(self) -> None:
        """Removes every trace of the demo from the servers and this machine."""
        for collection in self._database.list_collection_names():
            self._database[collection].delete_many({})  # the local server syncs once for it, and per key for a drop
        self._database.client.drop_database(self._database.name)
        admin = KafkaAdminClient(**kafka_options(self.settings))
        topics = [topic for topic in admin.list_topics() if topic.startswith(self.settings.prefix)]
        if topics:
            admin.delete_topics(topics)
        admin.close()
        for index in self._view.indices.get(index=f"{self.settings.prefix}*").body:
            self._view.indices.delete(index=index)
        for template in self._view.indices.get_index_template().body["index_templates"]:
            if template["name"].startswith(self.settings.prefix):
                self._view.indices.delete_index_template(name=template["name"])
        shutil.rmtree(self.settings.skywatt_data / "checkpoints" / self.settings.skywatt_namespace, ignore_errors=True)

    @contextmanager
    def _running(self, name: str, *words: str) -> Iterator[None]:
        with (self._logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *words], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )
        self._parts[name] = process
        try:
            yield
        finally:
            processes.end(processes.tree(process.pid))
            process.wait()
            del self._parts[name]

    def _wait(self, what: str, condition: Callable[[], bool]) -> None:
        while not condition():
            ended = [name for name, process in self._parts.items() if process.poll() is not None]
            if ended:
                raise StackError(f"the demo's {ended[0]} ended: {self._logs / ended[0]}.log says why")
            if time.monotonic() - self.began > STORY_S:
                raise StackError(f"{what} did not come within {STORY_S:.0f} s; the logs are in {self._logs}")
            self._tell_alerts()
            time.sleep(ROUND_S)

    def _consumer_runs(self) -> bool:
        part = self._database["parts"].find_one({"_id": "consumer"})
        return part is not None and part["state"] == "running"

    def _count(self) -> int:
        return self._database[self._stream.collection].estimated_document_count()

    def _newest_age_s(self, region: str) -> float:
        found = self._database[self._stream.collection].find_one({"region": region}, sort=[("timestamp", -1)])
        return (datetime.now(UTC) - found["timestamp"]).total_seconds() if found else float("inf")

    def _late(self) -> int:
        return self._database[self._stream.collection].count_documents({"region": PLACE, "late": True})

    def _late_lately(self) -> int:
        """What came late while the replay began again: the rule would tell of it."""
        since = datetime.now(UTC) - WINDOW
        return self._database[self._stream.collection].count_documents({"arrived_at": {"$gt": since}, "late": True})

    def _worst_delay_s(self) -> float:
        found = self._database[self._stream.collection].find_one(
            {"region": PLACE, "late": True}, sort=[("delay_s", -1)]
        )
        return float(found["delay_s"]) if found else 0.0

    def _tell_alerts(self) -> None:
        """Shows each message that the alert engine has sent since, as Slack would."""
        sent = self._database["alert_messages"].find({"state": "sent"}).sort("written_at", 1)
        for message in [one for one in sent if one["_id"] not in self._messages]:
            self._messages[message["_id"]] = message
            firing = message["event"] == "firing"
            self.say(message["message"]["title"], "bold red" if firing else "bold green")
            for row in message["message"]["table"]:
                self.console.print(f"          {row}", style="dim", markup=False)

    def _told(self, event: str, kind: str) -> bool:
        self._tell_alerts()
        return any(
            message["event"] == event and any(alert["kind"] == kind for alert in message["alerts"])
            for message in self._messages.values()
        )
