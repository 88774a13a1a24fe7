"""What an engine takes up after it was killed between any two writes. MongoDB is kept here in dicts."""

import copy
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import ge, gt, itemgetter, le, lt
from types import SimpleNamespace
from typing import Any, cast

import pytest
from elasticsearch import Elasticsearch
from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from alerts.alert_store import AT_ONCE, DUPLICATE
from alerts.book import KeptBook
from alerts.engine import Engine
from alerts.links import Link
from alerts.notices import Changes
from alerts.pipeline import Pipeline, Sample
from alerts.rules import Rules
from alerts.states import Alert, Finding, Key

START = datetime(2026, 11, 24, 3, tzinfo=UTC)
PARTS = ("producer", "consumer")
RULES = {"rules": [{"name": "stalled", "kind": "stalled"}]}


class Killed(Exception):
    """The engine ends here."""


class Server:
    """MongoDB as far as a book asks it; it ends the engine when `writes_left` are made."""

    def __init__(self) -> None:
        self.collections: dict[str, Collection] = {}
        self.writes_left: int | None = None

    def __getitem__(self, name: str) -> "Collection":
        return self.collections.setdefault(name, Collection(self))

    def count(self) -> None:
        if self.writes_left == 0:
            self.writes_left = None
            raise Killed
        if self.writes_left is not None:
            self.writes_left -= 1


