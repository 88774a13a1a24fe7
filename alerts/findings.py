"""What the rules find, asked of Elasticsearch over all series of a stream at once, never one by one."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch

from alerts.rules import LateRule, Rule
from alerts.states import Finding
from readings.declared import Declared
from readings.stream import Stream

PAGE = 10_000
"""Series in one answer; with more, the next page is asked for."""

Findings = dict[str, Finding]
"""By series, of one rule on one stream."""

LongAgo = dict[str, dict[str, datetime | None]]
"""By stream and series, the newest event time of series without recent readings: kept between rounds, because
looking for it goes through all that is stored."""


class Round:
    """One evaluation: what it asks is asked once, however many rules want it.

    Every method raises what the Elasticsearch client raises, also where only some shards answer:
    half an answer would make series that are well look silent.
    """

    def __init__(self, view: Elasticsearch, now: datetime, long_ago: LongAgo) -> None:
        self._view = view
        self._now = now
        self._long_ago = long_ago
        self._late: dict[tuple[str, timedelta], Findings] = {}
        self._newest: dict[str, dict[str, datetime | None]] = {}

    def find(self, rule: Rule, stream: Stream, expected: Declared) -> Findings:
        """The series of a stream that a rule has something to say of."""
        if isinstance(rule, LateRule):
            found = self._late_since(stream, rule.window)
            return {series: finding for series, finding in found.items() if finding.count >= rule.at_least}
        return self._silent(stream, expected)

    def _silent(self, stream: Stream, expected: Declared) -> Findings:
        """The silent series, without those whose readings still come, but late."""
        patience = expected.cadence + stream.config.allowed_delay
        newest = self._newest_event_times_of(stream, expected, patience)
        silent = expected.silent(
            {name: at for name, at in newest.items() if at}, stream.config.allowed_delay, self._now
        )
        late = self._late_since(stream, patience) if silent else {}
        return {series: Finding(began) for series, began in silent.items() if series not in late}

    def _newest_event_times_of(
        self, stream: Stream, expected: Declared, patience: timedelta
    ) -> dict[str, datetime | None]:
        """The newest event time of each declared series: of most from the last readings, of others from all."""
        if stream.name not in self._newest:
            since = self._now - patience - stream.model.interval
            recent = self._newest_event_times(stream, {"range": {stream.model.time_field: {"gte": _json(since)}}})
            missing = {series for series in expected.series if series not in recent}
            known = self._long_ago.setdefault(stream.name, {})
            for series in known.keys() - missing:
                del known[series]
            asked = sorted(missing - known.keys())
            for page in (asked[start : start + PAGE] for start in range(0, len(asked), PAGE)):
                known.update(dict.fromkeys(page))
                known.update(self._newest_event_times(stream, {"terms": {"series": page}}))
            self._newest[stream.name] = {**recent, **known}
        return self._newest[stream.name]

    def _newest_event_times(self, stream: Stream, among: dict[str, Any]) -> dict[str, datetime]:
        newest = {"newest": {"max": {"field": stream.model.time_field}}}
        return {
            bucket["key"]["series"]: _instant(bucket["newest"]["value"]) + stream.model.interval
            for bucket in self._by_series(stream, [among], newest)
        }

    def _late_since(self, stream: Stream, window: timedelta) -> Findings:
        """The series with live readings that arrived late within the window."""
        if (stream.name, window) not in self._late:
            filters: list[dict[str, Any]] = [
                {"term": {"late": True}},
                {"term": {"mode": "live"}},
                {"range": {"arrived_at": {"gt": _json(self._now - window)}}},
            ]
            wanted = {"worst": {"max": {"field": "delay_s"}}, "first": {"min": {"field": "arrived_at"}}}
            self._late[stream.name, window] = {
                bucket["key"]["series"]: Finding(
                    _instant(bucket["first"]["value"]), bucket["doc_count"], bucket["worst"]["value"]
                )
                for bucket in self._by_series(stream, filters, wanted)
            }
        return self._late[stream.name, window]

    def _by_series(
        self, stream: Stream, filters: list[dict[str, Any]], aggregations: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        composite: dict[str, Any] = {"size": PAGE, "sources": [{"series": {"terms": {"field": "series"}}}]}
        while True:
            answer = self._view.search(
                index=f"{stream.index_prefix}*",
                size=0,
                query={"bool": {"filter": filters}},
                aggs={"series": {"composite": composite, "aggs": aggregations}},
                allow_partial_search_results=False,
                track_total_hits=False,
            )
            found = answer.get("aggregations", {}).get("series", {"buckets": []})  # none without an index
            yield from found["buckets"]
            if len(found["buckets"]) < PAGE:
                return
            composite["after"] = found["after_key"]


def _instant(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _json(instant: datetime) -> str:
    return instant.isoformat()
