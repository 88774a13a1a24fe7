"""``silent``: declared series without a new event time for longer than cadence and allowed delay, or never seen."""

from datetime import datetime

from alerts.asking import Asking, Bucket, chunks, instant, terms, within
from alerts.kinds.late import LATE
from alerts.kinds.scene import LIVE, Judgement, StreamScene
from alerts.rules import SilentRule
from alerts.states import Finding

NEVER = "never seen"


def judge(_rule: SilentRule, scene: StreamScene) -> Asking[Judgement]:
    """The silent series, without those whose readings still come, but late."""
    allowed = scene.stream.config.allowed_delay
    newest = yield from _newest(scene)
    silent = scene.expected.silent({name: at for name, at in newest.items() if at}, allowed, scene.now)
    if not silent:
        return {}
    recent = [LATE, LIVE, scene.arrived(scene.expected.cadence + allowed)]
    late = yield from scene.counts(recent, set(silent))
    return {series: Finding(at, what="" if at else NEVER) for series, at in silent.items() if series not in late}


def _newest(scene: StreamScene) -> Asking[dict[str, datetime | None]]:
    """The newest event time of each declared series: of most from the last readings, of others from all there are.

    That takes long and is kept; what arrives later with old event times is added to it.
    """
    aggregations = {"newest": {"max": {"field": scene.time_field}}}
    patience = scene.expected.cadence + scene.stream.config.allowed_delay
    old = within(scene.time_field, None, scene.now - patience - scene.stream.model.interval)
    buckets, behind = yield [
        scene.of(scene.happened(patience), aggregations),
        scene.of([old, scene.arrived(patience)], aggregations),
    ]
    recent, came = _instants(buckets, scene), _instants(behind, scene)
    missing = {series for series in scene.expected.series if series not in recent}
    known = scene.long_ago
    for series in known.keys() - missing:
        del known[series]
    for series in known.keys() & came.keys():
        known[series] = max(came[series], known[series] or came[series])
    asked = chunks(missing - known.keys())
    if asked:
        answers = yield [scene.of([terms("series", page), scene.arrived()], aggregations) for page in asked]
        known.update(dict.fromkeys(series for page in asked for series in page))
        for found in answers:
            known.update(_instants(found, scene))
    return {**recent, **known}


def _instants(buckets: list[Bucket], scene: StreamScene) -> dict[str, datetime]:
    interval = scene.stream.model.interval
    return {bucket["key"]["series"]: instant(bucket["newest"]["value"]) + interval for bucket in buckets}