class Collection:
    """One collection. Each document is a write of its own, so that the engine may end between two of one call."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.documents: dict[str, dict[str, Any]] = {}
        self.most_at_once = 0

    def find(self, query: Mapping[str, Any], _fields: object = None) -> "Found":
        return Found(copy.deepcopy(one) for one in list(self.documents.values()) if _fits(one, query))

    def find_one(
        self, query: Mapping[str, Any], _fields: object = None, sort: Iterable[tuple[str, int]] = ()
    ) -> dict[str, Any] | None:
        found: list[dict[str, Any]] = self.find(query)
        for name, direction in sort:
            found = sorted(found, key=itemgetter(name), reverse=direction < 0)
        return next(iter(found), None)

    def insert_one(self, document: Mapping[str, Any]) -> None:
        if document["_id"] in self.documents:
            raise DuplicateKeyError("there")
        self._put(document)

    def insert_many(self, documents: Iterable[Mapping[str, Any]], ordered: bool) -> None:
        refused = []
        documents = list(documents)
        self.most_at_once = max(self.most_at_once, len(documents))
        for index, document in enumerate(documents):
            try:
                self.insert_one(document)
            except DuplicateKeyError:
                refused.append({"index": index, "code": DUPLICATE})
        if refused:
            raise BulkWriteError({"writeErrors": refused})

    def update_one(self, query: Mapping[str, Any], change: Mapping[str, Any]) -> Any:
        found = self.find(query)
        for one in found:
            self._put(one | change["$set"])
        return SimpleNamespace(matched_count=len(found))

    def bulk_write(self, writes: Iterable[Any], ordered: bool) -> None:
        for write in writes:
            assert isinstance(write, ReplaceOne)
            self._put(cast(dict[str, Any], write._doc))

    def delete_many(self, query: Mapping[str, Any]) -> None:
        gone = self.find(query)
        self.most_at_once = max(self.most_at_once, len(gone))
        for one in gone:
            self.server.count()
            del self.documents[one["_id"]]

    def _put(self, document: Mapping[str, Any]) -> None:
        self.server.count()
        self.documents[document["_id"]] = copy.deepcopy(dict(document))


class Found(list[dict[str, Any]]):
    """What was found."""

    def sort(self, *_: object) -> "Found":  # type: ignore[override]
        return self


def _fits(document: Mapping[str, Any], query: Mapping[str, Any]) -> bool:
    return all(_is(document.get(name), wanted) for name, wanted in query.items())


def _is(value: Any, wanted: Any) -> bool:
    if not isinstance(wanted, dict):
        return bool(value == wanted)
    [(operator, of)] = wanted.items()
    match operator:
        case "$in" | "$nin":
            return (value in of) == (operator == "$in")
        case "$ne":
            return bool(value != of)
        case "$not":
            return not _is(value, of)
        case _:
            compare = {"$gt": gt, "$gte": ge, "$lt": lt, "$lte": le}[operator]
            return value is not None and bool(compare(value, of))


class Life:
    """An engine on a server, and the parts that fail."""

    def __init__(self, **settings: object) -> None:
        self.rules = Rules.model_validate({**RULES, **settings})
        self.server = Server()
        self.now = START
        self.failing: set[str] = set()
        self.start()

    def start(self) -> None:
        book = KeptBook(cast(Any, self.server))
        view = cast(Elasticsearch, None)  # `stalled` asks nothing of it
        link = cast(Any, lambda *_: Link("", ""))
        self.engine = Engine(book, view, "", {}, self.rules, link, can_edit=True, pipeline=self.pipeline)
        self.engine.load(self.now)

    def pipeline(self) -> Pipeline:
        told = {
            part: {
                "at": self.now,
                "state": "failed" if part in self.failing else "running",
                "since": self.now,
                "waiting_for": "",
            }
            for part in PARTS
        }
        return Pipeline([Sample(self.now, told, {}, {})])

    def round(self, *failing: str, after: timedelta = timedelta(seconds=1)) -> None:
        """A round in which these parts fail; the engine that ends in it is started again by the next `start`."""
        self.now += after
        self.failing = set(failing)
        self.engine.round(self.now)

    def killed_in_a_round(self, writes: int, *failing: str) -> None:
        """A round as above, with an end after so many writes where it has more."""
        self.server.writes_left = writes
        with suppress(Killed):
            self.round(*failing)
            self.server.writes_left = None

    def messages(self) -> list[dict[str, Any]]:
        return list(self.server["alert_messages"].documents.values())

    def events(self) -> Counter[str]:
        return Counter(one["event"] for one in self.messages())

    def open(self) -> list[str]:
        return [one["_id"] for one in self.messages() if one.get("open")]


@pytest.mark.parametrize("parts", [PARTS[:1], PARTS], ids=["one alert", "two alerts"])
@pytest.mark.parametrize("returns", [False, True], ids=["well", "trouble returns"])
@pytest.mark.parametrize("writes", range(12))
def test_killed_between_any_two_writes_of_an_end_each_incident_has_its_end(
    parts: tuple[str, ...], returns: bool, writes: int
) -> None:
    life = Life()
    life.round(*parts)
    life.killed_in_a_round(writes)
    life.now += timedelta(hours=2)
    told_before = life.events()["resolved"]
    life.start()
    if returns:
        life.round(*parts)
        incidents_now = 1 + told_before
        assert life.events()["firing"] == incidents_now
        assert len(life.open()) == 1
    life.round()
    life.round()

    assert life.open() == []
    assert life.server["alerts"].documents == {}
    assert life.events()["firing"] == life.events()["resolved"] == 1 + (told_before if returns else 0)


@pytest.mark.parametrize("writes", range(12))
def test_killed_between_any_two_writes_of_a_beginning_it_is_told_once(writes: int) -> None:
    life = Life()
    life.killed_in_a_round(writes, *PARTS)
    life.start()
    life.round(*PARTS)
    life.round(*PARTS)
    life.round()

    assert life.events() == {"firing": 1, "resolved": 1}
    assert life.open() == []


@pytest.mark.parametrize("hold", ["0s", "2s"])
@pytest.mark.parametrize("quiet", [False, True], ids=["told", "muted"])
@pytest.mark.parametrize("writes", range(12))
def test_killed_between_any_two_writes_of_a_beginning_the_history_has_each_incident_with_its_end(
    writes: int, quiet: bool, hold: str
) -> None:
    always = {"from": "00:00", "until": "00:00", "time_zone": "UTC"}
    life = Life(
        rules=[{"name": "stalled", "kind": "stalled", "for": hold}],
        quiet_hours=[always] if quiet else [],
    )
    if hold != "0s":
        life.round(*PARTS)
        life.round(*PARTS)
    life.killed_in_a_round(writes, *PARTS)
    life.start()
    for _ in range(3):
        life.round(*PARTS)
    history = life.server["alert_changes"].documents
    assert sorted((one["series"], one["state"]) for one in history.values()) == [
        ("consumer", "firing"),
        ("producer", "firing"),
    ]

    life.round()
    assert [one["state"] for one in history.values()] == ["resolved", "resolved"]


@pytest.mark.parametrize("writes", range(8))
def test_killed_between_any_two_writes_of_what_joins_a_message_it_is_counted_once(writes: int) -> None:
    life = Life()
    life.round(*PARTS[:1])
    life.killed_in_a_round(writes, *PARTS)
    life.start()
    life.round(*PARTS)

    assert [(one["total"], one["message"]["title"]) for one in life.messages()] == [
        (2, "🟠 pipeline: producer and 1 more stalled")
    ]


def test_the_limits_of_an_hour_hold_over_a_restart() -> None:
    rules = [{"name": part, "kind": "stalled", "series": [part]} for part in PARTS]
    life = Life(rules=rules, messages_per_hour=2, repeat_interval="10min", repeat_at_most="10min")
    life.round(*PARTS)
    for _ in range(5):
        life.start()
        life.round(*PARTS, after=timedelta(minutes=11))

    assert life.events() == {"firing": 2, "repeat": 2}


def test_thousands_of_alerts_are_written_in_requests_that_each_end_in_time() -> None:
    server = Server()
    book = KeptBook(cast(Any, server))
    keys = [Key("late", "meter", f"PT{number:04d}") for number in range(10 * AT_ONCE + 1)]
    alerts = [Alert(key, "late", "warning", "firing", START, START, Finding(count=1)) for key in keys]
    for count in (1, 2):
        found = [replace(alert, finding=Finding(count=count)) for alert in alerts]
        book.write(found, (), Changes(), START)
        assert book.load(START).alerts == {alert.key: alert for alert in found}
    book.write([replace(alert, state="resolved", resolved_at=START) for alert in alerts], keys, Changes(), START)

    assert book.load(START).alerts == {}
    assert len(server["alert_changes"].documents) == len(keys)
    assert max(collection.most_at_once for collection in server.collections.values()) == AT_ONCE


def test_what_a_message_was_called_is_kept_when_it_is_over() -> None:
    life = Life()
    life.round(*PARTS[:1])
    life.round()

    firing = life.messages()[0]
    assert firing["title"] == "🟠 pipeline: producer stalled"
    assert firing["message"]["title"] == "🟢 pipeline: producer stalled no more"


def test_what_is_over_before_it_was_sent_still_says_first_that_it_began_however_often_it_is_ended() -> None:
    life = Life()
    life.round(*PARTS[:1])
    life.start()
    another = life.engine
    life.start()
    life.round()
    assert life.messages()[0]["first"]["title"] == "🟠 pipeline: producer stalled"

    another.round(life.now)
    firing = life.messages()[0]
    assert firing["first"]["title"] == "🟠 pipeline: producer stalled"
    assert firing["message"]["title"] == "🟢 pipeline: producer stalled no more"


def test_messages_are_due_in_their_order_and_an_end_in_quiet_hours_when_these_are_over() -> None:
    life = Life(quiet_hours=[{"from": "03:10", "until": "06:00", "time_zone": "UTC"}])
    outbox = KeptBook(cast(Any, life.server)).outbox
    life.round("consumer")
    life.round(*PARTS, after=timedelta(minutes=6))
    life.round("producer", after=timedelta(minutes=6))
    told = []
    while due := outbox.next(life.now):
        outbox.change(due["_id"], state="sent")
        told.append(due["title"])
    assert told == ["🟠 pipeline: consumer stalled", "🟠 pipeline: producer stalled"]

    assert outbox.next(START.replace(hour=5, minute=59)) is None
    due = outbox.next(START.replace(hour=6))
    assert due is not None
    assert due["title"] == "🟢 pipeline: consumer stalled no more"


def test_what_waits_when_the_clock_is_put_back_is_sent_at_once_and_before_its_answer() -> None:
    life = Life()
    outbox = KeptBook(cast(Any, life.server)).outbox
    life.round(*PARTS[:1])
    life.now -= timedelta(hours=1)
    due = outbox.next(life.now)
    assert due is not None
    assert due["event"] == "firing"

    life.round()
    told = []
    while due := outbox.next(life.now):
        outbox.change(due["_id"], state="sent")
        told.append(due["event"])
    assert told == ["firing", "resolved"]


def test_a_change_that_was_made_while_the_former_was_under_way_is_still_to_be_shown() -> None:
    life = Life(group_for="5min")
    outbox = KeptBook(cast(Any, life.server)).outbox
    life.round(*PARTS[:1])
    [firing] = life.messages()
    outbox.change(firing["_id"], state="sent")
    life.round(*PARTS)
    under_way = outbox.next_edit()
    assert under_way is not None
    life.round(PARTS[1])
    outbox.shown(firing["_id"], under_way["revision"])
    newest = outbox.next_edit()
    assert newest is not None
    assert newest["revision"] == under_way["revision"] + 1

    outbox.shown(firing["_id"], newest["revision"])
    assert outbox.next_edit() is None


def test_of_two_engines_that_read_a_message_one_has_it_and_later_the_other_takes_it_over() -> None:
    life = Life()
    life.round(*PARTS)
    outbox = KeptBook(cast(Any, life.server)).outbox
    [queued] = life.messages()

    assert outbox.claim(queued, "one", START)
    assert not outbox.claim(queued, "another", START)
    [sending] = life.messages()
    assert (sending["state"], sending["by"], sending["tried_at"]) == ("sending", "one", START)
    assert outbox.claim(sending, "another", START + timedelta(minutes=1))
    assert not outbox.claim(sending, "one", START + timedelta(minutes=1))
    assert life.messages()[0]["tried_at"] == START


def test_the_message_of_an_incident_that_lasted_long_is_kept_until_its_end_was_told_and_a_month_longer() -> None:
    life = Life()
    outbox = KeptBook(cast(Any, life.server)).outbox
    life.round(*PARTS)
    [firing] = life.messages()
    outbox.change(firing["_id"], state="sent")
    life.round(after=timedelta(days=100))
    kept = {firing["_id"], f"resolved-{firing['_id']}"}

    outbox.prune(life.now + timedelta(days=31))  # its edit and its answer wait
    assert {one["_id"] for one in life.messages()} == kept
    outbox.shown(firing["_id"], life.messages()[0]["revision"])
    outbox.prune(life.now + timedelta(days=31))  # its answer waits
    assert {one["_id"] for one in life.messages()} == kept
    outbox.change(f"resolved-{firing['_id']}", state="sent")
    outbox.prune(life.now + timedelta(days=29))
    assert {one["_id"] for one in life.messages()} == kept
    outbox.prune(life.now + timedelta(days=31))
    assert life.messages() == []
