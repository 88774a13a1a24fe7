"""The weather, what was forecast, and how good the forecasts are."""

from elk.kibana.columns import average, count, each, either, largest, over_time, top
from elk.kibana.dashboard import COLUMNS, Dashboard, Row
from elk.kibana.data_views import FORECASTS, WEATHER
from elk.kibana.panels import Layer, chart, points, text

HOW_TO_READ = """\
**Temperature and its forecast**: means over all places, and over all forecasts that were made of an hour; type \
`region: Bergen` above for one place. **Readings inside the interval**, *lower* to *upper*: eight of ten should be. \
**Error by horizon**: forecast minus reading by the hours ahead; a *bias* away from zero is a forecast that is too \
warm or too cold, the *mean absolute error* grows with the hours. **Rain** is that of the hour before a reading, and \
several readings come within an hour: it does not add up, so the most is shown. A place without new temperatures: see \
the dashboard *Arrivals*."""

DASHBOARD = Dashboard(
    "weather",
    "2 Weather and forecasts",
    "Temperatures, forecasts with their intervals, and their errors",
    "now-3d",
    "now+2d",
    [
        Row(5, [text(HOW_TO_READ)]),
        Row(
            15,
            [
                chart(
                    "Temperature and its forecast",
                    Layer(
                        WEATHER,
                        {"time": over_time("timestamp"), "measured": average("temperature_c", "measured", "°C")},
                    ),
                    Layer(
                        FORECASTS,
                        {
                            "forecast_time": over_time("timestamp"),
                            "forecast": average("temperature_c", "forecast", "°C"),
                            "lower": average("lower_c", "lower", "°C"),
                            "upper": average("upper_c", "upper", "°C"),
                        },
                        x="forecast_time",
                    ),
                    y="°C",
                ),
                points("Places", WEATHER, "location", each="region", newest="timestamp", colour="temperature_c"),
            ],
            (32, COLUMNS - 32),
        ),
        Row(
            13,
            [
                chart(
                    "Forecast error by horizon",
                    Layer(
                        FORECASTS,
                        {
                            "horizon": each("horizon_h", 168, label="hours ahead", kind="number"),
                            "bias": average("error", "bias", "°C"),
                            "off": average("off", "mean absolute error", "°C"),
                        },
                        x="horizon",
                    ),
                    y="°C",
                ),
                chart(
                    "Readings inside the interval, by horizon",
                    Layer(
                        FORECASTS,
                        {
                            "inside": either({"inside": "inside: true", "outside": "inside: false"}, "interval"),
                            "horizon": each("horizon_h", 168, label="hours ahead", kind="number"),
                            "forecasts": count("Forecasts"),
                        },
                        series="bar_percentage_stacked",
                        x="horizon",
                        split="inside",
                    ),
                ),
            ],
        ),
        Row(
            12,
            [
                chart(
                    "Temperature by place",
                    Layer(
                        WEATHER,
                        {
                            "region": top("region", 13, "temperature", label="place"),
                            "time": over_time("timestamp"),
                            "temperature": average("temperature_c", "temperature", "°C"),
                        },
                        split="region",
                    ),
                    y="°C",
                ),
                chart(
                    "Most rain in an hour, by place",
                    Layer(
                        WEATHER,
                        {
                            "region": top("region", 13, "rain", label="place"),
                            "time": over_time("timestamp"),
                            "rain": largest("rain_mm", "most rain in an hour", "mm"),
                        },
                        split="region",
                    ),
                    y="mm in an hour",
                ),
            ],
        ),
    ],
)
