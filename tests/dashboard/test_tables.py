"""Tables: what stands in a cell, and that the CSV has the same rows."""

import csv
import io
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dashboard.tables import Column, badge, csv_text, sparkline, table_html

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
    read = list(csv.reader(io.StringIO(csv_text(COLUMNS, rows))))
    assert read[0] == ["name", "power_mw (MW)", "at"]
    assert read[1] == ["'=1+1", "1234.5678", "2021-01-31T23:30:00+00:00"]
    assert read[2] == ["B", "", ""]


def test_a_sparkline_takes_equal_values_and_needs_two() -> None:
    assert "img" in sparkline([1.0, 1.0, 1.0], "#000").html
    assert "img" not in sparkline([1.0], "#000").html
