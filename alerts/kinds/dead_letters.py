"""``dead_letters``: more messages of a source than so many could not become readings."""

from collections.abc import Mapping

from alerts.asking import Ask, Asking, Query, term, within
from alerts.kinds.scene import Judgement, Scene
from alerts.rules import ALL_STREAMS, DeadLettersRule
from alerts.states import Finding

BY_SOURCE: Mapping[str, Query] = {
    "stream": {"terms": {"field": "stream", "missing_bucket": True}},
    "source": {"terms": {"field": "source", "missing_bucket": True}},
}
UNKNOWN = "unknown"
REASON_CHARACTERS = 120


def judge(rule: DeadLettersRule, scene: Scene) -> Asking[Judgement]:
    """By stream and source, each ``unknown`` where the letter does not say; none in the window is well."""
    filters = [within("arrived_at", scene.now - rule.window, scene.now)]
    if rule.stream != ALL_STREAMS:
        filters.append(term("stream", rule.stream))
    reasons = {"reasons": {"terms": {"field": "reason", "size": 1}}}
    [buckets] = yield [Ask(f"{scene.prefix}dead-letters-*", filters, BY_SOURCE, reasons)]
    found: Judgement = {}
    for bucket in buckets:
        if bucket["doc_count"] > rule.more_than:
            reason = bucket["reasons"]["buckets"][0]["key"]
            what = f"{bucket['doc_count']:,} messages, most often: {reason[:REASON_CHARACTERS]}"
            name = "/".join(bucket["key"][part] or UNKNOWN for part in BY_SOURCE)
            found[name] = Finding(count=bucket["doc_count"], what=what, beyond=float(bucket["doc_count"]))
    return found
