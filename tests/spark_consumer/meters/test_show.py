"""The tables of ``show meters``."""

import sys
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from readings.connections import connect_mongodb
from spark_consumer import __main__
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


def shown(database: Any, day: date, *meters: str, width: int = 120) -> dict[str, str]:
    found = {}
    for title, table in show.tables(database, CALENDAR.day(day), LISBON, meters, width):
        console = Console(width=width)
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
    tables = shown(totals, date(2026, 11, 24), width=29)
    half_hours = {title: table for title, table in tables.items() if "half hour" in title}
    assert list(half_hours) == [f"Energy in each half hour of 2026-11-24, kWh ({number} of 3)" for number in (1, 2, 3)]
    assert [table.split("\n")[1].split("┃")[2:-1] for table in half_hours.values()] == [
        ["     a ", "     b "],
        ["     c ", "     d "],
        ["  home "],
    ]
    assert [table.count("10:30") for table in half_hours.values()] == [1, 1, 1]


@pytest.mark.parametrize("width", [9, 29, 47, 120])
def test_no_name_and_no_value_is_cut(totals: Any, width: int) -> None:
    of_home = [one for one in totals["meter_totals"].documents.values() if one["sensor_id"] == "home"]
    names = ["home", "a", "a meter with a long name", *"bcdefgh"]
    for name in names[1:]:
        totals["meter_totals"].documents |= {f"{name}|{one['_id']}": one | {"sensor_id": name} for one in of_home}
    found = show.tables(totals, CALENDAR.day(date(2026, 11, 24)), LISBON, [], width)
    tables = [table for title, table in found if "half hour" in title]
    console = Console(width=1000)
    widths = [console.measure(table).maximum for table in tables]
    assert sum(len(table.columns) - 1 for table in tables) == len(names)
    assert all(needed <= width for needed, table in zip(widths, tables, strict=True) if len(table.columns) > 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--day", "2026-12-01"], "No totals of 2026-12-01; the newest are of 2026-11-25: --day 2026-11-25."),
        (
            ["--day", "2026-12-01", "--meter", "home"],
            "No totals of home on 2026-12-01; the newest are of 2026-11-24: --day 2026-11-24.",
        ),
        (["--day", "2026-11-24", "--meter", "z"], "No totals of z on 2026-11-24; there are none at all yet."),
    ],
)
def test_where_there_is_nothing_it_says_which_day_has_something(
    totals: Any, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(__main__, "connect_mongodb", lambda _: totals)
    monkeypatch.setattr(sys, "argv", ["spark_consumer", "show", "meters", *words])
    code = __main__.main()
    assert (code, capsys.readouterr().out.strip()) == (1, said)


def test_a_server_that_is_away_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MONGODB_URI", "mongodb://127.0.0.1:1")
    monkeypatch.setattr(__main__, "connect_mongodb", partial(connect_mongodb, timeout_s=0.05))
    monkeypatch.setattr(sys, "argv", ["spark_consumer", "show", "meters"])
    assert __main__.main() == 1
    said = capsys.readouterr().err
    assert said.startswith("ended by: ServerSelectionTimeoutError: 127.0.0.1:1")
    assert said.count("\n") == 1
