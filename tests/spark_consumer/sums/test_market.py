"""Which prices are spikes does not depend on the order in which prices arrive; what facilities emit per MWh."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spark_consumer.sums import due, market
from tests.spark_consumer.stand_in import database

BEGIN = datetime(2026, 7, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)
DAY = 288


def price(number: int, per_mwh: float, region: str = "SA1") -> dict[str, Any]:
    at = BEGIN + number * STEP
    return {"_id": f"{region}|{at}", "timestamp": at, "network_region": region, "price_per_mwh": per_mwh}


def store(of: Any, *documents: dict[str, Any]) -> None:
    of["market"].documents |= {one["_id"]: one for one in documents}


def note(of: Any, *numbers: int) -> list[str]:
    names = [due.five_minutes(BEGIN + number * STEP) for number in numbers]
    of[due.COLLECTION].documents |= {name: {"_id": name, "stream": "market", "name": name} for name in names}
    return names


def spikes(of: Any, names: list[str]) -> dict[datetime, bool | None]:
    return {one["timestamp"]: one.get("spike") for one in market.region_sums(of, "market", names)}


def test_late_prices_change_what_the_seven_days_after_them_are() -> None:
    of = database()
    store(of, price(2 * DAY, 300.0), price(9 * DAY, 300.0))
    assert set(spikes(of, note(of, 2 * DAY)).values()) == {None}, "too few are known"
    of[due.COLLECTION].documents.clear()
    store(of, *(price(number, 50.0 + number % 10) for number in range(2 * DAY)))
    found = spikes(of, note(of, *range(DAY, 2 * DAY)))
    assert found[BEGIN + 2 * DAY * STEP] is True
    assert BEGIN + 9 * DAY * STEP not in found


def test_a_region_without_a_price_now_and_then_has_its_prices_judged() -> None:
    of = database()
    store(of, *(price(number, 50.0 + number % 10) for number in range(400)))
    del of["market"].documents[f"SA1|{BEGIN + 200 * STEP}"]["price_per_mwh"]
    found = spikes(of, note(of, 200, 399))
    assert found[BEGIN + 399 * STEP] is False
    assert found[BEGIN + 200 * STEP] is None


def test_a_price_is_told_with_the_fences_of_the_seven_days_before_it() -> None:
    """Of prices from 50 to 59 the quartiles are 52 and 57, and the fences 3 times 5 beyond."""
    of = database()
    store(of, *(price(number, 50.0 + number % 10) for number in range(300)), price(300, -20.0) | {"demand_mw": 1500.0})
    (found,) = market.region_sums(of, "market", note(of, 300))
    at = BEGIN + 300 * STEP
    assert found == {
        "_id": f"SA1|price|{at.isoformat()}",
        "timestamp": at,
        "network_region": "SA1",
        "price_per_mwh": -20.0,
        "demand_mw": 1500.0,
        "usual_from": 37.0,
        "usual_to": 72.0,
        "spike": True,
    }


def test_what_is_due_itself_is_not_worked_out_twice() -> None:
    of = database()
    store(of, *(price(number, 50.0) for number in range(3 * DAY)))
    note(of, *range(3 * DAY))
    first = [due.five_minutes(BEGIN + number * STEP) for number in range(DAY)]
    assert len(spikes(of, first)) == DAY


@pytest.mark.parametrize(
    ("second", "intensity"),
    [
        ({"power_mw": 1000.0, "emissions_t": 75.0}, 0.9),
        ({"power_mw": 1000.0}, 0.9),
        ({"emissions_t": 75.0}, 0.9),
        ({"power_mw": 3000.0, "emissions_t": 0.0}, 0.225),
    ],
)
def test_a_facility_that_lacks_its_power_or_its_emissions_does_not_change_the_intensity(
    second: dict[str, float], intensity: float
) -> None:
    of = database()
    of_both = {"timestamp": BEGIN, "network_region": "NSW1", "fuel_group": "coal"}
    for code, values in (("A", {"power_mw": 1000.0, "emissions_t": 75.0}), ("B", second)):
        of["facility"].documents[code] = {"_id": code, "facility_code": code, **of_both, **values}
    (found,) = market.fuel_sums(of, "facility", [due.five_minutes(BEGIN)])
    assert found == {
        "_id": f"NSW1|coal|{BEGIN.isoformat()}",
        "timestamp": BEGIN,
        "network_region": "NSW1",
        "fuel_group": "coal",
        "power_mw": 1000.0 + second.get("power_mw", 0.0),
        "emissions_t": 75.0 + second.get("emissions_t", 0.0),
        "facilities": 2,
        "intensity_t_per_mwh": intensity,
    }


@pytest.mark.parametrize("power_mw", [0.9, 1.0])
def test_of_a_fuel_of_less_than_a_megawatt_no_intensity_is_said(power_mw: float) -> None:
    of = database()
    reading = {"facility_code": "A", "timestamp": BEGIN, "network_region": "NSW1", "fuel_group": "gas"}
    of["facility"].documents["A"] = {"_id": "A", **reading, "power_mw": power_mw, "emissions_t": 0.05}
    (found,) = market.fuel_sums(of, "facility", [due.five_minutes(BEGIN)])
    assert found == {
        "_id": f"NSW1|gas|{BEGIN.isoformat()}",
        "timestamp": BEGIN,
        "network_region": "NSW1",
        "fuel_group": "gas",
        "power_mw": power_mw,
        "emissions_t": 0.05,
        "facilities": 1,
        **({"intensity_t_per_mwh": 0.6} if power_mw == 1.0 else {}),
    }
