"""The further spellings of facility and market messages, as bridges and caches of OpenElectricity write them."""

from collections.abc import Mapping
from typing import Any

from spark_consumer.streams.aliases import renamed

FACILITY: Mapping[str, str] = {
    "facility_id": "facility_code",
    "power": "power_mw",
    "emissions": "emissions_t",
    "co2_tonnes": "emissions_t",
}
MARKET: Mapping[str, str] = {
    "region_code": "network_region",
    "region_id": "network_region",
    "price": "price_per_mwh",
    "price_dmwh": "price_per_mwh",
    "demand": "demand_mw",
}
SOURCE = "mqtt"


def canonical_facility(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record as a `readings.facility.Facility` spells it. Raises ValueError on a field named twice."""
    return renamed(record, FACILITY, SOURCE)


def canonical_market(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record as a `readings.market.Market` spells it. Raises ValueError on a field named twice."""
    return renamed(record, MARKET, SOURCE)
