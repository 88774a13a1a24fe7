"""A stand-in for what is stored: readings that answer a round's questions, and a book that remembers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import gt, le, lt
from typing import Any, cast

from elasticsearch import Elasticsearch

from alerts.book import Kept
from alerts.engine import Engine
from alerts.links import linker
from alerts.notices import Changes, Post
from alerts.pipeline import Pipeline
from alerts.rules import Rules
from alerts.silences import Silence
from alerts.states import Alert, Key
from readings.declared import Declared
from readings.settings import Settings
from readings.stream import Stream, load_streams

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
SETTINGS = Settings(_env_file=None)
STREAMS = {name: stream for name, stream in load_streams(SETTINGS).items() if name in ("weather", "production")}


class View:
    """Elasticsearch with readings of a stream, as far as rules ask for them."""

    def __init__(self, stream: str = "weather") -> None:
        self.model = STREAMS[stream].model
        self.documents: list[dict[str, Any]] = []
        self.away: Exception | None = None
        self.dead_letters = 0

    def put(
        self, series: str, at: datetime, arrived_at: datetime | None = None, *, late: bool = False, **fields: float
    ) -> None:
        arrived_at = arrived_at or at + self.model.interval
        self.documents.append(
            {
                "series": series,
                self.model.time_field: at,
                "arrived_at": arrived_at,
                "late": late,
                "mode": "live",
                "delay_s": (arrived_at - at - self.model.interval).total_seconds(),
            }
            | fields
        )

    def msearch(self, searches: Sequence[Mapping[str, Any]], filter_path: object) -> dict[str, Any]:
        if self.away:
            raise self.away
        asked = zip(searches[::2], searches[1::2], strict=True)
        return {
            "responses": [
                self._answer(body) if "readings" in where["index"] else self._letters(body) for where, body in asked
            ]
        }

    def _letters(self, body: Mapping[str, Any]) -> dict[str, Any]:
        key = {"stream": "weather", "source": "test"}
        reasons = {name: {"buckets": [{"key": "is no JSON"}]} for name in body["aggs"]["by"]["aggs"]}
        buckets = [{"key": key, "doc_count": self.dead_letters, **reasons}] if self.dead_letters else []
        return {"aggregations": {"by": {"buckets": buckets}}}

    def _answer(self, body: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, list[dict[str, Any]]] = {}
        for document in self.documents:
            if all(_fits(document, query) for query in body["query"]["bool"]["filter"]):
                found.setdefault(document["series"], []).append(document)
        aggs = body["aggs"]["by"]["aggs"]
        buckets = [
            {"key": {"series": series}, "doc_count": len(of)} | {name: _value(of, agg) for name, agg in aggs.items()}
            for series, of in sorted(found.items())
        ]
        return {"aggregations": {"by": {"buckets": buckets}}}


def _fits(document: Mapping[str, Any], query: Mapping[str, Any]) -> bool:
    [(kind, body)] = query.items()
    if kind == "bool":
        return any(_fits(document, one) for one in body["should"])
    if kind == "exists":
        return body["field"] in document
    [(name, wanted)] = body.items()
    value = document[name]
    if kind == "range":
        return all(_within(value, word, bound) for word, bound in wanted.items())
    return bool(value in wanted) if kind == "terms" else bool(value == wanted)


def _within(value: Any, word: str, bound: Any) -> bool:
    bound = datetime.fromisoformat(bound) if isinstance(value, datetime) else bound
    return bool({"gt": gt, "lt": lt, "lte": le}[word](value, bound))


def _value(documents: Sequence[Mapping[str, Any]], agg: Mapping[str, Any]) -> dict[str, Any]:
    [(kind, body)] = agg.items()
    value = (max if kind == "max" else min)(document[body["field"]] for document in documents)
    return {"value": value.timestamp() * 1000 if isinstance(value, datetime) else value}


@dataclass
class Book:
    """What an engine keeps, in memory, and what it would post."""

    expected: Declared
    alerts: dict[Key, Alert] = field(default_factory=dict)
    changes: list[Changes] = field(default_factory=list)
    written: int = 0
    """How often an alert was written."""
    ended: list[Alert] = field(default_factory=list)

    def load(self, now: datetime) -> Kept:
        notices = {notice.id: notice for changes in self.changes for notice in changes.notices.values()}
        return Kept(dict(self.alerts), [notice for notice in notices.values() if notice.open], (), ())

    def silences(self, now: datetime) -> Sequence[Silence]:
        return ()

    def declared(self, stream: Stream) -> Declared:
        return self.expected

    def write(self, changed: Sequence[Alert], gone: Iterable[Key], changes: Changes, now: datetime) -> None:
        self.written += len(changed)
        self.alerts |= {alert.key: alert for alert in changed}
        self.ended += [alert for alert in changed if alert.state == "resolved"]
        self.changes.append(changes)
        for key in gone:
            self.alerts.pop(key, None)

    @property
    def posts(self) -> list[Post]:
        return [post for changes in self.changes for post in changes.posts]

    @property
    def said(self) -> list[str]:
        return [post.message.title.split(" ", 1)[1] for post in self.posts]


def declared(*series: str) -> Declared:
    return Declared("test", series, timedelta(minutes=15), NOW - timedelta(days=1))


def engine(
    book: Book,
    view: View,
    rules: Mapping[str, Any],
    pipeline: Callable[[], Pipeline] = Pipeline,
    *,
    can_edit: bool = True,
) -> Engine:
    return Engine(
        book,
        cast("Elasticsearch", view),
        "",
        STREAMS,
        Rules.model_validate(rules),
        linker(SETTINGS),
        can_edit=can_edit,
        pipeline=pipeline,
    )
