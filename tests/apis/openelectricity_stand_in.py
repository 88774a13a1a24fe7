"""Stands in for OpenElectricity's network endpoints: it refuses what the service refuses, and has no value too soon."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apis.openelectricity import DATA_METRICS, LONGEST, MARKET_METRICS, OFFSETS
from tests.apis.misbehaving_server import Answer, answer

KEY = "k3y-that-no-one-may-see"
REGIONS = {"NEM": ("NSW1", "QLD1"), "WEM": ("WEM",), "AU": ("NSW1", "QLD1", "WEM")}
GROUPS = {
    "fueltech": ("coal_black", "wind"),
    "fueltech_group": ("coal", "wind"),
    "status": ("operating",),
    "renewable": (True, False),
}
STEPS = {"5m": timedelta(minutes=5), "1h": timedelta(hours=1), "1d": timedelta(days=1)}
UNITS = {"power": "MW", "price": "$/MWh", "demand": "MW", "energy": "MWh", "emissions": "t"}


def value_of(metric: str, groups: str, at: datetime) -> float:
    """A number that only this series has at this time, 0 to 1,000."""
    return zlib.crc32(f"{metric}|{groups}|{at.astimezone(UTC).isoformat()}".encode()) % 1_000_000 / 1000


@dataclass
class OpenElectricityStandIn:
    """The API as far as its values reach: up to now, or up to `known_until`, by metric where it says so."""

    known_until: "datetime | dict[str, datetime] | None" = None
    closed_network: str = ""
    """One that answers 500."""
    end_included: bool = False
    """As in some versions."""

    def __call__(self, query: dict[str, str]) -> Answer:
        if query.get("authorization") != f"Bearer {KEY}":
            return answer(401, {"success": False, "error": f"Invalid API key {query.get('authorization')}"})
        _, _, endpoint, _, network = query["path"].split("/")
        if network not in OFFSETS or network == self.closed_network:
            return answer(500 if network in OFFSETS else 404, {"detail": f"Network {network} not found"})
        metrics, interval = query["metrics"].split(","), query["interval"]
        if set(metrics) - set(DATA_METRICS if endpoint == "data" else MARKET_METRICS):
            return answer(400, {"detail": f"Metric not supported: {metrics}"})
        secondary = query.get("secondary_grouping")
        if secondary and endpoint == "market":
            return answer(400, {"detail": "Secondary groupings are not supported"})
        start, end = (datetime.fromisoformat(query[name]) for name in ("date_start", "date_end"))
        if start.tzinfo or end.tzinfo:
            return answer(400, {"detail": "Date start and end must be timezone naive"})
        if start >= end or end - start > LONGEST[interval]:
            return answer(400, {"detail": f"Date range too large for the interval {interval}"})
        groups = [
            ({"region": region} if query.get("primary_grouping") == "network_region" else {})
            | ({secondary: group} if secondary else {})
            for region in (REGIONS[network] if query.get("primary_grouping") == "network_region" else ("",))
            for group in (GROUPS[secondary] if secondary else ("",))
        ]
        zone = OFFSETS[network]  # type: ignore[index]
        series = [
            self._series(metric, groups, start.replace(tzinfo=zone), end.replace(tzinfo=zone), STEPS[interval])
            for metric in metrics
        ]
        if not any(result["data"] for one in series for result in one["results"]):
            detail = f"No data available for network {network} in the specified time range"
            return answer(404, {"success": False, "detail": detail})
        return answer(200, {"version": "4.3.0", "success": True, "data": series})

    def _series(
        self, metric: str, groups: list[dict[str, Any]], start: datetime, end: datetime, step: timedelta
    ) -> dict[str, Any]:
        known = self.known_until.get(metric) if isinstance(self.known_until, dict) else self.known_until
        times = list(_steps(start, min(end + step * self.end_included, known or datetime.now(UTC)), step))
        results = [
            {
                "name": metric,
                "columns": columns,
                "data": [[at.isoformat(), value_of(metric, "/".join(map(str, columns.values())), at)] for at in times],
            }
            for columns in groups
        ]
        return {"network_code": "NEM", "metric": metric, "unit": UNITS.get(metric, "MW"), "results": results}


def _steps(start: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    """start ≤ time < end."""
    while start < end:
        yield start
        start += step
