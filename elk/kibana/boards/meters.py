"""What homes use and what it costs."""

from elk.kibana.columns import largest, newest, over_time, top
from elk.kibana.dashboard import Dashboard, Row
from elk.kibana.data_views import METER_TOTALS
from elk.kibana.panels import Layer, chart, table, text

HOW_TO_READ = """\
**Totals so far**: each bar is the newest of the time range, so open it with *today*; a line's point is the total at \
the end of its half hour. Days and half hours are of the tariff's zone, and a day that the clock change lengthens has \
50 half hours. A line that stops is a meter that is not heard of (dashboard *Arrivals*); a step after a gap is the \
energy of the gap, spread evenly over it."""


def _by_meter(field: str, label: str, unit: str) -> Layer:
    columns = {
        "meter": top("sensor_id", 50, "value", label="meter"),
        "value": newest(field, label, unit, by="timestamp"),
    }
    return Layer(METER_TOTALS, columns, series="bar_horizontal", x="meter")


def _lines(field: str, label: str, unit: str) -> Layer:
    columns = {
        "meter": top("sensor_id", 20, "value", label="meter"),
        "time": over_time("half_hour", "30m"),
        "value": newest(field, label, unit, by="timestamp"),
    }
    return Layer(METER_TOTALS, columns, split="meter")


DASHBOARD = Dashboard(
    "meters",
    "4 Meters",
    "Energy of today, by half hour and of the month, and what it costs",
    "now/d",
    "now",
    [
        Row(5, [text(HOW_TO_READ)]),
        Row(
            14,
            [
                chart("Energy today", _by_meter("day_kwh", "today", "kWh"), y="kWh"),
                chart("Energy this month", _by_meter("month_kwh", "this month", "kWh"), y="kWh"),
                chart("Cost today", _by_meter("day_cost_eur", "today", "EUR"), y="EUR"),
            ],
        ),
        Row(
            16,
            [
                table(
                    "Half hours",
                    Layer(
                        METER_TOTALS,
                        {
                            "half_hour": over_time("half_hour", "30m"),
                            "meter": top("sensor_id", 50, "energy", label="meter"),
                            "energy": largest("half_hour_kwh", "energy", "kWh"),
                        },
                    ),
                    sort="half_hour",
                    ascending=True,
                    across="meter",
                )
            ],
        ),
        Row(
            12,
            [
                chart("Energy of the day as it adds up", _lines("day_kwh", "today", "kWh"), y="kWh"),
                chart("Cost of the day as it adds up", _lines("day_cost_eur", "today", "EUR"), y="EUR"),
            ],
        ),
    ],
)
