"""Charts: made once for the same arguments, with the rows beside them."""

import json
from datetime import timedelta

import pandas as pd
from streamlit.testing.v1 import AppTest

from dashboard import charts
from tests.dashboard.one_page import drawn

made: list[str] = []


def two_charts() -> None:
    from typing import Any

    import altair as alt
    import pandas as pd

    from dashboard import charts
    from tests.dashboard.test_charts import made

    @charts.made_once
    def line(unit: str) -> Any:
        made.append(unit)
        y = alt.Y("value:Q", title=unit)
        return charts.chart_of_rows().mark_line().encode(x=charts.time_axis(), y=y)

    for number in (1.0, 2.0):
        rows = pd.DataFrame({"timestamp": pd.to_datetime(["2026-11-27T00:05Z"]), "value": [number]})
        charts.show(line("MW"), rows, f"chart {number}", "A line", 111)


def test_a_chart_is_made_once_and_shown_with_the_rows_of_each_time() -> None:
    made.clear()
    page = AppTest.from_function(two_charts).run()
    assert not page.exception
    assert made == ["MW"]
    shown = [one.proto for one in page.get("vega_lite_chart")]
    assert [json.loads(one.spec)["height"] for one in shown] == [111, 111]
    assert json.loads(shown[0].spec)["config"] == {"mark": {"aria": False}}
    assert [one.datasets[0].name for one in shown] == [json.loads(one.spec)["data"]["name"] for one in shown]
    assert [list(rows["value"]) for rows in drawn(page)] == [[1.0], [2.0]]


def rows_of(name: str, *minutes: float) -> pd.DataFrame:
    at = pd.Timestamp("2026-11-27T00:00Z") + pd.to_timedelta(list(minutes), unit="min")
    return pd.DataFrame({"timestamp": at, "name": name, "value": 1.0})


def nulls_of(rows: pd.DataFrame, cadence_min: int) -> list[tuple[str, float]]:
    """Whose line is broken, and after how many minutes."""
    drawn = charts.broken(rows, timedelta(minutes=cadence_min), ["name"])
    assert drawn["timestamp"].is_monotonic_increasing
    assert len(drawn.dropna()) == len(rows)
    first = pd.Timestamp("2026-11-27T00:00Z")
    return [
        (one["name"], (one["timestamp"] - first).total_seconds() / 60)
        for _, one in drawn[drawn["value"].isna()].iterrows()
    ]


def test_a_line_is_broken_where_a_series_has_a_gap_and_no_other_is() -> None:
    gapped, whole = rows_of("NSW1", 0, 5, 10, 130, 135), rows_of("VIC1", *range(0, 140, 5))
    assert nulls_of(pd.concat([gapped, whole]), 5) == [("NSW1", 70.0)]
    assert nulls_of(rows_of("NSW1", 0, 5, 20, 25, 200), 5) == [("NSW1", 112.5)]


def test_readings_of_the_past_that_are_hourly_are_no_gaps() -> None:
    past, live = range(0, 600, 60), range(600, 900, 15)
    assert nulls_of(rows_of("Oslo", *past, *live), 15) == []
    assert nulls_of(rows_of("Oslo", *past, *(minutes + 600 for minutes in live)), 15) == [("Oslo", 870.0)]


def test_nothing_is_no_gap() -> None:
    assert nulls_of(rows_of("Oslo"), 15) == []
