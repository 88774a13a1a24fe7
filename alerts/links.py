"""Where to look at a series: Kibana where there is one, else the dashboard."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import quote, urlencode

from readings.settings import Settings
from readings.stream import Stream

BEFORE = timedelta(hours=6)
"""How long before the trouble the page begins."""

ALL_READINGS = "skywatt-readings-by-arrival"
"""The data view of Kibana in which every stream's readings are (``elk/kibana/data_views.py``)."""


@dataclass(frozen=True)
class Link:
    """An address with what is said of it."""

    text: str
    url: str


class Linker(Protocol):
    """Makes links to series."""

    def __call__(
        self, stream: Stream, series: str, began: datetime, ended: datetime | None, delay_s: float = 0
    ) -> Link:
        """From before its trouble began until it ended (None: until now).

        `delay_s` is by how much the readings in question are older than their arrival, where trouble counts from that.
        """


def linker(settings: Settings) -> Linker:
    """Where Kibana is, to that: it shows readings by arrival. Else to the dashboard, which shows them by event time."""
    kibana = (settings.kibana_url or "").rstrip("/")
    dashboard = (settings.dashboard_url or settings.dashboard_address).rstrip("/")

    def link(stream: Stream, series: str, began: datetime, ended: datetime | None, delay_s: float = 0) -> Link:
        since = began - BEFORE
        if kibana:
            return Link(f"{series} in Kibana", f"{kibana}/app/discover#/?{_discover(stream, series, since, ended)}")
        since -= timedelta(seconds=delay_s)
        page = {"stream": stream.name, "name": series, "since": _instant(since)}  # as dashboard/views/arrivals.py reads
        if ended:
            page["until"] = _instant(ended)
        return Link(f"{series} on the dashboard", f"{dashboard}/?{urlencode(page, quote_via=quote)}")

    return link


def _discover(stream: Stream, series: str, since: datetime, ended: datetime | None) -> str:
    """Kibana's state of Discover, in Rison: the time, and the series among all readings by arrival."""
    until = f"'{_instant(ended)}'" if ended else "now"
    value = series.replace("\\", "\\\\").replace('"', '\\"').replace("!", "!!").replace("'", "!'")
    query = f"(language:kuery,query:'_index:{stream.index_prefix}* and series:\"{value}\"')"
    app = f"(dataSource:(dataViewId:{ALL_READINGS},type:dataView),query:{query})"
    time = f"(time:(from:'{_instant(since)}',to:{until}))"
    return f"_g={quote(time, safe='(),:')}&_a={quote(app, safe='(),:')}"


def _instant(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")
