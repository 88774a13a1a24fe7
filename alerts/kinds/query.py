"""``query``: so many documents answer a query of one's own."""

from alerts.asking import Ask, Asking, Query, within
from alerts.kinds.scene import Judgement, Scene
from alerts.rules import QueryRule
from alerts.states import Finding

ALL = "all"
"""The series of a rule that does not count by a field."""


def judge(rule: QueryRule, scene: Scene) -> Asking[Judgement]:
    """Counts all, or by a field; a value that is not there any more is well."""
    query: Query = {"query_string": {"query": rule.query}} if isinstance(rule.query, str) else rule.query
    filters = [query, within(rule.time_field, scene.now - rule.window, scene.now)]
    index = scene.prefix + rule.index
    if rule.by:
        [buckets] = yield [Ask(index, filters, {"series": {"terms": {"field": rule.by}}})]
        counts = {str(bucket["key"]["series"]): bucket["doc_count"] for bucket in buckets}
    else:
        by_day = {"day": {"date_histogram": {"field": rule.time_field, "fixed_interval": "1d"}}}
        [buckets] = yield [Ask(index, filters, by_day)]
        counts = {ALL: sum(bucket["doc_count"] for bucket in buckets)}
    found: Judgement = {}
    for name, count in counts.items():
        if rule.more_than is not None and count > rule.more_than:
            found[name] = Finding(count=count, what=f"{count:,} documents > {rule.more_than:,}", beyond=float(count))
        elif rule.fewer_than is not None and count < rule.fewer_than:
            found[name] = Finding(count=count, what=f"{count:,} documents < {rule.fewer_than:,}", beyond=-float(count))
    return found
