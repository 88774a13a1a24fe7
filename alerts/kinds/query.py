"""``query``: so many documents answer a query of one's own."""

import difflib
from collections.abc import Mapping
from fnmatch import fnmatchcase

from elasticsearch import ApiError

from alerts.asking import Ask, Asking, Query, Refused, within
from alerts.kinds.scene import Judgement, Scene
from alerts.rules import QueryRule
from alerts.states import Finding
from readings.stream import MODELS

ALL = "all"
"""The series of a rule that does not count by a field."""

ARRIVED = "arrived_at"
OURS: Mapping[str, str] = {
    **{f"readings-{stream}-*": ARRIVED for stream in MODELS},
    "dead-letters-*": ARRIVED,
    "arrivals-*": ARRIVED,
    "forecasts-weather-*": "timestamp",
    **{f"totals-{what}-*": "timestamp" for what in ("meter", "production", "market", "forecast")},
    "alerts-*": "since",
    "service-logs-*": "@timestamp",
}
"""The indices of ``elk/templates.py`` with the field that is their time."""


def judge(rule: QueryRule, scene: Scene) -> Asking[Judgement]:
    """Counts all, or by a field; a value that is not there any more is well."""
    query: Query = {"query_string": {"query": rule.query}} if isinstance(rule.query, str) else rule.query
    alike = [name for name in OURS if fnmatchcase(name, rule.index) or fnmatchcase(rule.index, name)]
    time_field = rule.time_field or (OURS[alike[0]] if alike else ARRIVED)
    filters = [query, within(time_field, scene.now - rule.window, scene.now)]
    index = scene.prefix + rule.index
    if rule.by:
        [buckets] = yield [Ask(index, filters, {"series": {"terms": {"field": rule.by}}})]
        counts = {str(bucket["key"]["series"]): bucket["doc_count"] for bucket in buckets}
    else:
        by_day = {"day": {"date_histogram": {"field": time_field, "fixed_interval": "1d"}}}
        [buckets] = yield [Ask(index, filters, by_day)]
        counts = {ALL: sum(bucket["doc_count"] for bucket in buckets)}
    if not buckets:
        _check(rule, [time_field, *([rule.by] if rule.by else [])], scene, ours=bool(alike))
    found: Judgement = {}
    for name, count in counts.items():
        if rule.more_than is not None and count > rule.more_than:
            found[name] = Finding(count=count, what=f"{count:,} documents > {rule.more_than:,}", beyond=float(count))
        elif rule.fewer_than is not None and count < rule.fewer_than:
            found[name] = Finding(count=count, what=f"{count:,} documents < {rule.fewer_than:,}", beyond=-float(count))
    return found


def _check(rule: QueryRule, wanted: list[str], scene: Scene, *, ours: bool) -> None:
    """Raises Refused where no document can ever answer. Indices of ours come with their first document."""
    if scene.fields is None:
        return
    try:
        known = scene.fields.among(scene.prefix + rule.index, wanted, scene.now)
    except ApiError as error:
        raise Refused(f"the fields of {rule.index}: {error.message}") from error
    if known is None:
        if not ours:
            close = difflib.get_close_matches(rule.index, OURS, n=1)
            raise Refused(f"there is no index {rule.index}" + (f", did you mean {close[0]!r}?" if close else ""))
    elif missing := [name for name in wanted if name not in known]:
        raise Refused(f"no index of {rule.index} has a field {' or '.join(missing)}")
