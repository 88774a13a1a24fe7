"""The market as it is now: the newest of each facility and region, and what came last. Fed by the store or by MQTT.

One thread feeds it while others look: a lock keeps what they see whole.
"""

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from readings.config import Place
from readings.facility import Facility
from readings.market import Market

EVENTS_KEPT = 1000
UNKNOWN_KEPT = 1000
"""Facilities that ``facilities.json`` does not name: so many that came last are kept."""
STALE = timedelta(minutes=30)
"""What is older than the newest by more than this is shown as not known any more, and counts to no sum."""


@dataclass(frozen=True)
class FacilityNow:
    """A facility and its newest reading; `at` is None where none came."""

    code: str
    name: str
    region: str | None
    fuel: str
    latitude: float | None
    longitude: float | None
    capacity_mw: float | None
    at: datetime | None = None
    power_mw: float | None = None
    emissions_t: float | None = None
    """Of the five minutes."""


@dataclass(frozen=True)
class RegionNow:
    """A region's newest price and demand."""

    region: str
    at: datetime
    price_per_mwh: float | None
    demand_mw: float | None


Event = FacilityNow | RegionNow


@dataclass(frozen=True)
class Seen:
    """The board at a moment."""

    facilities: tuple[FacilityNow, ...]
    regions: tuple[RegionNow, ...]
    events: tuple[Event, ...]
    """The newest first."""
    taken: int
    bad: int
    last_bad: str
    """Why the newest bad message is one."""


@dataclass(frozen=True)
class Sums:
    """Of the facilities and regions that a reader chose."""

    power_mw: float
    emissions_t: float
    demand_mw: float
    price_per_mwh: float | None
    """The mean of the regions, by demand."""
    facilities: int
    """That a reading is known of."""


class Board:
    """What is known of the market. Any thread may use it."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._lock = threading.Lock()
        self._facilities = {place.name: facility_of(place) for place in places}
        self._unknown: dict[str, FacilityNow] = {}
        self._regions: dict[str, RegionNow] = {}
        self._events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self._taken = 0
        self._bad = 0
        self._last_bad = ""

    def take(self, readings: Iterable[Facility | Market]) -> None:
        """Takes readings in. One that is older than what is known of its series changes nothing but the events."""
        with self._lock:
            for one in readings:
                self._taken += 1
                if isinstance(one, Facility):
                    self._take_facility(one)
                else:
                    self._take_region(one)

    def refuse(self, why: str) -> None:
        """Counts what is no reading."""
        with self._lock:
            self._bad += 1
            self._last_bad = why

    def seen(self) -> Seen:
        """The board now."""
        with self._lock:
            return Seen(
                (*self._facilities.values(), *self._unknown.values()),
                tuple(sorted(self._regions.values(), key=lambda one: one.region)),
                tuple(reversed(self._events)),
                self._taken,
                self._bad,
                self._last_bad,
            )

    def _take_facility(self, one: Facility) -> None:
        code = one.facility_code
        known = self._facilities.get(code) or self._unknown.pop(code, None) or unknown_facility(code)
        now = replace(known, at=one.timestamp, power_mw=one.power_mw, emissions_t=one.emissions_t)
        newest = now if known.at is None or one.timestamp >= known.at else known
        if code in self._facilities:
            self._facilities[code] = newest
        else:
            self._unknown[code] = newest
            if len(self._unknown) > UNKNOWN_KEPT:
                del self._unknown[next(iter(self._unknown))]
        self._events.append(now)

    def _take_region(self, one: Market) -> None:
        known = self._regions.get(one.network_region)
        now = RegionNow(one.network_region, one.timestamp, one.price_per_mwh, one.demand_mw)
        if known is None or one.timestamp >= known.at:
            self._regions[one.network_region] = now
        self._events.append(now)


def sums(facilities: Iterable[FacilityNow], regions: Iterable[RegionNow]) -> Sums:
    """The sums over these."""
    counted = [one for one in facilities if one.at is not None]
    priced = [one for one in regions if one.price_per_mwh is not None]
    weight = sum(max(one.demand_mw or 0.0, 0.0) for one in priced)
    price = sum((one.price_per_mwh or 0.0) * max(one.demand_mw or 0.0, 0.0) for one in priced)
    return Sums(
        sum(one.power_mw or 0.0 for one in counted),
        sum(one.emissions_t or 0.0 for one in counted),
        sum(one.demand_mw or 0.0 for one in regions),
        price / weight if weight else None,
        len(counted),
    )


def chosen(
    seen: Seen, regions: Iterable[str], fuels: Iterable[str]
) -> tuple[list[FacilityNow], list[RegionNow], list[Event]]:
    """What a reader wants to see; nothing named is everything. What is stale has no values."""
    wanted_regions, wanted_fuels = set(regions), set(fuels)
    newest = newest_of(seen)

    def wanted(one: Event) -> bool:
        return (not wanted_regions or one.region in wanted_regions) and (
            not wanted_fuels or isinstance(one, RegionNow) or one.fuel in wanted_fuels
        )

    facilities = [one if _is_fresh(one, newest) else _unread(one) for one in seen.facilities if wanted(one)]
    priced = [one if _is_fresh(one, newest) else _unpriced(one) for one in seen.regions if wanted(one)]
    return facilities, priced, [one for one in seen.events if wanted(one)]


def newest_of(seen: Seen) -> datetime | None:
    """The newest event time on the board; None where nothing came."""
    known: list[Event] = [*seen.facilities, *seen.regions]
    return max((one.at for one in known if one.at), default=None)


def facility_of(place: Place) -> FacilityNow:
    """What ``facilities.json`` says of a facility."""
    fuel = place.fuel_groups[0] if place.fuel_groups else "unknown"
    return FacilityNow(
        place.name,
        place.title or place.name,
        place.area,
        fuel,
        place.latitude,
        place.longitude,
        place.capacity_mw,
    )


def unknown_facility(code: str) -> FacilityNow:
    """One that ``facilities.json`` does not name: it is listed and counted, and has no place on the map."""
    return FacilityNow(code, code, None, "unknown", None, None, None)


def _is_fresh(one: Event, newest: datetime | None) -> bool:
    return one.at is None or newest is None or newest - one.at <= STALE


def _unread(one: FacilityNow) -> FacilityNow:
    return replace(one, at=None, power_mw=None, emissions_t=None)


def _unpriced(one: RegionNow) -> RegionNow:
    return replace(one, price_per_mwh=None, demand_mw=None)
