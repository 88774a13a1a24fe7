"""Australia's electricity market: facilities, prices, demand, emissions."""

from elk.kibana.columns import average, count, each, largest, over_time, ratio, top, total
from elk.kibana.dashboard import COLUMNS, Dashboard, Row
from elk.kibana.data_views import FACILITIES, MARKET, MARKET_TOTALS
from elk.kibana.panels import Layer, chart, points, table, text

READINGS_AN_HOUR = 12
"""Of a facility: megawatts in five minutes are a twelfth of as many megawatt hours."""

HOW_TO_READ = """\
**Facilities**: the larger the point the more power, the redder the more emissions; a battery that charges gives \
negative power. *Price* and *demand* are means of the five minutes in a step, each of which has its end as its time. \
*Power by fuel* adds up five minutes, right up to three days. *Intensity* is tonnes a megawatt hour: all that a fuel's \
facilities emitted over all that they generated, where they give both. *Spikes* are prices far outside what the \
region's own last seven days were. Five minutes without numbers from a region: dashboard *Arrivals*."""


def _by_region(field: str, label: str, unit: str) -> Layer:
    columns = {
        "region": top("network_region", 6, "value", label="region"),
        "time": over_time("timestamp"),
        "value": average(field, label, unit),
    }
    return Layer(MARKET, columns, split="region")


DASHBOARD = Dashboard(
    "market",
    "5 Market",
    "Facilities by power and emissions, price and demand by region, intensity, spikes",
    "now-24h",
    "now",
    [
        Row(5, [text(HOW_TO_READ)]),
        Row(
            20,
            [
                points(
                    "Facilities",
                    FACILITIES,
                    "location",
                    each="facility_code",
                    newest="timestamp",
                    colour="emissions_t",
                    size="power_mw",
                ),
                table(
                    "Facilities, most power first",
                    Layer(
                        FACILITIES,
                        {
                            "facility": top("facility_code", 100, "power", label="facility"),
                            "power": average("power_mw", "mean power", "MW"),
                            "emissions": total("emissions_t", "emissions", "t"),
                        },
                    ),
                    sort="power",
                ),
            ],
            (30, COLUMNS - 30),
        ),
        Row(
            13,
            [
                chart("Price by region", _by_region("price_per_mwh", "price", "AUD/MWh"), y="AUD/MWh"),
                chart("Demand by region", _by_region("demand_mw", "demand", "MW"), y="MW"),
            ],
        ),
        Row(
            13,
            [
                chart(
                    "Power by fuel",
                    Layer(
                        MARKET_TOTALS,
                        {
                            "fuel": top("fuel_group", 12, "power", label="fuel"),
                            "time": over_time("timestamp", "5m"),
                            "power": total("power_mw", "power", "MW"),
                        },
                        series="area_stacked",
                        split="fuel",
                    ),
                    y="MW",
                ),
                chart(
                    "Emission intensity by fuel",
                    Layer(
                        FACILITIES,
                        {
                            "fuel": each("fuel_group", 12, label="fuel"),
                            "time": over_time("timestamp"),
                            **ratio(
                                "intensity", "emissions_t", "power_mw", "intensity", "t/MWh", times=READINGS_AN_HOUR
                            ),
                        },
                        split="fuel",
                    ),
                    query="power_mw: * and emissions_t: *",
                    y="t/MWh",
                ),
                chart(
                    "Emissions by region in a step",
                    Layer(
                        MARKET_TOTALS,
                        {
                            "region": top("network_region", 6, "emissions", label="region"),
                            "time": over_time("timestamp"),
                            "emissions": total("emissions_t", "emissions", "t"),
                        },
                        split="region",
                    ),
                    y="t",
                ),
            ],
        ),
        Row(
            11,
            [
                chart(
                    "Spikes",
                    Layer(
                        MARKET_TOTALS,
                        {
                            "region": top("network_region", 6, "spikes", label="region"),
                            "time": over_time("timestamp"),
                            "spikes": count("Spikes"),
                        },
                        series="bar_stacked",
                        split="region",
                    ),
                    query="spike: true",
                ),
                table(
                    "Highest prices",
                    Layer(
                        MARKET,
                        {
                            "region": top("network_region", 6, "price", label="region"),
                            "price": largest("price_per_mwh", "highest price", "AUD/MWh"),
                            "demand": largest("demand_mw", "highest demand", "MW"),
                        },
                    ),
                    sort="price",
                ),
            ],
        ),
    ],
)
