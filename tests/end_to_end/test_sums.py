"""Sums of production and of the market on real servers: what is stored, added up again whenever it changes."""

import csv
import gzip
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import pytest
from kafka import KafkaProducer

from local_stack.spare import SpareStack
from readings.config import ROOT
from readings.connections import connect_mongodb, kafka_options
from readings.declared import declare
from readings.stream import load_streams
from tests.end_to_end.consumer import Consumer, as_json, in_elasticsearch, running_consumer, wait_until

OSLO = ZoneInfo("Europe/Oslo")
AUTUMN = datetime(2025, 10, 25, 22, tzinfo=UTC)
"""Norway's midnight before the day of 25 hours."""

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def apart(stack: SpareStack) -> SpareStack:
    return stack.apart("sums")


@pytest.fixture(scope="module")
def consumer(apart: SpareStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    with running_consumer(apart, tmp_path_factory.mktemp("sums") / "log") as consumer:
        yield consumer


def recorded(stream: str, wanted: Callable[[Mapping[str, str]], bool]) -> list[dict[str, Any]]:
    """Recorded readings that are wanted, as they are sent."""
    (path,) = (Path(ROOT) / "recordings" / stream).glob("*.csv.gz")
    numbers = {"quantity_kwh", "power_mw", "emissions_t", "price_per_mwh", "demand_mw"}
    with gzip.open(path, "rt") as file:
        return [
            {
                "source": "test",
                "mode": "replay",
                **{name: float(value) if name in numbers else value for name, value in row.items() if value},
            }
            for row in csv.DictReader(file)
            if wanted(row)
        ]


def send(apart: SpareStack, stream: str, readings: list[dict[str, Any]]) -> None:
    """With their series as keys, as producers do: those of a series come in the order in which they were sent."""
    of = load_streams(apart.settings)[stream]
    producer = KafkaProducer(**kafka_options(apart.settings), acks="all")
    for one in readings:
        key = "/".join(one[name] for name in of.model.series_fields)
        producer.send(of.topic, key=key.encode(), value=orjson.dumps(one))
    producer.flush(60)
    producer.close()


def stored(apart: SpareStack, collection: str, **which: Any) -> dict[str, dict[str, Any]]:
    return {one.pop("_id"): one for one in connect_mongodb(apart.settings)[collection].find(which)}


def test_days_and_months_of_production_follow_every_revision(apart: SpareStack, consumer: Consumer) -> None:
    readings = recorded("production", lambda row: row["price_area"] in ("NO1", "NO5"))
    send(apart, "production", readings)
    assert_sums(apart, readings)
    hours = {one["hours"] for one in stored(apart, "production_sums", period="day", begins="2025-10-26").values()}
    assert hours == {25}
    (first,) = [one for one in readings if one["start_time"].startswith("2025-10-26T00:00")][:1] or readings[:1]
    revised = {**first, "quantity_kwh": first["quantity_kwh"] + 1000}
    send(apart, "production", [revised])
    assert_sums(apart, [revised if one is first else one for one in readings])
    at = datetime.fromisoformat(first["start_time"]).astimezone(UTC)
    (document,) = stored(
        apart, "production", price_area=first["price_area"], production_group=first["production_group"], start_time=at
    ).values()
    assert (document["revision"], document["previous_kwh"]) == (1, first["quantity_kwh"])
    assert document["first_seen_at"] == document["arrived_at"] < document["revised_at"]


def assert_sums(apart: SpareStack, readings: list[dict[str, Any]]) -> None:
    expected: dict[str, list[float]] = defaultdict(list)
    for one in readings:
        day = datetime.fromisoformat(one["start_time"]).astimezone(OSLO).date()
        for period, begins in (("day", day), ("month", day.replace(day=1))):
            expected[f"{one['price_area']}|{one['production_group']}|{period}|{begins}"].append(one["quantity_kwh"])

    def equal() -> bool:
        found = {_id: (one["quantity_kwh"], one["hours"]) for _id, one in stored(apart, "production_sums").items()}
        return found.keys() == expected.keys() and all(
            found[_id][0] == pytest.approx(sum(values), abs=0.01) and found[_id][1] == len(values)
            for _id, values in expected.items()
        )

    wait_until(equal, "the sums of days and months")
    documents = as_json(stored(apart, "production_sums"))
    wait_until(lambda: in_elasticsearch(apart, "totals-production-*") == documents, "the same in Elasticsearch")


def test_regions_fuel_groups_and_spikes_of_the_market(apart: SpareStack, consumer: Consumer) -> None:
    facilities = recorded("facility", lambda row: row["timestamp"][11:13] == "12")
    send(apart, "facility", facilities)
    market = recorded("market", lambda row: row["network_region"] in ("NSW1", "SA1"))
    late = market[: len(market) // 10]
    send(apart, "market", market[len(late) :])
    wait_until(lambda: bool(stored(apart, "market_sums", network_region="SA1", fuel_group={"$exists": False})), "sums")
    send(apart, "market", late)
    places = {place.name: place for place in load_streams(apart.settings)["facility"].config.places()}
    expected: dict[tuple[str | None, str, datetime], float] = defaultdict(float)
    for one in facilities:
        place = places[one["facility_code"]]
        at = datetime.fromisoformat(one["timestamp"]).astimezone(UTC)
        expected[place.area, place.fuel_groups[0], at] += one.get("power_mw", 0.0)

    def equal() -> bool:
        sums = stored(apart, "market_sums", fuel_group={"$exists": True}).values()
        found = {(one["network_region"], one["fuel_group"], one["timestamp"]): one["power_mw"] for one in sums}
        return found.keys() == expected.keys() and all(
            found[key] == pytest.approx(value, abs=0.01) for key, value in expected.items()
        )

    wait_until(equal, "the sums of regions and fuel groups")
    wanted = spikes(market, "SA1")
    assert any(wanted.values())

    def told() -> dict[datetime, bool | None]:
        prices = stored(apart, "market_sums", fuel_group={"$exists": False}, network_region="SA1")
        return {one["timestamp"]: one.get("spike") for one in prices.values()}

    wait_until(lambda: told() == wanted, "the spikes of the prices")
    wait_until(lambda: not stored(apart, "sums_due"), "nothing is due any more")
    assert told() == wanted


def spikes(market: list[dict[str, Any]], region: str) -> dict[datetime, bool | None]:
    """By time, whether the price is outside the outer fences of the seven days before; None in the first day."""
    rows = sorted(
        (datetime.fromisoformat(one["timestamp"]).astimezone(UTC), one.get("price_per_mwh"))
        for one in market
        if one["network_region"] == region
    )
    found: dict[datetime, bool | None] = {}
    for at, price in rows:
        before = [value for when, value in rows if at - timedelta(days=7) <= when < at and value is not None]
        if len(before) < 288 or price is None:
            found[at] = None
            continue
        low, high = np.percentile(before, [25, 75])
        found[at] = bool(price < low - 3 * (high - low) or price > high + 3 * (high - low))
    return found


def test_after_going_live_sums_are_those_of_what_was_not_replayed(apart: SpareStack, consumer: Consumer) -> None:
    """Of the same days and five minutes some is replayed, and of the market's sums the facilities' stay."""
    production = recorded("production", lambda row: row["price_area"] == "NO2" and row["start_time"] > "2025-10-27")
    market = recorded("market", lambda row: row["network_region"] == "QLD1")[:20]
    facilities = recorded("facility", lambda row: row["timestamp"][11:15] == "13:1")
    for one in [*production[::2], *market[::2]]:
        one["source"] = "replay"
    for stream, readings in (("production", production), ("market", market), ("facility", facilities)):
        send(apart, stream, readings)
    whole = {"price_area": "NO2", "period": "month"}
    wait_until(
        lambda: (
            sum(one["hours"] for one in stored(apart, "production_sums", **whole).values()) == len(production)
            and len(stored(apart, "market_sums", network_region="QLD1", fuel_group={"$exists": False})) == len(market)
            and not stored(apart, "sums_due")
        ),
        "sums with what is replayed",
    )
    of_facilities = stored(apart, "market_sums", fuel_group={"$exists": True})

    for stream, variable in (("production", "ELHUB_API_BASE"), ("market", "MQTT_URL")):
        of = load_streams(apart.settings)[stream]
        declare(connect_mongodb(apart.settings), of, "replay", of.config.series_names(), of.config.cadence)
        nowhere = f"{'mqtt' if stream == 'market' else 'http'}://127.0.0.1:9"
        command = [sys.executable, "-m", "producer", "go-live", stream, "--yes"]
        environment = {**apart.environment, variable: nowhere}
        told = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout
        assert "begins them anew" in told

    assert_sums(apart, [_sent_form(one) for one in stored(apart, "production").values()])
    prices = {one["timestamp"] for one in stored(apart, "market", network_region="QLD1").values()}
    assert len(prices) == len(market) // 2

    def of_market() -> dict[str, dict[str, Any]]:
        return stored(apart, "market_sums", fuel_group={"$exists": False}, network_region="QLD1")

    wait_until(lambda: {one["timestamp"] for one in of_market().values()} == prices, "the prices that are left")
    wait_until(lambda: not stored(apart, "sums_due"), "nothing is due any more")
    assert stored(apart, "market_sums", fuel_group={"$exists": True}) == of_facilities
    documents = as_json(stored(apart, "market_sums"))
    wait_until(lambda: in_elasticsearch(apart, "totals-market-*") == documents, "the same in Elasticsearch")


def _sent_form(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**document, "start_time": document["start_time"].isoformat()}
