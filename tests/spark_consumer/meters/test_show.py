"""The tables of ``show meters``."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from spark_consumer.__main__ import parser
from spark_consumer.meters import show
from tests.spark_consumer.meters.counting import CALENDAR, Counting

LISBON = ZoneInfo("Europe/Lisbon")


@pytest.fixture
def totals(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Of a meter that is silent since the 24th, and of one that is not."""
    counting = Counting(monkeypatch)
    begin = datetime(2026, 11, 24, 10, tzinfo=UTC)
    counting.send([(begin + timedelta(minutes=15 * number), 100 + number) for number in range(9)])
    found = counting.database["meter_totals"].documents
    other = [{**one, "_id": f"other|{_id}", "sensor_id": "other"} for _id, one in found.items()]
    moved = timedelta(days=1)
    for one in other:
        one |= {name: one[name] + moved for name in ("timestamp", "until", "half_hour")} | {"day": "2026-11-25"}
    found |= {one["_id"]: one for one in other}
    return counting.database


def shown(database: Any, day: date, *meters: str, columns: int = 12) -> dict[str, str]:
    found = {}
    for title, table in show.tables(database, CALENDAR.day(day), LISBON, meters, columns):
        console = Console(width=120)
        with console.capture() as capture:
            console.print(table)
        found[title.partition(" so far")[0]] = capture.get()
    return found


def test_the_months_table_has_meters_that_are_silent_today(totals: Any) -> None:
    tables = shown(totals, date(2026, 11, 25))
    assert "other" in tables["Energy in 2026-11"]
    assert "home" in tables["Energy in 2026-11"]
    assert "24 12:00" in tables["Energy in 2026-11"], "of which day it is"
    assert "home" not in tables["Energy on 2026-11-25"]


def test_just_after_midnight_the_month_is_there_and_the_day_is_empty(totals: Any) -> None:
    tables = shown(totals, date(2026, 11, 26))
    assert "8.000" in tables["Energy in 2026-11"]
    assert "home" not in tables["Energy on 2026-11-26"]


def test_a_day_does_not_know_what_comes_after_it(totals: Any) -> None:
    assert "other" not in shown(totals, date(2026, 11, 24))["Energy in 2026-11"]


def test_without_totals_of_the_month_there_are_no_tables(totals: Any) -> None:
    assert shown(totals, date(2026, 12, 1)) == {}
    assert shown(totals, date(2026, 11, 25), "another") == {}


def test_half_hours_of_many_meters_are_tables_below_each_other(totals: Any) -> None:
    of_home = [one for one in totals["meter_totals"].documents.values() if one["sensor_id"] == "home"]
    for name in "abcd":
        totals["meter_totals"].documents |= {f"{name}|{one['_id']}": one | {"sensor_id": name} for one in of_home}
    tables = shown(totals, date(2026, 11, 24), columns=2)
    half_hours = {title: table for title, table in tables.items() if "half hour" in title}
    assert list(half_hours) == [f"Energy in each half hour of 2026-11-24, kWh ({number} of 3)" for number in (1, 2, 3)]
    assert [table.split("\n")[1].split("┃")[2:-1] for table in half_hours.values()] == [
        ["     a ", "     b "],
        ["     c ", "     d "],
        ["  home "],
    ]
    assert [table.count("10:30") for table in half_hours.values()] == [1, 1, 1]


@pytest.mark.parametrize("columns", ["0", "-3", "many"])
def test_columns_are_at_least_one(columns: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["show", "meters", "--columns", columns])
    assert f"read '{columns}', expected a number of meters, at least 1" in capsys.readouterr().err
