"""What is known of a facility, and what follows from its reading: fields of `readings.facility.FacilityFacts`."""

from collections.abc import Callable, Iterable
from typing import Any

from readings.config import Place

Document = dict[str, Any]
HOURS = 5 / 60
"""What a reading's emissions were emitted in."""
LEAST_MW = 1.0
"""Below this the emissions per energy say nothing: a unit that starts burns before it feeds in."""
DIGITS = 6


def enrichment(places: Iterable[Place]) -> Callable[[Document], Document]:
    """Gives the further fields of a facility's document; of a facility that is not declared none but its intensity."""
    known = {place.name: place for place in places}

    def facts(document: Document) -> Document:
        place = known.get(document["facility_code"])
        power_mw, emissions_t = document.get("power_mw"), document.get("emissions_t")
        found: Document = {}
        if place is not None:
            found = {
                "facility_name": place.title,
                "network_region": place.area,
                "location": {"lat": place.latitude, "lon": place.longitude},
                "fuel_group": place.fuel_groups[0] if place.fuel_groups else None,
                "fuel_groups": list(place.fuel_groups) or None,
                "capacity_mw": place.capacity_mw,
            }
            if power_mw is not None and place.capacity_mw:
                found["capacity_factor"] = round(power_mw / place.capacity_mw, DIGITS)
        if power_mw is not None and emissions_t is not None and power_mw >= LEAST_MW:
            found["intensity_t_per_mwh"] = round(emissions_t / (power_mw * HOURS), DIGITS)
        return {field: value for field, value in found.items() if value is not None}

    return facts
