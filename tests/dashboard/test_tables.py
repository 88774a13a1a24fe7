"""Tables: what stands in a cell, and that the CSV has the same rows."""

import csv
import io
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from streamlit.testing.v1 import AppTest

from dashboard.tables import Column, Row, badge, csv_text, sparkline, table_html

OSLO = ZoneInfo("Europe/Oslo")
COLUMNS = [Column("name", "Name"), Column("power_mw", "Power", "MW", 1), Column("at", "At")]
AT = datetime(2021, 1, 31, 23, 30, tzinfo=UTC)


def test_numbers_have_their_digits_and_times_the_readers_zone_with_utc_on_hover() -> None:
    html = table_html(COLUMNS, [{"name": "A", "power_mw": 1234.56, "at": AT}], OSLO, "powers")
    assert "1,234.6" in html
    assert ">2021-02-01 00:30</time>" in html
    assert 'title="2021-01-31 23:30:00 UTC"' in html
    assert "<small>MW</small>" in html


def test_a_name_cannot_be_html() -> None:
    html = table_html(COLUMNS, [{"name": "<script>alert(1)</script>", "power_mw": None, "at": None}], OSLO, "<b>")
    assert "<script>" not in html
    assert "<b>" not in html


def test_the_csv_has_whole_numbers_utc_and_units_and_nothing_a_spreadsheet_runs() -> None:
    rows = [{"name": badge("=1+1", "good"), "power_mw": 1234.5678, "at": AT}, {"name": "B"}]
    read = read_csv(COLUMNS, rows)
    assert read[0] == ["name", "power_mw (MW)", "at"]
    assert read[1] == ["'=1+1", "1234.5678", "2021-01-31T23:30:00+00:00"]
    assert read[2] == ["B", "", ""]


def test_the_csv_runs_nothing_of_a_heading_or_of_a_second_line_and_is_read_as_utf_8() -> None:
    columns = [Column('=HYPERLINK("http://x")', "A meter", "kWh"), Column("name", "Name")]
    heads, row = read_csv(columns, [{"name": "\n=1+1"}])
    assert heads == ['\'=HYPERLINK("http://x") (kWh)', "name"]
    assert row == ["", "'\n=1+1"]
    assert csv_text(columns, []).encode().startswith(b"\xef\xbb\xbf")


def test_what_is_not_a_number_or_not_a_time_is_nothing() -> None:
    row = {"name": "A", "power_mw": float("nan"), "at": pd.NaT}
    assert table_html(COLUMNS, [row], OSLO, "powers").count(">–<") == 2
    assert read_csv(COLUMNS, [row])[1] == ["A", "", ""]


def test_a_heading_stands_over_its_numbers() -> None:
    html = table_html(COLUMNS, [{"name": "A", "power_mw": None}, {"name": "B", "power_mw": 1.5}], OSLO, "powers")
    assert '<th scope="col" class="sw-number">Power' in html
    assert '<td class="sw-dim sw-number">–</td>' in html
    assert '<th scope="col">Name' in html


def long_table() -> None:
    from dashboard.tables import show_table
    from tests.dashboard.test_tables import COLUMNS, OSLO, made

    show_table("powers", COLUMNS, range(3720), OSLO, caption="powers", most=20, as_row=made)


def made(number: int) -> Row:
    MADE.append(number)
    return {"name": f"number {number}", "power_mw": number}


MADE: list[int] = []


def test_a_long_table_says_what_it_leaves_out_and_makes_no_row_that_it_does_not_show() -> None:
    MADE.clear()
    page = AppTest.from_function(long_table).run()
    assert not page.exception
    assert [one.value for one in page.caption] == ["The first 20 of 3,720; all are in the CSV."]
    assert len(MADE) == 20


def read_csv(columns: list[Column], rows: list[Any]) -> list[list[str]]:
    return list(csv.reader(io.StringIO(csv_text(columns, rows).removeprefix("\ufeff"))))


def test_a_sparkline_takes_equal_values_and_needs_two() -> None:
    assert "polygon(0% 100%,0% 88%,50% 88%,100% 88%,100% 100%)" in sparkline([1.0, 1.0, 1.0], "MW").html
    hill = sparkline([1.0, 2.5], "MW")
    assert (hill.text, "polygon(0% 100%,0% 88%,100% 8%,100% 100%)" in hill.html) == ("from 1.0 to 2.5 MW", True)
    assert "polygon" not in sparkline([1.0], "MW").html
