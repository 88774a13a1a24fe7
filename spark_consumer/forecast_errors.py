"""What came of the forecasts: when a reading arrives, every issue for its hour learns how far it was off.

``forecasts-weather-*`` gains ``actual`` (°C, interpolated between readings at most an hour before and after the whole
hour), ``error`` (forecast minus actual), ``off`` (without its sign), ``inside`` (whether the interval held actual)
and ``horizon_h``. The running error by place and horizon, over the last 30 days, goes to the collection
``forecast_errors`` and to ``totals-forecast-*``; it is worked out anew from the issues each time, so that whatever is
repeated ends where it was. With each new hour of a place its last three days are looked at again, and what came of a
longer gap at once: what came late is made up for, and where a late or revised reading says otherwise than before, so
does the issue.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from elasticsearch import Elasticsearch
from pymongo import ReplaceOne
from pymongo.collection import Collection

from readings.stored import forecast_error_id
from spark_consumer.documents import Document
from spark_consumer.sinks import elasticsearch

HOUR = timedelta(hours=1)
LOOKED_BACK = timedelta(days=3)
AT_ONCE = timedelta(days=4)
"""Of a long gap, so that no answer is cut off (`MOST_ISSUES`): 100 hours have at most 4,800 issues of 48 hours."""
REMEMBERED = "now-30d"
NEAR = timedelta(hours=1)
MOST_ISSUES = 10_000
LONGEST_HORIZON_H = 168
SAME = 0.005
"""°C: what came has two decimals, and Elasticsearch keeps it as a float."""
KNOWN: Mapping[str, Any] = {"exists": {"field": "actual"}}
UNKNOWN: Mapping[str, Any] = {"bool": {"must_not": KNOWN}}
"""Issues that know what came, and those that do not yet."""
NO_HOURS: Mapping[str, Any] = {"hours": {"buckets": []}}
NO_PLACES: Mapping[str, Any] = {"region": {"buckets": []}}
"""As long as there is no index, Elasticsearch answers without aggregations."""

Actuals = dict[datetime, float]


class ForecastErrors:
    """Compares forecasts with what came."""

    def __init__(
        self, prefix: str, readings: "Collection[Document]", errors: "Collection[Document]", view: Elasticsearch
    ) -> None:
        self._index = f"{prefix}forecasts-weather"
        self._totals = f"{prefix}totals-forecast"
        self._readings = readings
        self._errors = errors
        self._view = view
        self._settled: dict[str, datetime] = {}

    def settle(self, newest: Mapping[str, datetime]) -> int:
        """Of the places whose newest reading lies in a new hour; gives the number of issues settled.

        Raises what the stores raise; asked again, it goes on where it was.
        """
        due = {region: last for region, last in newest.items() if self._settled.get(region) != _hour(last)}
        begins = self._oldest_open([region for region in due if region not in self._settled]) | self._settled
        settled = sum(
            self._settle(region, since, until)
            for region, last in due.items()
            for since, until in _pieces(min(begins.get(region, last), _hour(last) - LOOKED_BACK) - HOUR, last)
        )
        if settled:
            self._view.indices.refresh(index=f"{self._index}-*")
            self._sum_up(list(due))
        self._settled |= {region: _hour(last) for region, last in due.items()}
        return settled

    def _oldest_open(self, regions: list[str]) -> dict[str, datetime]:
        """By place the first hour of the last 30 days of which an issue does not know what came."""
        first = {"first": {"min": {"field": "timestamp"}}}
        places = self._by_place(regions, UNKNOWN, first) if regions else []
        return {one["key"]: datetime.fromisoformat(one["first"]["value_as_string"]) for one in places}

    def _settle(self, region: str, since: datetime, until: datetime) -> int:
        between = {"$gte": since - NEAR, "$lte": until + NEAR}
        found = self._readings.find({"region": region, "timestamp": between}, {"timestamp": 1, "temperature_c": 1})
        readings = [(one["timestamp"], one["temperature_c"]) for one in found.sort("timestamp", 1)]
        actuals = {hour: actual for hour, actual in at_whole_hours(readings).items() if since < hour <= until}
        issues = [issue for issue in self._open(region, actuals) if issue["issued_at"] < issue["timestamp"]]
        settled = [{**issue, **outcome(issue, actuals[issue["timestamp"]])} for issue in issues]
        self._put(self._index, settled)
        return len(settled)

    def _open(self, region: str, actuals: Actuals) -> list[Document]:
        """The issues of a place for these hours that do not know yet what came, or know otherwise."""
        if not actuals:
            return []
        otherwise = {"terms": {"timestamp": self._known_otherwise(region, actuals)}}
        answer = self._search(region, actuals, {"bool": {"should": [UNKNOWN, otherwise]}}, size=MOST_ISSUES)
        times = ("timestamp", "issued_at")
        return [
            {
                **hit["_source"],
                "_id": hit["_id"],
                **{time: datetime.fromisoformat(hit["_source"][time]) for time in times},
            }
            for hit in answer["hits"]["hits"]
        ]

    def _known_otherwise(self, region: str, actuals: Actuals) -> list[str]:
        """The hours that settled issues know something else of."""
        hours = {
            "terms": {"field": "timestamp", "size": len(actuals)},
            "aggs": {"least": {"min": {"field": "actual"}}, "most": {"max": {"field": "actual"}}},
        }
        answer = self._search(region, actuals, KNOWN, size=0, aggs={"hours": hours})
        found = []
        for bucket in answer.body.get("aggregations", NO_HOURS)["hours"]["buckets"]:
            hour = bucket["key_as_string"]
            actual = actuals[datetime.fromisoformat(hour)]
            if max(actual - bucket["least"]["value"], bucket["most"]["value"] - actual) > SAME:
                found.append(hour)
        return found

    def _search(self, region: str, hours: Iterable[datetime], which: Mapping[str, Any], **how: Any) -> Any:
        of_hours = {"terms": {"timestamp": [hour.isoformat() for hour in hours]}}
        return self._view.search(
            index=f"{self._index}-*",
            ignore_unavailable=True,
            query={"bool": {"filter": [{"term": {"region": region}}, of_hours, which]}},
            **how,
        )

    def _by_place(self, regions: list[str], which: Mapping[str, Any], aggs: Mapping[str, Any]) -> list[Any]:
        """A bucket a place, of its issues of the last 30 days that are so."""
        answer = self._view.search(
            index=f"{self._index}-*",
            ignore_unavailable=True,
            size=0,
            query={
                "bool": {
                    "filter": [{"terms": {"region": regions}}, which, {"range": {"timestamp": {"gte": REMEMBERED}}}]
                }
            },
            aggs={"region": {"terms": {"field": "region", "size": len(regions)}, "aggs": aggs}},
        )
        found: list[Any] = answer.body.get("aggregations", NO_PLACES)["region"]["buckets"]
        return found

    def _put(self, index: str, documents: list[Document]) -> None:
        refused = elasticsearch.put(self._view, documents, lambda one: f"{index}-{one['timestamp']:%Y.%m}")
        if refused:
            raise RuntimeError(f"Elasticsearch refused forecasts; run python -m elk.setup: {refused[0].reason}")

    def _sum_up(self, regions: list[str]) -> None:
        """Writes the running error of the places, by horizon."""
        by_horizon = {
            "terms": {"field": "horizon_h", "size": LONGEST_HORIZON_H},
            "aggs": {
                "off": {"avg": {"field": "off"}},
                "bias": {"avg": {"field": "error"}},
                "inside": {"avg": {"field": "inside"}},
                "until": {"max": {"field": "timestamp"}},
            },
        }
        places = self._by_place(regions, KNOWN, {"horizon": by_horizon})
        sums = [error_of(place["key"], bucket) for place in places for bucket in place["horizon"]["buckets"]]
        if sums:
            self._put(self._totals, sums)
            self._errors.bulk_write([ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in sums], ordered=False)


def _pieces(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The span after since, until included."""
    while since < until:
        yield since, min(until, since + AT_ONCE)
        since += AT_ONCE


