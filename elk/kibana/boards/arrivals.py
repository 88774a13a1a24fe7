"""What arrived, when, and how late."""

from elk.kibana.columns import count, each, either, largest, over_time, percentile, top
from elk.kibana.dashboard import COLUMNS, Dashboard, Row
from elk.kibana.data_views import ARRIVALS, DEAD_LETTERS, READINGS
from elk.kibana.panels import Layer, chart, heat_map, table, text
from readings.stream import MODELS

LIVE = "mode: live"
BY_STREAM = either({name: f"_index: readings-{name}-*" for name in MODELS}, "stream")
"""Readings do not name their stream: their index does."""
BY_LATENESS = either({"late": "late: true", "in time": "late: false"}, "lateness")
SILENT_SINCE = "now-90d"
"""What is silent for longer than the dashboard shows is what *last seen* is there for."""

HOW_TO_READ = """\
**Is anything late?** *Late share* says how much, *heat map* which series and since when, *last seen* which series \
are silent, of all that came in 90 days: the oldest come first. Only live readings count. The panels below the line \
come from Logstash and go on when Spark is down: **late there and not above means that Spark is behind; late in both \
means the source is.**"""


def _over_time(view: str, percent: int) -> Layer:
    columns = {
        "stream": BY_STREAM if view == "readings" else each("stream", 10),
        "time": over_time("arrived_at"),
        "delay": percentile("delay_s", percent, f"p{percent} of delay", "s"),
    }
    return Layer(READINGS if view == "readings" else ARRIVALS, columns, split="stream")


def _share(view: str) -> Layer:
    columns = {"lateness": BY_LATENESS, "time": over_time("arrived_at"), "readings": count("Readings")}
    source = READINGS if view == "readings" else ARRIVALS
    return Layer(source, columns, series="bar_percentage_stacked", split="lateness")


DASHBOARD = Dashboard(
    "arrivals",
    "1 Arrivals",
    "What arrived, when, and how late",
    "now-24h",
    "now",
    [
        Row(5, [text(HOW_TO_READ)]),
        Row(
            12,
            [
                chart("Delay by stream, median", _over_time("readings", 50), query=LIVE, y="seconds"),
                chart("Delay by stream, 95 of 100", _over_time("readings", 95), query=LIVE, y="seconds"),
                chart("Late share", _share("readings"), query=LIVE),
            ],
        ),
        Row(
            18,
            [
                heat_map(
                    "Delay by series",
                    Layer(
                        READINGS,
                        {
                            "series": top("series", 40, "worst", label="series"),
                            "time": over_time("arrived_at"),
                            "worst": largest("delay_s", "worst delay", "s"),
                        },
                    ),
                    x="time",
                    y="series",
                    query=LIVE,
                ),
                table(
                    "Last seen, oldest first",
                    Layer(
                        READINGS,
                        {
                            "stream": BY_STREAM,
                            "series": top("series", 500, "seen", label="series", ascending=True),
                            "seen": largest("arrived_at", "last arrival", kind="date"),
                            "newest": largest("event_time", "newest event time", kind="date"),
                            "readings": count("readings"),
                        },
                    ),
                    sort="seen",
                    ascending=True,
                    since=SILENT_SINCE,
                ),
            ],
            (28, COLUMNS - 28),
        ),
        Row(
            12,
            [
                chart(
                    "Dead letters by reason",
                    Layer(
                        DEAD_LETTERS,
                        {
                            "stream": top("stream", 6, "letters", label="stream"),
                            "reason": top("reason", 10, "letters", label="reason"),
                            "letters": count("Dead letters"),
                        },
                        series="bar_horizontal_stacked",
                        x="reason",
                        split="stream",
                    ),
                ),
                chart(
                    "Readings per minute",
                    Layer(
                        READINGS,
                        {
                            "stream": BY_STREAM,
                            "time": over_time("arrived_at"),
                            "readings": count("Readings per minute", per="m"),
                        },
                        series="area_stacked",
                        split="stream",
                    ),
                ),
            ],
        ),
        Row(3, [text("**Below: what Logstash saw arrive in Kafka**, before Spark, and while Spark is down.")]),
        Row(
            12,
            [
                chart("Arrivals: delay by stream, 95 of 100", _over_time("arrivals", 95), query=LIVE, y="seconds"),
                chart("Arrivals: late share", _share("arrivals"), query=LIVE),
                chart(
                    "Arrivals per minute",
                    Layer(
                        ARRIVALS,
                        {
                            "stream": top("stream", 10, "arrivals", label="stream"),
                            "time": over_time("arrived_at"),
                            "arrivals": count("Arrivals per minute", per="m"),
                        },
                        series="area_stacked",
                        split="stream",
                    ),
                ),
                table(
                    "Arrivals: unreadable",
                    Layer(
                        ARRIVALS,
                        {
                            "topic": top("topic", 10, "messages", label="topic"),
                            "reason": top("reason", 20, "messages", label="reason"),
                            "messages": count("messages"),
                        },
                    ),
                    sort="messages",
                    query="tags: unreadable",
                ),
            ],
        ),
    ],
)
