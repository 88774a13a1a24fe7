"""Months of Oslo's, which months of a year can be compared, and what the store is asked."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from dashboard.queries import (
    comparable,
    conditions_of,
    declared_groups,
    half_hours,
    hours_of,
    month_of,
    temperatures_of,
)
from tests.dashboard.stand_in import reading, stand_in


@pytest.mark.parametrize(
    ("first", "hours"), [(date(2021, 1, 1), 744), (date(2021, 3, 1), 743), (date(2021, 10, 1), 745)]
)
def test_a_month_has_an_hour_less_or_more_where_the_clock_changes(first: date, hours: int) -> None:
    begins, ends = month_of(first)
    assert (ends - begins).total_seconds() == hours * 3600


def test_shares_are_of_the_months_that_all_groups_are_known_of() -> None:
    rows = [("hydro", 1, 744), ("wind", 1, 744), ("hydro", 2, 672), ("hydro", 3, 743), ("wind", 3, 700)]
    sums = pd.DataFrame(rows, columns=["production_group", "month", "hours"])
    assert sorted(comparable(sums, ["hydro", "wind"])["month"].unique()) == [1]
    assert sorted(comparable(sums, ["hydro"])["month"].unique()) == [1], "what is stored counts, declared or not"
    assert comparable(sums, ["hydro", "wind", "solar"]).empty, "nothing is known of solar"


def test_the_groups_of_an_area_are_those_that_are_declared_of_it() -> None:
    here = stand_in()
    assert declared_groups(here, "NO2") == ["hydro", "other", "solar", "thermal", "wind"]
    config = here.streams["production"].config
    fewer = config.model_copy(update={"series": ["NO1/hydro", "NO2/hydro", "NO2/wind"]})
    here.streams["production"] = replace(here.streams["production"], config=fewer)
    assert declared_groups(here, "NO2") == ["hydro", "wind"]


def test_a_half_hour_counts_its_last_total() -> None:
    rows = [
        {"sensor_id": "A", "half_hour": at, "half_hour_kwh": kwh, "half_hour_cost_eur": kwh / 10, "period": "vazio"}
        for at, kwh in (("00:00", 0.1), ("00:00", 0.4), ("00:30", 0.2))
    ]
    assert list(half_hours(pd.DataFrame(rows))["half_hour_kwh"]) == [0.4, 0.2]


def test_oslos_wall_times_have_a_zone_so_that_no_browser_moves_them() -> None:
    here = stand_in()
    before = datetime(2021, 10, 30, 23, tzinfo=UTC)
    for number in range(3):
        at = before + timedelta(hours=number)
        names = {"price_area": "NO1", "production_group": "hydro", "start_time": at}
        here.database["production"].put({"_id": str(at), **names, "quantity_kwh": 1.0, "revision": 0})
    hours = hours_of(here, "NO1", "hydro", date(2021, 10, 1))
    assert str(hours["oslo"].dt.tz) == "UTC"
    assert list(hours["oslo"].dt.strftime("%H:%M")) == ["01:00", "02:00", "02:00"]
    assert list(hours["zone"]) == ["CEST", "CEST", "CET"]


def test_of_many_readings_the_temperatures_alone_are_read_and_of_the_newest_all() -> None:
    here = stand_in()
    newest = datetime(2026, 11, 27, 12, tzinfo=UTC)
    for number in range(5000):
        at = newest - timedelta(minutes=number)
        values = {"region": "Oslo", "temperature_c": float(number), "humidity_pct": 80.0, "sunrise": newest}
        here.database["weather"].put(reading("Oslo", at, **values))
    temperatures = temperatures_of(here, "Oslo", newest - timedelta(days=28), newest, most=800)
    assert list(temperatures.columns) == ["timestamp", "temperature_c"]
    assert 800 <= len(temperatures) < 1000
    assert temperatures.iloc[-1]["temperature_c"] == 0
    assert temperatures["timestamp"].is_monotonic_increasing
    last = conditions_of(here, "Oslo", newest)
    assert (last["temperature_c"], last["humidity_pct"], last["rain_mm"]) == (0.0, 80.0, None)
