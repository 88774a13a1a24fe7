"""Charts: made once for the same arguments, with the rows beside them."""

import json

import pyarrow as pa
from streamlit.testing.v1 import AppTest

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
    values = []
    for one in shown:
        (rows,) = one.datasets
        assert rows.name == json.loads(one.spec)["data"]["name"]
        values += pa.ipc.open_stream(rows.data.data).read_all()["value"].to_pylist()
    assert values == [1.0, 2.0]
