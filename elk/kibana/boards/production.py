"""What Norway's production groups fed in."""

from elk.kibana.columns import count, over_time, top, total
from elk.kibana.dashboard import Dashboard, Row
from elk.kibana.data_views import PRODUCTION
from elk.kibana.panels import Layer, chart, table, text

HOW_TO_READ = """\
**Elhub publishes an hour about a day later and revises it for two weeks**: the newest day is empty and the days \
before it still change. *Revisions* counts changed values by the hour they belong to; many in old hours mean that \
Elhub corrected a whole period. Late means later than the 72 hours that `skywatt.yml` allows. Months begin where \
Kibana's time zone has them begin (*Advanced Settings*, `dateFormat:tz`): Norway's with Europe/Oslo."""


def _energy(title: str, by: str, interval: str, series: str) -> Layer:
    columns = {
        by: top(by, 5, "energy", label=title),
        "time": over_time("start_time", interval),
        "energy": total("quantity_kwh", "energy", "kWh"),
    }
    return Layer(PRODUCTION, columns, series=series, split=by)


DASHBOARD = Dashboard(
    "production",
    "3 Production",
    "Energy by production group and price area, hourly and by month, with revisions",
    "now-30d",
    "now",
    [
        Row(5, [text(HOW_TO_READ)]),
        Row(
            14,
            [
                chart("By group, hourly", _energy("group", "production_group", "1h", "area_stacked"), y="kWh"),
                chart("By area, hourly", _energy("area", "price_area", "1h", "area_stacked"), y="kWh"),
            ],
        ),
        Row(
            13,
            [
                chart("By group and month", _energy("group", "production_group", "1M", "bar_stacked"), y="kWh"),
                chart("By area and month", _energy("area", "price_area", "1M", "bar_stacked"), y="kWh"),
                table(
                    "Areas and groups",
                    Layer(
                        PRODUCTION,
                        {
                            "area": top("price_area", 5, "energy", label="area"),
                            "group": top("production_group", 5, "energy", label="group"),
                            "energy": total("quantity_kwh", "energy", "kWh"),
                        },
                    ),
                    sort="energy",
                    across="group",
                ),
            ],
        ),
        Row(
            11,
            [
                chart(
                    "Revisions",
                    Layer(
                        PRODUCTION,
                        {
                            "area": top("price_area", 5, "revisions", label="area"),
                            "time": over_time("start_time"),
                            "revisions": total("revision", "revisions"),
                        },
                        series="bar_stacked",
                        split="area",
                    ),
                ),
                chart(
                    "Revised hours by group",
                    Layer(
                        PRODUCTION,
                        {
                            "group": top("production_group", 5, "hours", label="group"),
                            "hours": count("Revised hours"),
                        },
                        series="bar_horizontal",
                        x="group",
                    ),
                    query="revision >= 1",
                ),
            ],
        ),
    ],
)
