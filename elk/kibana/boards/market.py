"""Australia's electricity market: facilities, prices, demand, emissions."""

from elk.kibana.columns import Column, average, count, largest, over_time, top, total
from elk.kibana.dashboard import COLUMNS, Dashboard, Row
from elk.kibana.data_views import FACILITIES, MARKET, MARKET_TOTALS
from elk.kibana.panels import Layer, chart, points, table, text

HOW_TO_READ = """\
**Facilities**: the larger the point the more power, the redder the more emissions; a battery that charges gives \
negative power. *Intensity* is tonnes a megawatt hour. *Power by fuel* adds up five minutes, right up to three \
days. *Spikes* are prices far outside what the region's own last seven days were. Five minutes without numbers from a \
region: dashboard *Arrivals*."""


def _by_region(field: str, label: str, unit: str) -> Layer:
    columns = {
        "region": top("network_region", 6, "value", label="region"),
        "time": over_time("timestamp"),
        "value": average(field, label, unit),
    }
    return Layer(MARKET, columns, split="region")


_INTENSITY = average("intensity_t_per_mwh", "mean intensity", "t/MWh")
_EMISSIONS = total("emissions_t", "emissions", "t")


def _of_market(by: str, label: str, value: Column) -> Layer:
    columns = {by: top(by, 12, "value", label=label), "time": over_time("timestamp"), "value": value}
    return Layer(MARKET_TOTALS, columns, split=by)


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
                chart("Emission intensity by fuel", _of_market("fuel_group", "fuel", _INTENSITY), y="t/MWh"),
                chart("Emissions by region", _of_market("network_region", "region", _EMISSIONS), y="t"),
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
