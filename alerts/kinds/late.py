"""``late``: live readings that arrived later than their stream allows."""

from alerts.asking import Asking, instant, term
from alerts.kinds.scene import LIVE, Judgement, StreamScene
from alerts.rules import LateRule
from alerts.states import Finding

LATE = term("late", True)
AGGREGATIONS = {"worst": {"max": {"field": "delay_s"}}, "first": {"min": {"field": "arrived_at"}}}


def judge(rule: LateRule, scene: StreamScene) -> Asking[Judgement]:
    """Well again is a series with live readings in the window of which too few are late; with none there is no data."""
    live = [LIVE, scene.arrived(rule.window)]
    [buckets] = yield [scene.of([LATE, *live], AGGREGATIONS)]
    found: Judgement = {
        bucket["key"]["series"]: Finding(
            instant(bucket["first"]["value"]), bucket["doc_count"], bucket["worst"]["value"]
        )
        for bucket in buckets
        if bucket["doc_count"] >= rule.at_least
    }
    if rule.share:
        all_of = yield from scene.counts(live, set(found))
        found = {
            series: finding
            for series, finding in found.items()
            if isinstance(finding, Finding) and finding.count >= rule.share * all_of[series]
        }
    return (yield from scene.no_data(found, live))
