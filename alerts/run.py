"""``python -m alerts run``: rounds until stopped, whatever is down meanwhile."""

import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from elasticsearch import ApiError, Elasticsearch, TransportError
from pymongo.database import Database
from pymongo.errors import PyMongoError

from alerts.engine import Engine, whole_milliseconds
from alerts.errors import ViewError
from alerts.history import copy_to_view
from alerts.lease import Lease
from alerts.routes import Route, choose_route
from alerts.rules import load_rules
from alerts.sender import Sender
from readings import parts
from readings.connections import Document, connect_elasticsearch, connect_mongodb
from readings.settings import Settings
from readings.stream import load_streams

PART = "alerts"
STORE_TIMEOUT_S = 5.0
PRUNE_S = 3600.0

log = logging.getLogger(__name__)


def run(settings: Settings, rules_file: Path, every: timedelta, stop: threading.Event) -> int:
    """Evaluates every so often until `stop` is set. Raises ConfigError before anything is started."""
    streams = load_streams(settings)
    rules = load_rules(rules_file, streams)
    route = choose_route(settings)
    database = connect_mongodb(settings, STORE_TIMEOUT_S, timeoutMS=int(STORE_TIMEOUT_S * 1000))
    view = connect_elasticsearch(settings, STORE_TIMEOUT_S, max_retries=0)
    log.info("%d rules from %s; messages go to %s", len(rules), rules_file, route.described)
    with parts.Part(database, PART) as part:
        evaluation = Evaluation(Engine(database, view, streams, rules), database, view, settings.prefix, route, part)
        with evaluation.sender:
            while not stop.is_set():
                began = time.monotonic()
                evaluation.once(whole_milliseconds(datetime.now(UTC)))
                stop.wait(max(0.0, began + every.total_seconds() - time.monotonic()))
        evaluation.end()
    return 0


class Evaluation:
    """The engine with what goes on around a round: the lease, the sender, the copy in Elasticsearch, old messages."""

    def __init__(
        self,
        engine: Engine,
        database: "Database[Document]",
        view: Elasticsearch,
        prefix: str,
        route: Route,
        part: parts.Part,
    ) -> None:
        self._engine = engine
        self._database = database
        self._view = view
        self._prefix = prefix
        self._route = route
        self._part = part
        self._lease = Lease(database)
        self._waits = Waits(part)
        self._ready = threading.Event()
        self._next_prune = 0.0
        self.sender = Sender(
            engine.outbox,
            route,
            self._ready.is_set,
            lambda what: self._waits.say("sending", what),
            lambda: part.count(sent=1),
        )

    def once(self, now: datetime) -> None:
        """One round, or none where a store does not answer: then every alert stays as it is."""
        try:
            if not self._lease.take(now):
                self._ready.clear()
                self._waits.say("evaluation", "another alert engine that runs already")
                return
            if not self._ready.is_set():
                self._take_up()
            written = self._engine.round(now)
        except PyMongoError as error:
            self._ready.clear()  # what is stored may differ from what the engine holds: it loads again
            self._hold("mongodb", error)
        except (ApiError, TransportError) as error:
            self._hold("elasticsearch", error)
        else:
            self._waits.say("evaluation", None)
            self._part.count(rounds=1, messages=written)
            if written:
                self.sender.wake()
            self._afterwards(now)

    def end(self) -> None:
        """Lets another engine begin at once."""
        try:
            self._lease.give_back()
        except PyMongoError as error:
            log.warning("the lease stays until it runs out: %s", type(error).__name__)

    def _take_up(self) -> None:
        self._engine.load()
        self._engine.outbox.prepare()
        told = {"messages_to": self._route.described}
        self._database[parts.COLLECTION].update_one({"_id": PART}, {"$set": told}, upsert=True)
        self._ready.set()
        self.sender.wake()

    def _hold(self, store: str, error: Exception) -> None:
        if self._waits.say("evaluation", store):
            log.warning("no round while %s does not answer: %s", store, type(error).__name__)

    def _afterwards(self, now: datetime) -> None:
        """What may fail without holding up the next round."""
        try:
            copy_to_view(self._engine.outbox, self._view, self._prefix)
            if time.monotonic() >= self._next_prune:
                self._engine.outbox.prune(now)
                self._next_prune = time.monotonic() + PRUNE_S
        except PyMongoError as error:
            self._hold("mongodb", error)
        except (ApiError, TransportError) as error:
            self._hold("elasticsearch", error)
        except ViewError as error:
            if self._waits.say("view", "alert templates in elasticsearch (python -m elk.setup)"):
                log.error("Elasticsearch does not take alerts: %s", error)
        else:
            self._waits.say("view", None)


class Waits:
    """What evaluation, the copy and the sender wait for, told together as the part's state."""

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
