"""``threshold``: a field of a series, or an aggregate of it over a window, is above or below a bound."""

from alerts.asking import Asking, Bucket, Query, chunks, terms
from alerts.kinds.scene import Judgement, StreamScene
from alerts.kinds.values import newest_value, newest_values, readings_of, shown
from alerts.rules import ThresholdRule
from alerts.states import Finding


def judge(rule: ThresholdRule, scene: StreamScene) -> Asking[Judgement]:
    """Where one reading decides, only series with such a reading are looked at; an average or sum is of all."""
    readings = readings_of(scene, rule.field, rule.window)
    outside = [*readings, _outside(rule)]
    if rule.aggregate == "last":
        [buckets] = yield [scene.of(outside)]
        suspects = {bucket["key"]["series"] for bucket in buckets}
        answers = []
        if suspects:
            answers = yield [
                newest_values(scene, [*readings, terms("series", page)], rule.field) for page in chunks(suspects)
            ]
        values = [(bucket, newest_value(bucket, rule.field)) for buckets in answers for bucket in buckets]
    else:
        decided_by_one = (rule.aggregate == "max" and rule.below is None) or (
            rule.aggregate == "min" and rule.above is None
        )
        aggregate: dict[str, Query] = {"value": {rule.aggregate: {"field": rule.field}}}
        [buckets] = yield [scene.of(outside if decided_by_one else readings, aggregate)]
        values = [(bucket, float(bucket["value"]["value"])) for bucket in buckets]
    found: Judgement = {
        bucket["key"]["series"]: _finding(rule, scene, bucket, value)
        for bucket, value in values
        if _beyond(rule, value) > 0
    }
    return (yield from scene.no_data(found, readings))


def _finding(rule: ThresholdRule, scene: StreamScene, bucket: Bucket, value: float) -> Finding:
    bound, sign = (rule.above, ">") if rule.above is not None and value > rule.above else (rule.below, "<")
    name = rule.field if rule.aggregate == "last" else f"{rule.aggregate} {rule.field}"
    assert bound is not None  # noqa: S101 - it is beyond one of the two
    what = f"{name} {shown(value, scene.stream, rule.field)} {sign} {shown(bound, scene.stream, rule.field)}"
    return Finding(count=bucket["doc_count"], what=what, beyond=_beyond(rule, value))


def _beyond(rule: ThresholdRule, value: float) -> float:
    """How far a value is beyond its bound; not above 0 where it is not."""
    above = value - rule.above if rule.above is not None else 0.0
    below = rule.below - value if rule.below is not None else 0.0
    return max(above, below)


def _outside(rule: ThresholdRule) -> Query:
    ranges = [
        {"range": {rule.field: {word: bound}}}
        for word, bound in (("gt", rule.above), ("lt", rule.below))
        if bound is not None
    ]
    return {"bool": {"should": ranges, "minimum_should_match": 1}}
