"""On the real stores: forecasts learn what came, once, also late; the running error is kept by place and horizon."""

from datetime import UTC, datetime, timedelta

import pytest

from local_stack.spare import SpareStack
from readings.connections import connect_elasticsearch, connect_mongodb
from readings.reading import reading_key
from spark_consumer.documents import Document
from spark_consumer.forecast_errors import ForecastErrors
from spark_consumer.sinks import elasticsearch
from tests.end_to_end.consumer import in_elasticsearch, put_index_templates

pytestmark = pytest.mark.timeout(300)

HOUR = timedelta(hours=1)


def test_forecasts_learn_what_came_and_the_error_is_kept(stack: SpareStack) -> None:
    apart = stack.apart("forecast_errors")
    put_index_templates(apart)
    database, view = connect_mongodb(apart.settings), connect_elasticsearch(apart.settings)
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

    def issue(region: str, issued_at: datetime, ahead: int, value: float) -> Document:
        key = reading_key([region], issued_at + ahead * HOUR)
        times = {"timestamp": issued_at + ahead * HOUR, "issued_at": issued_at}
        interval = {"lower_c": value - 2, "upper_c": value + 2}
        return {"_id": f"{key}|{issued_at}", "region": region, **times, "temperature_c": value, **interval}

    def reading(region: str, when: datetime, value: float) -> None:
        database["weather"].insert_one({"region": region, "timestamp": when, "temperature_c": value})

    reading("Tromsø", now, 1.0)
    first = ForecastErrors(apart.settings.prefix, database["weather"], database["forecast_errors"], view)
    assert first.settle({"Tromsø": now}) == 0, "there are no forecasts yet"

    issues = [issue("Oslo", now - 3 * HOUR, ahead, 5.0) for ahead in (1, 2, 3, 4)]
    issues += [issue("Oslo", now - 2 * HOUR, ahead, 6.0) for ahead in (1, 2)]
    issues += [issue("Bergen", now - 3 * HOUR, 1, 9.0)]
    assert not elasticsearch.put(view, issues, lambda one: f"{apart.settings.prefix}forecasts-weather-{now:%Y.%m}")
    view.indices.refresh(index=f"{apart.settings.prefix}forecasts-weather-*")
    reading("Oslo", now - 3.25 * HOUR, 4.0)
    reading("Oslo", now - 1.25 * HOUR, 7.0)
    reading("Oslo", now - 0.75 * HOUR, 8.0)
    errors = ForecastErrors(apart.settings.prefix, database["weather"], database["forecast_errors"], view)
    newest = {"Oslo": now - 0.75 * HOUR, "Bergen": now - 6 * HOUR}

    assert errors.settle(newest) == 2, "the hour at 7.5 °C, of which there are two issues"
    settled = {
        one["issued_at"]: one for one in in_elasticsearch(apart, "forecasts-weather-*").values() if "actual" in one
    }
    assert {(one["actual"], one["error"], one["inside"], one["horizon_h"]) for one in settled.values()} == {
        (7.5, -2.5, False, 2),
        (7.5, -1.5, True, 1),
    }
    kept = {(one["region"], one["horizon_h"]): one for one in database["forecast_errors"].find()}
    assert kept.keys() == {("Oslo", 1), ("Oslo", 2)}
    assert kept["Oslo", 2]["mean_absolute_error_c"] == 2.5
    assert kept["Oslo", 2]["inside_share"] == 0
    assert kept["Oslo", 1]["bias_c"] == -1.5

    assert errors.settle(newest) == 0, "it is not asked again within the hour"
    again = ForecastErrors(apart.settings.prefix, database["weather"], database["forecast_errors"], view)
    assert again.settle(newest) == 0, "after a restart nothing is settled twice"

    reading("Oslo", now - 2 * HOUR, 5.5)  # late
    reading("Oslo", now, 5.0)
    assert again.settle({"Oslo": now}) == 3, "the late hour, and two issues of the newest"
    kept = {one["horizon_h"]: one for one in database["forecast_errors"].find({"region": "Oslo"})}
    assert {horizon: one["count"] for horizon, one in kept.items()} == {1: 2, 2: 2, 3: 1}
    assert kept[1]["mean_absolute_error_c"] == pytest.approx((1.5 + 0.5) / 2)

    totals = in_elasticsearch(apart, "totals-forecast-*")
    assert {one["horizon_h"]: one["count"] for one in totals.values() if one["region"] == "Oslo"} == {1: 2, 2: 2, 3: 1}

    reading("Oslo", now - HOUR, 4.0)  # late: until now the hour was known from its neighbours
    reading("Oslo", now + 0.25 * HOUR, 5.0)
    restarted = ForecastErrors(apart.settings.prefix, database["weather"], database["forecast_errors"], view)
    assert restarted.settle({"Oslo": now + 0.25 * HOUR}) == 2
    kept = {one["horizon_h"]: one for one in database["forecast_errors"].find({"region": "Oslo"})}
    assert {horizon: one["count"] for horizon, one in kept.items()} == {1: 2, 2: 2, 3: 1}, "none is counted twice"
    assert kept[1]["mean_absolute_error_c"] == pytest.approx((2.0 + 0.5) / 2)


def test_what_came_of_a_gap_of_many_days_is_made_up_for_after_a_restart_and_without_one(stack: SpareStack) -> None:
    apart = stack.apart("forecast_errors_gap")
    put_index_templates(apart)
    database, view = connect_mongodb(apart.settings), connect_elasticsearch(apart.settings)
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

    def issued(region: str, days_ago: int) -> Document:
        at = now - timedelta(days=days_ago)
        key = reading_key([region], at)
        return {"_id": key, "region": region, "timestamp": at, "issued_at": at - HOUR, "temperature_c": 5.0}

    def came(region: str, *days_ago: int) -> None:
        hours = [now - timedelta(days=one) for one in days_ago]
        database["weather"].insert_many({"region": region, "timestamp": at, "temperature_c": 7.0} for at in hours)

    issues = [issued(region, days_ago) for region in ("Oslo", "Bergen") for days_ago in (40, 25, 13, 9, 5, 1)]
    index = f"{apart.settings.prefix}forecasts-weather"
    assert not elasticsearch.put(view, issues, lambda one: f"{index}-{one['timestamp']:%Y.%m}")
    view.indices.refresh(index=f"{index}-*")
    errors = ForecastErrors(apart.settings.prefix, database["weather"], database["forecast_errors"], view)

    came("Oslo", 40, 25, 13, 9, 5, 1, 0)
    assert errors.settle({"Oslo": now}) == 5, "all but what is older than 30 days"
    assert errors.settle({"Bergen": now - timedelta(days=26)}) == 0
    came("Bergen", 25, 13, 9, 5, 1, 0)
    assert errors.settle({"Bergen": now}) == 5, "the gap began when it was last looked at"
