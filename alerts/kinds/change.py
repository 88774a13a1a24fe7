"""``change``: a total runs backwards, a value is stuck, or it jumps."""

from alerts.asking import Asking, Bucket
from alerts.kinds.scene import Judgement, StreamScene
from alerts.kinds.values import newest_value, newest_values, readings_of, shown
from alerts.rules import ChangeRule
from alerts.states import Finding


def judge(rule: ChangeRule, scene: StreamScene) -> Asking[Judgement]:
    """By the lowest, the highest and, for what runs backwards, the newest value of the window."""
    readings = readings_of(scene, rule.field, rule.window)
    extremes = {"highest": {"max": {"field": rule.field}}, "lowest": {"min": {"field": rule.field}}}
    if rule.how == "backwards":
        [buckets] = yield [newest_values(scene, readings, rule.field, extremes)]
    else:
        [buckets] = yield [scene.of(readings, extremes)]
    judged = {bucket["key"]["series"]: _JUDGES[rule.how](rule, scene, bucket) for bucket in buckets}
    found: Judgement = {series: finding for series, finding in judged.items() if finding}
    return (yield from scene.no_data(found, readings))


def _backwards(rule: ChangeRule, scene: StreamScene, bucket: Bucket) -> Finding | None:
    newest, highest = newest_value(bucket, rule.field), bucket["highest"]["value"]
    if highest - newest <= rule.by:
        return None
    what = f"{rule.field} fell from {shown(highest, scene.stream, rule.field)}"
    return _finding(bucket, f"{what} to {shown(newest, scene.stream, rule.field)}", highest - newest)


def _stuck(rule: ChangeRule, scene: StreamScene, bucket: Bucket) -> Finding | None:
    highest, lowest = bucket["highest"]["value"], bucket["lowest"]["value"]
    if highest != lowest or bucket["doc_count"] < rule.at_least or highest in rule.unless:
        return None
    what = f"{rule.field} {shown(highest, scene.stream, rule.field)} in all {bucket['doc_count']} readings"
    return _finding(bucket, what, bucket["doc_count"])


def _jumps(rule: ChangeRule, scene: StreamScene, bucket: Bucket) -> Finding | None:
    highest, lowest = bucket["highest"]["value"], bucket["lowest"]["value"]
    if highest - lowest <= rule.by:
        return None
    between = f"{shown(lowest, scene.stream, rule.field)} and {shown(highest, scene.stream, rule.field)}"
    return _finding(bucket, f"{rule.field} between {between}", highest - lowest)


def _finding(bucket: Bucket, what: str, beyond: float) -> Finding:
    return Finding(count=bucket["doc_count"], what=what, beyond=beyond)


_JUDGES = {"backwards": _backwards, "stuck": _stuck, "jumps": _jumps}
