"""Forecasts on the real parts: made up for when the forecaster is back, and made once."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from local_stack.spare import SpareStack
from readings.config import ROOT
from readings.connections import connect_mongodb
from tests.end_to_end.consumer import Feed, as_json, in_elasticsearch, in_mongodb, running_consumer, wait_until

pytestmark = pytest.mark.timeout(300)

PLACES = ("Bergen", "Oslo")


def test_forecasts_are_made_up_for_when_the_forecaster_is_back_and_made_once(stack: SpareStack, tmp_path: Path) -> None:
    apart = stack.apart("forecasts")
    predictions = connect_mongodb(apart.settings)["predictions"]
    with running_consumer(apart, tmp_path / "consumer.log") as consumer:
        feed = Feed(apart)
        for hours_ago in range(30, 0, -1):
            for place in PLACES:
                feed.send(place, 60 * hours_ago, temperature_c=hours_ago % 7)
        feed.flush()
        wait_until(lambda: in_mongodb(apart).keys() == feed.acknowledged, "readings without a forecaster")
        wait_until(lambda: "forecasts wait" in consumer.text(), "the consumer says that forecasts wait")
        assert predictions.find_one() is None

        forecaster = subprocess.Popen([sys.executable, "-m", "forecaster"], cwd=ROOT, env=apart.environment)
        try:
            wait_until(lambda: predictions.count_documents({}) == 48 * len(PLACES), "the forecasts made up for")
            issues = in_elasticsearch(apart, "forecasts-weather-*")
            assert len(issues) == 48 * len(PLACES)
            stored = as_json({document.pop("_id"): document for document in predictions.find({})})
            assert {f"{key}|{one['issued_at'].replace('Z', '+00:00')}": one for key, one in stored.items()} == issues
            newest = {
                place: max(one["timestamp"] for one in in_mongodb(apart).values() if one["region"] == place)
                for place in PLACES
            }
            for one in predictions.find({}):
                assert one["issued_at"] == newest[one["region"]] < one["timestamp"]
                assert one["lower_c"] < one["temperature_c"] < one["upper_c"]

            hour_ends = newest["Oslo"].replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
            later = newest["Oslo"] + (hour_ends - newest["Oslo"]) / 2
            feed.send("Oslo", (feed.began - later) / timedelta(minutes=1))  # a second one of its hour
            feed.flush()
            wait_until(lambda: in_mongodb(apart).keys() == feed.acknowledged, "Oslo's second reading of an hour")
            consumer.kill()
            consumer.start()
            feed.send("Bergen", 0)
            feed.flush()
            wait_until(lambda: predictions.count_documents({"issued_at": feed.began}) == 48, "Bergen's next hour")
            assert len(in_elasticsearch(apart, "forecasts-weather-*")) == 48 * (len(PLACES) + 1)
            assert set(predictions.distinct("issued_at", {"region": "Oslo"})) == {newest["Oslo"]}
        finally:
            forecaster.terminate()
            forecaster.wait()