def at_whole_hours(readings: list[tuple[datetime, float]]) -> Actuals:
    """What was true at the whole hours between readings in order of time that are at most two hours apart."""
    found: Actuals = {}
    for (before, cold), (after, warm) in pairwise(readings):
        hour = _hour(before) if before == _hour(before) else _hour(before) + HOUR
        while hour <= after:
            if max(hour - before, after - hour) <= NEAR:
                share = (hour - before) / (after - before)
                found[hour] = round(cold + share * (warm - cold), 2)
            hour += HOUR
    for when, value in readings:
        if when == _hour(when):
            found[when] = value
    return found


def outcome(issue: Mapping[str, Any], actual: float) -> Document:
    """The fields that an issue of a forecast gains."""
    error = round(issue["temperature_c"] - actual, 2)
    horizon_h = math.ceil((issue["timestamp"] - issue["issued_at"]) / HOUR)
    gained: Document = {"actual": actual, "error": error, "off": abs(error), "horizon_h": horizon_h}
    if "lower_c" in issue and "upper_c" in issue:
        gained["inside"] = issue["lower_c"] <= actual <= issue["upper_c"]
    return gained


def error_of(region: str, bucket: Mapping[str, Any]) -> Document:
    """A document of ``forecast_errors`` from a bucket of the issues of one place and horizon."""
    until = datetime.fromisoformat(bucket["until"]["value_as_string"])
    return {
        "_id": forecast_error_id(region, bucket["key"]),
        "region": region,
        "horizon_h": bucket["key"],
        "count": bucket["doc_count"],
        "mean_absolute_error_c": bucket["off"]["value"],
        "bias_c": bucket["bias"]["value"],
        "inside_share": bucket["inside"]["value"],
        "timestamp": until,
        "until": until,
    }


def _hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)
