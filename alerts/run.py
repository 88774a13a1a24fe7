"""``python -m alerts run``: rounds until stopped, whatever is down meanwhile."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from elasticsearch import ApiError, Elasticsearch, OrjsonSerializer, TransportError
from pymongo.database import Database
from pymongo.errors import PyMongoError

from alerts.book import KeptBook
from alerts.dead_man import DeadMan
from alerts.engine import Engine, RoundReport, whole_milliseconds
from alerts.errors import ViewError
from alerts.history import copy_to_view
from alerts.lease import Lease
from alerts.links import linker
from alerts.pipeline import Pipeline, Watch
from alerts.routes import TIMEOUT_S, Bot, Route, choose_route
from alerts.rules import Rules, StalledRule, rests
from alerts.rules_file import load_rules
from alerts.sender import Sender
from alerts.silences import prune_silences
from readings import parts
from readings.connections import Document, connect_elasticsearch, connect_mongodb
from readings.errors import ConfigError
from readings.settings import Settings
from readings.stream import Stream, load_streams

PART = "alerts"
STORE_TIMEOUT_S = 5.0
PRUNE_S = 3600.0
BEAT_S = 1.0
BLIND_S = 5.0
"""For so long a rule that cannot be judged is not spoken of: the shards of a new index take a moment."""

log = logging.getLogger(__name__)


def run(settings: Settings, rules_file: Path, every: timedelta, stop: threading.Event) -> int:
    """Evaluates every so often until `stop` is set. Raises ConfigError before anything is started."""
    streams = load_streams(settings)
    rules = load_rules(rules_file, streams)
    route = choose_route(settings)
    database = connect_store(settings)
    view = connect_view(settings)
    if rules.dead_man_after and not isinstance(route, Bot):
        raise ConfigError(f"{rules_file}: dead_man_after needs SLACK_BOT_TOKEN: nothing else posts at a time to come")
    for rule in rules.rules:
        if rests(rule, streams):
            log.warning("the rule %r watches nothing: skywatt.yml has no stream %s", rule.name, rule.stream)
    log.info("%d rules from %s; messages go to %s", len(rules.rules), rules_file, route.described)
    with ExitStack() as running:
        part = running.enter_context(parts.Part(database, PART))
        waits = Waits(part)
        watched = watch(settings, database, streams, rules, partial(waits.say, "pipeline")) if watches(rules) else None
        pipeline = running.enter_context(watched) if watched else None
        book = KeptBook(database)
        engine = Engine(
            book,
            view,
            settings.prefix,
            streams,
            rules,
            linker(settings),
            can_edit=route.can_edit,
            pipeline=(lambda: pipeline.pipeline) if pipeline else Pipeline,
        )
        evaluation = Evaluation(engine, book, database, view, settings.prefix, route, part, waits, every)
        running.callback(evaluation.end)  # once nothing is sent any more
        running.enter_context(evaluation.sender)
        if isinstance(route, Bot):
            told = partial(waits.say, "dead man")
            dead_man = DeadMan(route, rules.dead_man_after, settings.skywatt_namespace, told)
            running.enter_context(Beating(dead_man, evaluation.is_live, told))
        while not stop.is_set():
            began = time.monotonic()
            evaluation.once(whole_milliseconds(datetime.now(UTC)))
            stop.wait(max(0.0, began + every.total_seconds() - time.monotonic()))
    return 0


def live_s(every: timedelta) -> float:
    """An engine that made no round for longer is not alive."""
    return max(30.0, 3 * every.total_seconds())


def connect_store(settings: Settings) -> "Database[Document]":
    """The database, by a client of which no request waits for long."""
    return connect_mongodb(settings, STORE_TIMEOUT_S, timeoutMS=int(STORE_TIMEOUT_S * 1000))


def connect_view(settings: Settings) -> Elasticsearch:
    """A client that does not wait for long and reads large answers quickly."""
    return connect_elasticsearch(
        settings, STORE_TIMEOUT_S, max_retries=0, serializers={"application/json": OrjsonSerializer()}
    )


def watches(rules: Rules) -> bool:
    """Whether a rule watches the pipeline itself."""
    return any(isinstance(rule, StalledRule) for rule in rules.rules)


def watch(
    settings: Settings,
    database: "Database[Document]",
    streams: Mapping[str, Stream],
    rules: Rules,
    waits: Callable[[str | None], object] = lambda _: None,
) -> Watch:
    """Watches the pipeline for as long as the longest window asks."""
    longest = max(rule.window for rule in rules.rules if isinstance(rule, StalledRule))
    return Watch(settings, database, [stream.topic for stream in streams.values()], longest, waits)


class Evaluation:
    """The engine with what goes on around a round: the lease, the sender, the copy in Elasticsearch, old messages."""

    def __init__(
        self,
        engine: Engine,
        book: KeptBook,
        database: "Database[Document]",
        view: Elasticsearch,
        prefix: str,
        route: Route,
        part: parts.Part,
        waits: "Waits",
        every: timedelta,
    ) -> None:
        self._engine = engine
        self._outbox = book.outbox
        self._database = database
        self._view = view
        self._prefix = prefix
        self._route = route
        self._part = part
        self._lease = Lease(database, every)
        self._live_s = live_s(every)
        self._waits = waits
        self._ready = threading.Event()
        self._last_round = 0.0
        self._next_prune = 0.0
        self._blind_since: dict[str, float] = {}
        self.sender = Sender(
            self._outbox,
            route,
            self._may_send,
            lambda what: self._waits.say("sending", what),
            lambda: part.count(sent=1),
            self._lease.holder,
        )

    def once(self, now: datetime) -> None:
        """One round, or none where MongoDB does not answer: then every alert stays as it is."""
        try:
            taken = self._lease.take(now)
            if taken is None:
                self._ready.clear()
                self._waits.say("evaluation", "another alert engine that runs already")
                return
            if taken == "new" or not self._ready.is_set():
                self._take_up(now)
            report = self._engine.round(now)
        except PyMongoError as error:
            self._ready.clear()  # what is stored may differ from what the engine holds: it loads again
            self._hold("mongodb", error)
            return
        self._last_round = time.monotonic()
        self._part.count(rounds=1, messages=report.posts)
        if report.posts or report.edits:
            self.sender.wake()
        if report.view_away:
            self._hold("elasticsearch", report.view_away)
            return
        self._say_blind(report)
        self._afterwards(now)

    def is_live(self) -> bool:
        """Whether rounds are made: then the dead man's message is put off."""
        return time.monotonic() - self._last_round < self._live_s

    def end(self) -> None:
        """Lets another engine begin at once, unless a message is still under way."""
        try:
            if not self.sender.is_at_work:
                self._lease.give_back()
        except PyMongoError as error:
            log.warning("the lease stays until it runs out: %s", type(error).__name__)

    def _may_send(self) -> bool:
        """Whether no other engine can send before a message that is sent now has arrived."""
        return self._ready.is_set() and self._lease.lasts(TIMEOUT_S)

    def _take_up(self, now: datetime) -> None:
        self._engine.load(now)
        self._outbox.prepare()
        told = {"messages_to": self._route.described}
        self._database[parts.COLLECTION].update_one({"_id": PART}, {"$set": told}, upsert=True)
        self._ready.set()
        self.sender.wake()

    def _hold(self, store: str, error: Exception) -> None:
        if self._waits.say("evaluation", store):
            log.warning("no round while %s does not answer: %s", store, type(error).__name__)

    def _say_blind(self, report: RoundReport) -> None:
        """Says which rules cannot be judged: Elasticsearch refuses their question, or not all shards answer."""
        now = time.monotonic()
        self._blind_since = {rule: self._blind_since.get(rule, now) for rule in report.blind}
        long = {rule: why for rule, why in report.blind.items() if now - self._blind_since[rule] >= BLIND_S}
        said = "; ".join(f"rule {rule}: {why}" for rule, why in long.items())
        if self._waits.say("evaluation", said or None) and said:
            log.error("rules that cannot be judged: %s", said)

    def _afterwards(self, now: datetime) -> None:
        """What may fail without holding up the next round."""
        self._copy()
        if time.monotonic() >= self._next_prune:
            self._prune(now)

    def _copy(self) -> None:
        try:
            copy_to_view(self._database, self._view, self._prefix)
        except PyMongoError as error:
            self._put_off("view", "mongodb", "the copy of alerts", error)
        except (ApiError, TransportError) as error:
            self._put_off("view", "elasticsearch to take the copy of alerts", "the copy of alerts", error)
        except ViewError as error:
            if self._waits.say("view", str(error)):
                log.error("the copy of alerts is not whole: %s", error)
        else:
            self._waits.say("view", None)

    def _prune(self, now: datetime) -> None:
        try:
            self._outbox.prune(now)
            prune_silences(self._database, now)
        except PyMongoError as error:
            self._put_off("prune", "mongodb", "the end of old messages and silences", error)
        else:
            self._next_prune = time.monotonic() + PRUNE_S
            self._waits.say("prune", None)

    def _put_off(self, who: str, store: str, what: str, error: Exception) -> None:
        if self._waits.say(who, store):
            log.warning("put off to the next round: %s (%s)", what, type(error).__name__)


