"""The meters' page as a reader sees it, without a browser: on a store in memory."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import streamlit as st

from dashboard import queries
from dashboard.meters import MonthsReader
from dashboard.store import Store
from tests.dashboard.one_page import DAY, charts, page, read_csv, text
from tests.dashboard.stand_in import reading


def total(meter: str, at: datetime, kwh: float = 1.0, cost_eur: float = 0.2, period: str = "vazio") -> dict[str, Any]:
    """Of five minutes from an instant; the tariff's day is UTC's in winter."""
    half_hour = at.replace(minute=at.minute // 30 * 30)
    sums = {"month_kwh": 10 * kwh, "day_kwh": 2 * kwh, "day_cost_eur": 2 * cost_eur}
    of_half_hour = {"half_hour": half_hour, "half_hour_kwh": kwh, "half_hour_cost_eur": cost_eur, "period": period}
    times = {"timestamp": at, "until": at + timedelta(minutes=5), "day": f"{at:%Y-%m-%d}", "month": f"{at:%Y-%m}"}
    return {"_id": f"{meter}|{at}", "sensor_id": meter, **times, **sums, **of_half_hour}


def test_the_newest_day_of_meters_goes_on_at_midnight_and_a_chosen_one_stays(here: Store) -> None:
    here.database["meter_totals"].put(total("home-A", DAY))
    told = page("meters")
    (day,) = told.date_input
    assert day.value == DAY.date()
    here.database["meter_totals"].put(total("home-A", DAY + timedelta(days=1)))
    st.cache_resource.clear()
    told.run()
    (day,) = told.date_input
    assert day.value == DAY.date() + timedelta(days=1)
    day.set_value(DAY.date()).run()
    here.database["meter_totals"].put(total("home-A", DAY + timedelta(days=2)))
    st.cache_resource.clear()
    told.run()
    assert told.date_input[0].value == DAY.date()


def test_meters_that_stopped_long_ago_show_their_newest_day(here: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "NEWEST_LOOKED_BACK_DAYS", 40)
    at = datetime.now(UTC).replace(hour=12) - timedelta(days=100)
    here.database["meter"].put(reading("home-A", at, sensor_id="home-A", energy_kwh=1.0))
    here.database["meter_totals"].put(total("home-A", at))
    told: list[str] = []
    for _ in range(100):  # it is looked for in the background
        st.cache_resource.clear()
        page_told = page("meters")
        told = [str(one.value) for one in page_told.date_input]
        if told:
            break
    assert told == [f"{at:%Y-%m-%d}"]


def test_half_hours_have_the_stores_energy_and_say_their_utc(here: Store, downloads: dict[str, str]) -> None:
    for minutes, meter, kwh, cost, period, day_kwh, day_cost in (
        (0, "home-A", 0.25, 0.05, "vazio", 0.25, 0.05),
        (5, "home-A", 0.5, 0.1, "vazio", 0.5, 0.1),
        (30, "home-A", 0.75, 0.3, "ponta", 1.25, 0.4),
        (30, "home-B", 1.5, 0.6, "ponta", 1.5, 0.6),
    ):
        one = total(meter, DAY + timedelta(minutes=minutes), kwh, cost, period)
        here.database["meter_totals"].put(one | {"day_kwh": day_kwh, "day_cost_eur": day_cost})
    told = text(page("meters"))
    assert '<time datetime="2026-11-20T00:30:00+00:00" title="2026-11-20 00:30:00 UTC">00:30 WET</time>' in told
    assert read_csv(downloads["half-hours"]) == [
        {"from": "2026-11-20T00:00:00+00:00", "period": "vazio", "home-A (kWh)": "0.5", "home-B (kWh)": ""},
        {"from": "2026-11-20T00:30:00+00:00", "period": "ponta", "home-A (kWh)": "0.75", "home-B (kWh)": "1.5"},
    ]
    of_period = {
        row["period"]: (float(row["kwh (kWh)"]), float(row["eur (EUR)"])) for row in read_csv(downloads["periods"])
    }
    assert of_period == {"vazio": (0.5, 0.1), "ponta": (2.25, pytest.approx(0.9))}


def test_what_of_a_day_is_not_known_by_half_hour_has_a_row_of_its_own(here: Store, downloads: dict[str, str]) -> None:
    """A day within a gap of weeks has one total, of its last half hour."""
    sums = {"day_kwh": 24.12, "day_cost_eur": 3.79}
    last = DAY + timedelta(hours=23, minutes=30)
    here.database["meter_totals"].put(total("home-A", last, 0.5, 0.05) | sums, total("home-B", last, 0.5, 0.05) | sums)
    (chart,) = charts(page("meters"))
    assert chart["encoding"]["color"]["scale"]["domain"] == ["vazio", "not known by half hour"]
    rows = [
        (row["period"], *(float(row[of]) for of in ("kwh (kWh)", "eur (EUR)")))
        for row in read_csv(downloads["periods"])
    ]
    assert rows == [
        ("vazio", 1.0, pytest.approx(0.1)),
        ("not known by half hour", pytest.approx(2 * 23.62), pytest.approx(2 * 3.74)),
    ]


@pytest.mark.parametrize("last_read", [timedelta(minutes=5), timedelta(days=1)])
def test_a_meter_that_is_silent_since_days_has_its_month_and_no_day(
    here: Store, downloads: dict[str, str], last_read: timedelta
) -> None:
    """What is read at midnight is of the day before."""
    before = DAY - timedelta(days=3)
    here.database["meter_totals"].put(total("home-A", DAY, 1.0), total("home-B", before, 7.0))
    here.database["meter"].put(reading("home-B", before + last_read, sensor_id="home-B", energy_kwh=1.0))
    page("meters")
    rows = read_csv(downloads["totals"])
    assert [(one["meter"], one["month_kwh (kWh)"], one["day_kwh (kWh)"]) for one in rows] == [
        ("home-B", "70.0", ""),
        ("home-A", "10.0", "2.0"),
    ]


def test_days_and_half_hours_are_of_the_zone_of_the_consumers_tariff(here: Store, downloads: dict[str, str]) -> None:
    consumer = {"state": "running", "since": DAY, "waiting_for": None, "counts": {}, "at": DAY}
    here.database["parts"].put({"_id": "consumer", **consumer, "tariff_zone": "Australia/Sydney"})
    midnight, before = DAY - timedelta(hours=11), DAY - timedelta(hours=28)  # the 20th's, and the 19th at 07:00
    here.database["meter_totals"].put(
        total("home-A", midnight) | {"day": "2026-11-20"}, total("home-B", before, 7.0) | {"day": "2026-11-19"}
    )
    here.database["meter"].put(reading("home-B", before, sensor_id="home-B", energy_kwh=1.0))
    told = text(page("meters"))
    assert ">From (Sydney)<" in told
    assert 'title="2026-11-19 13:00:00 UTC">00:00 AEDT</time>' in told
    assert [one["meter"] for one in read_csv(downloads["totals"])] == ["home-B", "home-A"], "the silent one's day"


def test_of_many_meters_those_that_used_the_most_are_shown(here: Store, downloads: dict[str, str]) -> None:
    names = [f"meter-{number:03}" for number in range(100)]
    here.database["sources"].put(
        {"_id": "meter", "source": "file", "series": names, "cadence_s": 300, "since": DAY, "added": []}
    )
    here.database["meter_totals"].put(*(total(name, DAY, number) for number, name in enumerate(names)))
    told = page("meters")
    assert [one["meter"] for one in read_csv(downloads["totals"])] == names[:-31:-1]
    assert [one.value for one in told.caption][-1] == (
        "The 30 of 100 meters that used the most this month; choose others above."
    )
    page("meters", meter="meter-007")
    assert [one["meter"] for one in read_csv(downloads["totals"])] == ["meter-007"]


def test_of_many_meters_one_that_is_silent_is_shown_where_it_used_the_most(
    here: Store, downloads: dict[str, str]
) -> None:
    """Its month is looked for on the days before, and those of many silent ones together."""
    names = [f"meter-{number:03}" for number in range(130)]
    declaration = {"source": "file", "series": names, "cadence_s": 300, "since": DAY, "added": []}
    here.database["sources"].put({"_id": "meter", **declaration})
    first, month_before = DAY.replace(day=1), DAY.replace(day=1) - timedelta(days=1)
    here.database["meter_totals"].put(
        *(total(name, DAY, number) for number, name in enumerate(names[:70])),
        *(total("meter-128", first + timedelta(minutes=minutes), 500.0 + minutes) for minutes in (5, 0)),
        total("meter-129", month_before, 1000.0),
    )
    here.database["meter"].put(reading("meter-128", first + timedelta(minutes=5), sensor_id="meter-128"))
    reader = MonthsReader(here)
    while not (seen := reader.read()).whole:
        pass
    assert [(one, seen.kwh[one]) for one in seen.largest(names)[:2]] == [("meter-128", 5050.0), ("meter-069", 690.0)]
    assert "meter-129" not in seen.kwh, "its total is of the month before"
    assert sum("sensor_id" in which for which in here.database["meter_totals"].asked) < 300
    page("meters")
    assert read_csv(downloads["totals"])[0]["meter"] == "meter-128"


def test_after_midnight_months_that_are_known_are_not_looked_for_again(here: Store) -> None:
    names = [f"meter-{number:03}" for number in range(40)]
    declaration = {"source": "file", "series": names, "cadence_s": 300, "since": DAY, "added": []}
    here.database["sources"].put({"_id": "meter", **declaration})
    totals = here.database["meter_totals"]
    totals.put(*(total(name, DAY, number) for number, name in enumerate(names)))
    reader = MonthsReader(here)
    while not (seen := reader.read()).whole:
        pass
    before = seen.kwh
    totals.put(total(names[0], DAY + timedelta(days=1), 99.0))
    totals.asked.clear()
    for _ in names:  # a round at least is of the new day
        seen = reader.read()
    assert seen.kwh == {**before, names[0]: 990.0}
    assert not [which for which in totals.asked if isinstance(which.get("sensor_id"), dict)], "many, on older days"


def test_where_all_that_are_shown_are_silent_their_months_are_there(here: Store, downloads: dict[str, str]) -> None:
    """As just after midnight, or where those that use the most are away."""
    day_before = DAY - timedelta(days=1)
    here.database["meter_totals"].put(total("home-A", day_before, 4.0), total("home-B", DAY, 1.0))
    here.database["meter"].put(reading("home-A", day_before + timedelta(minutes=5), sensor_id="home-A"))
    told = page("meters", meter="home-A")
    (row,) = read_csv(downloads["totals"])
    assert (row["meter"], row["month_kwh (kWh)"], row["day_kwh (kWh)"]) == ("home-A", "40.0", "")
    assert [one.value for one in told.info] == [
        f"None of these meters has totals of {DAY:%Y-%m-%d}. Choose another day or other meters."
    ]


def test_each_of_many_tariff_periods_has_a_colour(here: Store) -> None:
    for number in range(8):
        at = DAY + timedelta(minutes=30 * number)
        here.database["meter_totals"].put(total("home-A", at, period=f"period {number}"))
    (chart,) = charts(page("meters"))
    scale = chart["encoding"]["color"]["scale"]
    assert len(scale["domain"]) == len(scale["range"]) == 8


def test_a_meters_small_line_is_of_what_was_used(here: Store, downloads: dict[str, str]) -> None:
    now = datetime.now(UTC)
    for minutes, kwh in ((15, 1000.0), (10, 1000.5), (5, 1002.5)):
        at = now - timedelta(minutes=minutes)
        here.database["meter"].put(reading("home-A", at, sensor_id="home-A", energy_kwh=kwh))
    page("arrivals", stream="meter", name="home-A")
    (row,) = read_csv(downloads["series"])
    assert (row["value"], row["recent"]) == ("1002.5", "from 0.5 to 2.0 kWh")
