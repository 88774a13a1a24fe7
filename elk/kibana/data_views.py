"""Data views: which indices a panel reads, and by which time the dashboard's time range cuts them."""

from dataclasses import dataclass
from typing import Any

from elk.kibana.saved import SavedObject


@dataclass(frozen=True)
class DataView:
    """Indices by a pattern, with the field that is their time."""

    name: str
    pattern: str
    time_field: str

    @property
    def id(self) -> str:
        """Its id in Kibana."""
        return f"skywatt-{self.name}"

    def saved(self) -> SavedObject:
        """The saved object."""
        attributes: dict[str, Any] = {
            "title": self.pattern,
            "name": f"Skywatt: {self.name.replace('-', ' ')}",
            "timeFieldName": self.time_field,
            "allowNoIndex": True,
            "fields": "[]",
            "fieldAttrs": "{}",
            "fieldFormatMap": "{}",
            "runtimeFieldMap": "{}",
            "sourceFilters": "[]",
            "typeMeta": "{}",
        }
        return SavedObject("index-pattern", self.id, "8.0.0", attributes, ())


READINGS = DataView("readings-by-arrival", "readings-*", "arrived_at")
WEATHER = DataView("weather", "readings-weather-*", "timestamp")
FORECASTS = DataView("forecasts", "forecasts-weather-*", "timestamp")
PRODUCTION = DataView("production", "readings-production-*", "start_time")
METER_TOTALS = DataView("meter-totals", "totals-meter-*", "half_hour")
"""Midnight's mark closes the day before: the half hour that it ends lies in that day, its time in the new one."""
FACILITIES = DataView("facilities", "readings-facility-*", "timestamp")
MARKET = DataView("market", "readings-market-*", "timestamp")
MARKET_TOTALS = DataView("market-totals", "totals-market-*", "timestamp")
DEAD_LETTERS = DataView("dead-letters", "dead-letters-*", "arrived_at")
ARRIVALS = DataView("arrivals", "arrivals-*", "arrived_at")
ALERTS = DataView("alerts", "alerts-*", "since")
SERVICE_LOGS = DataView("service-logs", "service-logs-*", "@timestamp")

DATA_VIEWS = (
    READINGS,
    WEATHER,
    FORECASTS,
    PRODUCTION,
    METER_TOTALS,
    FACILITIES,
    MARKET,
    MARKET_TOTALS,
    DEAD_LETTERS,
    ARRIVALS,
    ALERTS,
    SERVICE_LOGS,
)
"""All of them; the last two for Discover."""
