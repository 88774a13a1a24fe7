"""Further spellings of readings' fields, as gateways, bridges and caches write them."""

from collections.abc import Mapping
from typing import Any

METER: Mapping[str, str] = {"energy": "energy_kwh", "reading_kwh": "energy_kwh", "meter_id": "sensor_id"}
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


def renamed(record: Mapping[str, Any], spellings: Mapping[str, str], source: str) -> dict[str, Any]:
    """The record with the model's names, and a source where it names none. Raises ValueError on a field named twice."""
    reading: dict[str, Any] = {}
    for name, value in record.items():
        field = spellings.get(name, name)
        if field in reading:
            raise ValueError(f"{field}: read it under two names, one of them {name}, expected one")
        reading[field] = value
    reading.setdefault("source", source)
    return reading
