"""What the rules ask of Elasticsearch: aggregations over all series at once, all of a round in one request.

A rule's judge is a generator: it yields the aggregations it needs, is given the buckets of each, may yield again, and
returns what it found. Judges are driven together, so that a round takes as many requests as the longest of them has
steps, whatever the number of rules; what several of them ask of the same documents is asked once.
"""

import hashlib
import json
from collections.abc import Generator, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from elasticsearch import BadRequestError, Elasticsearch

PAGE = 20_000
"""Buckets in one answer; with more, the next page is asked for."""
FILTER_PATH = (
    "responses.error.type,responses.error.reason,responses.error.root_cause.reason,responses.status,"
    "responses.timed_out,responses._shards.failed,responses.aggregations"
)

Query = Mapping[str, Any]
Bucket = Mapping[str, Any]
"""A bucket of a composite aggregation: ``key``, ``doc_count``, and what was asked for by name."""

BY_SERIES: Mapping[str, Query] = {"series": {"terms": {"field": "series"}}}


@dataclass(frozen=True)
class Ask:
    """One composite aggregation."""

    index: str
    filters: Sequence[Query]
    by: Mapping[str, Query] = field(default_factory=lambda: BY_SERIES)
    aggs: Mapping[str, Query] = field(default_factory=dict)

    @property
    def documents(self) -> str:
        """The same for asks that can be answered together."""
        return json.dumps([self.index, sorted(map(_text, self.filters)), self.by], sort_keys=True)


Found = TypeVar("Found")
Asking = Generator[list[Ask], list[list[Bucket]], Found]
"""A judge at work."""
Who = TypeVar("Who", bound=Hashable)


@dataclass
class Answers(Generic[Who, Found]):
    """What judges returned; of those in `blind` the question was refused, and why."""

    found: dict[Who, Found]
    blind: dict[Who, str]
    requests: int
    """How many it took."""


class Refused(Exception):
    """A question without an answer: Elasticsearch refused it, not all shards answered, or it makes no sense."""


def answer(view: Elasticsearch, judges: Mapping[Who, Asking[Found]]) -> Answers[Who, Found]:
    """Drives judges to their ends. Raises what the client raises where nothing at all is answered."""
    told: Answers[Who, Found] = Answers({}, {}, 0)
    waiting: dict[Who, list[Ask]] = {}
    for who, judge in judges.items():
        _go_on(told, waiting, who, judge, None)
    while waiting:
        answers, requests = _ask_all(view, [ask for asks in waiting.values() for ask in asks])
        told.requests += requests
        asked, waiting = waiting, {}
        alike: dict[str, list[Bucket]] = {}
        for who, asks in asked.items():
            refused = next((one for ask in asks if isinstance(one := answers[ask.documents], Refused)), None)
            if refused:
                told.blind[who] = str(refused)
                judges[who].close()
                continue
            _go_on(told, waiting, who, judges[who], [_of_ask(ask, answers[ask.documents], alike) for ask in asks])
    return told


def _go_on(
    told: Answers[Who, Found],
    waiting: dict[Who, list[Ask]],
    who: Who,
    judge: Asking[Found],
    buckets: list[list[Bucket]] | None,
) -> None:
    try:
        waiting[who] = next(judge) if buckets is None else judge.send(buckets)
    except StopIteration as end:
        told.found[who] = end.value
    except Refused as why:
        told.blind[who] = str(why)


