"""When hours outside their forecast are in a row, on documents made by hand."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.kinds.scene import Judgement, StreamScene
from alerts.kinds.surprise import judge
from alerts.pipeline import Pipeline
from alerts.rules import SurpriseRule
from alerts.states import NO_DATA, Finding
from tests.alerts.stored import NOW, STREAMS, declared

RULE = SurpriseRule(kind="surprise", name="surprise", times=3)


def judged(
    outside: Sequence[int],
    inside: Sequence[int] = (),
    active: Sequence[str] = (),
    minutes: int = 5,
    rule: SurpriseRule = RULE,
) -> Judgement:
    """Of a place whose hours, so many hours ago, lay outside or inside; so many minutes after a whole hour."""
    now = NOW + timedelta(minutes=minutes)
    scene = StreamScene(now, "", frozenset(active), Pipeline(), STREAMS["weather"], declared("Bergen"))
    asking = judge(rule, scene)
    next(asking)
    buckets = [{"key": {"series": "Bergen"}, "doc_count": len(outside)}] if outside else []
    hits = [_hit(NOW - timedelta(hours=ago), ago in inside) for ago in sorted([*outside, *inside])]
    newest = {"key": {"series": "Bergen"}, "doc_count": len(hits), "newest": {"hits": {"hits": hits}}}
    asking.send([buckets])
    with pytest.raises(StopIteration) as end:
        asking.send([[newest] if hits else []])
    judgement: Judgement = end.value.value
    return judgement


def _hit(at: datetime, inside: bool) -> dict[str, Any]:
    source = {"timestamp": at.isoformat(), "actual": 12.0, "lower_c": 3.0, "upper_c": 7.0, "inside": inside}
    return {"_source": source, "sort": [at.timestamp() * 1000]}


def count(judgement: Judgement) -> int:
    finding = judgement.get("Bergen")
    return finding.count if isinstance(finding, Finding) else 0


def test_hours_one_after_another_up_to_now_are_in_a_row() -> None:
    assert count(judged([1, 2, 3])) == 3
    assert count(judged([1, 2, 3, 4, 6])) == 4
    assert count(judged([1, 2, 3], inside=[4])) == 3
    assert count(judged([1, 2, 2, 3])) == 3


def test_hours_with_others_between_that_nothing_is_known_of_are_not_in_a_row() -> None:
    assert judged([9, 14, 20]) == {}
    assert judged([1, 2, 4, 5]) == {}


def test_where_a_place_is_read_each_three_hours_these_are_one_after_another() -> None:
    each_three = RULE.model_copy(update={"horizon_h": 3})
    assert count(judged([2, 5, 8], rule=each_three)) == 3
    assert count(judged([4, 7, 10], inside=[13], rule=each_three)) == 3
    assert judged([2, 5, 9], rule=each_three) == {}
    assert judged([6, 9, 12], active=["Bergen"], rule=each_three) == {"Bergen": NO_DATA}
    a_day = RULE.model_copy(update={"horizon_h": 24})
    assert judged([2, 6, 10], rule=a_day) == {}


def test_hours_whose_newest_is_long_ago_say_nothing_of_now() -> None:
    assert judged([4, 5, 6]) == {}
    assert judged([4, 5, 6], active=["Bergen"]) == {"Bergen": NO_DATA}
    assert judged([], inside=[4, 5], active=["Bergen"]) == {"Bergen": NO_DATA}


def test_the_newest_hour_may_be_as_old_as_its_reading_may_be_late() -> None:
    assert count(judged([2, 3, 4], minutes=55)) == 3


def test_a_newest_hour_inside_is_well() -> None:
    assert judged([2, 3, 4], inside=[1], active=["Bergen"]) == {}
