"""``surprise``: readings lie outside their forecast's interval several hours in a row."""

from collections.abc import Sequence
from datetime import timedelta

from alerts.asking import Ask, Asking, Bucket, Query, chunks, instant, term, terms, within
from alerts.kinds.scene import Judgement, StreamScene
from alerts.rules import SurpriseRule
from alerts.states import NO_DATA, Finding

HOUR = timedelta(hours=1)
YOUNG = 2 * HOUR
"""The newest hour that is known may be so much older than it need be: its reading comes up to an hour and the allowed
delay after it."""
FARTHEST = 3
"""Hours that are farther from each other are not one after another, whatever the horizon."""

BY_REGION = {"series": {"terms": {"field": "region"}}}


def judge(rule: SurpriseRule, scene: StreamScene) -> Asking[Judgement]:
    """First the places with enough hours outside at all, then whether these are the newest that are known."""
    apart = min(rule.horizon_h, FARTHEST) * HOUR
    index = f"{scene.prefix}forecasts-{scene.stream.name}-*"
    known: list[Query] = [
        term("horizon_h", rule.horizon_h),
        within("timestamp", scene.now - rule.window, scene.now),
        {"exists": {"field": "inside"}},
    ]
    [buckets] = yield [Ask(index, [*known, term("inside", False)], BY_REGION)]
    suspects = {bucket["key"]["series"] for bucket in buckets if bucket["doc_count"] >= rule.times}
    unclear = scene.active - suspects
    hit = {
        "size": 100,  # the most that Elasticsearch gives (index.max_inner_result_window)
        "sort": [{"timestamp": "desc"}],
        "_source": ["timestamp", "actual", "lower_c", "upper_c", "inside"],
    }
    pages = chunks(suspects | unclear)
    answers = []
    if pages:
        answers = yield [
            Ask(index, [*known, terms("region", page)], BY_REGION, {"newest": {"top_hits": hit}}) for page in pages
        ]
    found: Judgement = dict.fromkeys(scene.active, NO_DATA)
    for bucket in (bucket for buckets in answers for bucket in buckets):
        series = bucket["key"]["series"]
        by_hour = {
            hit["sort"][0]: hit for hit in bucket["newest"]["hits"]["hits"]
        }  # an hour may have been forecast twice
        hits = list(by_hour.values())
        if scene.now - instant(hits[0]["sort"][0]) > apart + YOUNG:
            continue
        hours = [hit["_source"] for hit in hits]
        row = _in_a_row(hits, apart)
        found.pop(series, None)
        if row >= rule.times:
            worst = max(hours[:row], key=_off)
            what = (
                f"{row} hours in a row outside the forecast, worst {worst['actual']:.1f} °C "
                f"instead of {worst['lower_c']:.1f} to {worst['upper_c']:.1f} °C"
            )
            found[series] = Finding(count=row, what=what, beyond=float(row))
    return found


def _in_a_row(hits: Sequence[Bucket], apart: timedelta) -> int:
    """How many hours, one after another with the newest first, lie outside.

    Where a place is read each three hours, a forecast is made each three: hours are `apart` for its horizon.
    """
    before = instant(hits[0]["sort"][0])
    for number, hit in enumerate(hits):
        at = instant(hit["sort"][0])
        if hit["_source"]["inside"] or before - at > apart:
            return number
        before = at
    return len(hits)


def _off(hour: dict[str, float]) -> float:
    return max(hour["lower_c"] - hour["actual"], hour["actual"] - hour["upper_c"])