@dataclass
class _Search:
    """Asks of the same documents, as one search; `buckets` are those of the pages that came."""

    first: Ask
    aggs: dict[str, Query] = field(default_factory=dict)
    after: Any = None
    buckets: list[Bucket] = field(default_factory=list)
    refused: Refused | None = None
    ended: bool = False

    def lines(self) -> tuple[dict[str, Any], dict[str, Any]]:
        composite = {"size": PAGE, "sources": [{name: source} for name, source in self.first.by.items()]}
        if self.after is not None:
            composite["after"] = self.after
        body = {
            "size": 0,
            "track_total_hits": False,
            "query": {"bool": {"filter": list(self.first.filters)}},
            "aggs": {"by": {"composite": composite, "aggs": self.aggs}},
        }
        return {"index": self.first.index, "ignore_unavailable": True}, body

    def take(self, response: Mapping[str, Any]) -> None:
        if "error" in response:
            error = response["error"]
            why = next((cause["reason"] for cause in error.get("root_cause", []) if cause.get("reason")), None)
            self.refused = Refused(f"{error.get('type')}: {why or error.get('reason')}")
        elif response.get("timed_out") or response.get("_shards", {}).get("failed"):
            self.refused = Refused("not all shards answered")  # half an answer would make series that are well silent
        else:
            page = response.get("aggregations", {}).get("by", {"buckets": []})  # none without an index
            self.buckets += page["buckets"]
            self.after = page.get("after_key")
            self.ended = len(page["buckets"]) < PAGE
        self.ended = self.ended or self.refused is not None


def _ask_all(view: Elasticsearch, asks: Iterable[Ask]) -> tuple[dict[str, list[Bucket] | Refused], int]:
    """The buckets by the documents asked of, and how many requests it took."""
    searches: dict[str, _Search] = {}
    for ask in asks:
        search = searches.setdefault(ask.documents, _Search(ask))
        search.aggs |= {_name(name, body): body for name, body in ask.aggs.items()}
    requests = 0
    while open_ones := [search for search in searches.values() if not search.ended]:
        requests += _send(view, open_ones)
    return {documents: search.refused or search.buckets for documents, search in searches.items()}, requests


def _send(view: Elasticsearch, searches: Sequence[_Search]) -> int:
    """Sends searches in one request; where one of them cannot be read at all, all are refused: then half by half."""
    lines = [line for search in searches for line in search.lines()]
    try:
        answer = view.msearch(searches=lines, filter_path=FILTER_PATH.split(","))
    except BadRequestError as error:
        if len(searches) == 1:
            searches[0].take({"error": error.body["error"] if isinstance(error.body, dict) else {"type": str(error)}})
            return 1
        middle = len(searches) // 2
        return 1 + _send(view, searches[:middle]) + _send(view, searches[middle:])
    for search, response in zip(searches, answer["responses"], strict=True):
        search.take(response)
    return 1


def _of_ask(ask: Ask, buckets: list[Bucket] | Refused, alike: dict[str, list[Bucket]]) -> list[Bucket]:
    """The buckets with the names that the ask gave its aggregations; `alike` has those of asks that are the same."""
    if isinstance(buckets, Refused):
        raise buckets
    whole = f"{ask.documents}|{_text(ask.aggs)}"
    if whole not in alike:
        names = {name: name for name in ("key", "doc_count")} | {
            name: _name(name, body) for name, body in ask.aggs.items()
        }
        alike[whole] = [{name: bucket[asked] for name, asked in names.items()} for bucket in buckets]
    return alike[whole]


def _name(name: str, body: Query) -> str:
    """Different for aggregations that differ, the same for those that are the same; short, as each bucket has it."""
    return hashlib.blake2b(f"{name}|{_text(body)}".encode(), digest_size=8).hexdigest()


def _text(body: Query) -> str:
    return json.dumps(body, sort_keys=True)


def term(field_name: str, value: object) -> Query:
    """Documents whose field has a value."""
    return {"term": {field_name: value}}


def terms(field_name: str, values: Iterable[str]) -> Query:
    """Documents whose field has one of these values."""
    return {"terms": {field_name: sorted(values)}}


def within(field_name: str, since: datetime | None, until: datetime) -> Query:
    """Documents whose instant lies after `since` and not after `until`."""
    bounds = {"lte": until.isoformat()} | ({"gt": since.isoformat()} if since else {})
    return {"range": {field_name: bounds}}


def instant(milliseconds: float) -> datetime:
    """The instant that an aggregation gave."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def chunks(names: Iterable[str], size: int = 10_000) -> list[list[str]]:
    """The names in lists short enough for a terms query."""
    ordered = sorted(names)
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]