class Beating:
    """Puts the dead man's message off while rounds are made, in a thread of its own: Slack may be slow."""

    def __init__(self, dead_man: DeadMan, is_live: Callable[[], bool], waits: Callable[[str | None], object]) -> None:
        self._dead_man = dead_man
        self._is_live = is_live
        self._waits = waits
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dead-man", daemon=True)

    def __enter__(self) -> "Beating":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(BEAT_S):
            if not self._is_live():
                continue
            try:
                self._dead_man.beat(datetime.now(UTC))
            except Exception as error:  # noqa: BLE001 - a thread that ends puts nothing off; its text may hold a token
                log.warning("the dead man's message was not put off: %s", type(error).__name__)
                self._waits(f"the dead man's message ({type(error).__name__})")


class Waits:
    """What evaluation, the copy, the sender and the others wait for, told together as the part's state."""

    def __init__(self, part: parts.Part) -> None:
        self._part = part
        self._lock = threading.Lock()
        self._what: dict[str, str] = {}

    def say(self, who: str, what: str | None) -> bool:
        """Says what one of them waits for (None: nothing); gives whether that is news."""
        with self._lock:
            news = self._what.get(who) != what
            if what is None:
                self._what.pop(who, None)
            else:
                self._what[who] = what
            if self._what:
                self._part.waiting("; ".join(dict.fromkeys(self._what.values())))
            else:
                self._part.running()
        return news
