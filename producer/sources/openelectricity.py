"""Live facilities and market from OpenElectricity: the five minutes of the NEM and the WEM, as they come."""

import logging
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from pydantic import ValidationError

from apis.errors import ApiError, BadAnswer, Refused, Unreachable
from apis.openelectricity import (
    CALLS_PER_S,
    LONGEST,
    MOST_FACILITIES,
    OFFSETS,
    PATIENCE,
    BadValue,
    Network,
    OpenElectricity,
    UnknownFuel,
    Value,
    cut,
    weight,
)
from producer.clock import Clock
from producer.feed import Feed
from producer.pacing import DailyCalls, Pace, counted, widened
from producer.sources import mqtt
from producer.sources.live import BeforeCall, fed_by_spans, session_of
from producer.span_source import FailedCall, Unreadable
from readings.config import Place
from readings.durations import format_duration
from readings.facility import Facility
from readings.market import Market
from readings.problems import reason_of, shown
from readings.reading import Mode, Reading
from readings.settings import Settings
from readings.stream import Stream, load_streams

SOURCE = "openelectricity"
VARIABLE = "OPENELECTRICITY_API_KEY"
DAILY_CALLS = "OPENELECTRICITY_DAILY_CALLS"
STEP = timedelta(minutes=5)
FACILITIES_FOR = timedelta(days=1)
"""How long the list of facilities is taken to be true."""
SOME_FACILITIES_FOR = timedelta(hours=1)
"""How long a list is that lacks some of ours, or could not be read: no longer than values are fetched again."""
FACILITY_AT_ONCE = timedelta(days=1)
"""Of all facilities: 330 of them have 95,000 readings a day."""
STREAMS = 2
"""Facilities and the market have a session each, maybe in two processes: they share the calls a second."""
DIGITS = 6
"""Of a sum: what lies behind is the float's."""
FIELDS = {"power": "power_mw", "emissions": "emissions_t", "price": "price_per_mwh", "demand": "demand_mw"}
"""The API's metrics → our fields."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unit:
    """What a facility's reading is the sum of."""

    facility: str
    fuel: str
    """Its technology as the API spells it."""


@dataclass
class FacilitySpans:
    """The declared facilities' power and emissions, rolled up from their units."""

    client: OpenElectricity
    places: Sequence[Place]
    clock: Clock
    name: str = SOURCE
    revised_for: timedelta = timedelta(hours=1)
    first_time: timedelta = timedelta(hours=6)
    zone: tzinfo = OFFSETS["NEM"]
    _units: dict[Network, dict[str, Unit]] = field(default_factory=dict)
    """By code."""
    _units_until: datetime | None = None

    def pieces(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """At most a day, from a full five minutes on."""
        return cut(_full(since), until, FACILITY_AT_ONCE)

    def fetch(
        self, since: datetime, until: datetime, mode: Mode, only: Collection[str] | None = None
    ) -> Iterator[Reading | Unreadable | FailedCall]:
        """The facilities' five minutes. None of one that a unit of an unknown fuel technology gives something of.

        Calls for some facilities `only` can be spared.
        """
        now = self.clock.now()
        if self._units_until is None or now >= self._units_until:
            whole = True
            for network in _networks(place.area for place in self.places):
                try:
                    yield from self._learn(network)
                except (Unreachable, Refused, BadAnswer) as error:
                    if network not in self._units:
                        raise
                    yield from _told(error, network)
                    whole = False
                whole = whole and not self._unknown(network)
            self._units_until = now + (FACILITIES_FOR if whole else SOME_FACILITIES_FOR)
        yield from _from_each(
            (
                asked,
                _rolled_up(
                    self.client.power_and_emissions(network, asked, since, until, spare=only is not None),
                    network,
                    self._units[network],
                    lambda code, fields: Facility.model_validate({"facility_code": code, "mode": mode, **fields}),
                ),
            )
            for network, asked in self._calls(only)
        )

    def _calls(self, only: Collection[str] | None) -> Iterator[tuple[Network, list[str]]]:
        """The facilities of each call: always the same together, so that one that is refused takes no other along."""
        for network in self._units:
            unknown = self._unknown(network)
            codes = [one.name for one in self._places(network) if one.name not in unknown]
            for first in range(0, len(codes), MOST_FACILITIES):
                asked = _wanted(codes[first : first + MOST_FACILITIES], only)
                if asked:
                    yield network, asked

    def _learn(self, network: Network) -> Iterator[Unreadable]:
        facilities, bad = self.client.facilities(network)
        for record, reason in bad:
            yield Unreadable(f"{network} facilities", reason, record, known_by=reason)
        found = {unit: Unit(one.code, fuel) for one in facilities for unit, fuel in one.units.items()}
        self._units[network] = {**self._units.get(network, {}), **found}
        unknown = self._unknown(network)
        if unknown:
            log.warning("%s has no facilities %s: they are not asked for", network, ", ".join(sorted(unknown))[:500])
        closed = {one.code for one in facilities if not one.operates} & {one.name for one in self._places(network)}
        if closed:
            log.warning("no unit of %s operates: nothing is to be expected of them", ", ".join(sorted(closed))[:500])

    def _places(self, network: Network) -> list[Place]:
        """Those of ours that are in a network."""
        return [place for place in self.places if _network(place.area) == network]

    def _unknown(self, network: Network) -> set[str]:
        """Those of ours that the network's list did not hold."""
        return {place.name for place in self._places(network)} - {
            unit.facility for unit in self._units[network].values()
        }


@dataclass(frozen=True)
class MarketSpans:
    """The declared regions' price and demand."""

    client: OpenElectricity
    regions: Sequence[str]
    name: str = SOURCE
    revised_for: timedelta = timedelta(hours=1)
    first_time: timedelta = timedelta(days=1)
    zone: tzinfo = OFFSETS["NEM"]

    def pieces(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """At most eight days, from a full five minutes on."""
        return cut(_full(since), until, LONGEST["5m"])

    def fetch(
        self, since: datetime, until: datetime, mode: Mode, only: Collection[str] | None = None
    ) -> Iterator[Reading | Unreadable | FailedCall]:
        """The regions' five minutes; a region of the networks that is not declared is left out.

        Calls for some regions `only` can be spared.
        """
        wanted = _wanted(self.regions, only)
        for one in _from_each(
            (
                [region for region in wanted if _network(region) == network],
                _rolled_up(
                    self.client.price_and_demand(network, since, until, spare=only is not None),
                    network,
                    None,
                    lambda code, fields: Market.model_validate({"network_region": code, "mode": mode, **fields}),
                ),
            )
            for network in _networks(wanted)
        ):
            if not isinstance(one, Reading) or one.series in self.regions:
                yield one


def _told(error: ApiError, network: Network) -> Iterator[Unreadable]:
    """That a list of facilities could not be read; what was known of them goes on."""
    log.warning("the list of %s's facilities could not be read, the last one holds: %s", network, error)
    if isinstance(error, BadAnswer):
        record = error.body.decode(errors="replace")
        yield Unreadable(f"{network} facilities", str(error), record, known_by=[network, str(error)])


def _wanted(series: Sequence[str], only: Collection[str] | None) -> list[str]:
    return [one for one in series if only is None or one in only]


def _from_each(
    calls: Iterable[tuple[Sequence[str], Iterator[Reading | Unreadable]]],
) -> Iterator[Reading | Unreadable | FailedCall]:
    """What each call gives that some series are asked for in; one that fails takes no other with it.

    Raises the first failure where every call fails, and at once what the next call would only meet again.
    """
    failed: list[FailedCall] = []
    answered = False
    for series, found in calls:
        try:
            given = list(found)
        except (BadAnswer, Refused) as error:
            failed.append(FailedCall(tuple(series), error))
        else:
            answered = True
            yield from given
    if failed and not answered:
        raise failed[0].error
    yield from failed


def _rolled_up(
    values: Iterable[Value | BadValue],
    network: Network,
    units: Mapping[str, Unit] | None,
    made: Callable[[str, dict[str, Any]], Reading],
) -> Iterator[Reading | Unreadable]:
    """A reading of each series and instant; by `units`, of the sum over each facility's (None: they are the series).

    Metrics of one answer may spell the same instant in two ways. A null beside values is as if it were not there.
    """
    groups, bad = _grouped(values, network, units)
    for one in bad:
        known_by = None if one.called is None else [one.metric, one.code, one.called]
        yield Unreadable(one.code or "?", one.reason, one.record, known_by)
    doubtful = _doubtful(groups, bad, units or {})
    unknown: dict[str, Unreadable] = {}  # by facility: it is so at each instant
    for (series, time), found in groups.items():
        try:
            if series.startswith("?"):
                raise ValueError(f"read the unit {series[1:]!r}, expected one of the facilities that were asked for")
            if isinstance(time, str):
                raise ValueError(f"time: read {time}, expected an ISO-8601 time")
            given = [one for one in found if one.value is not None] or found
            counts = _weights(given, units)
            lacking = {one for one in doubtful[series] - {(one.metric, one.code) for one in found} if counts(*one)}
            if lacking:
                told = ", ".join(f"{metric} of {code}" for metric, code in sorted(lacking))
                raise ValueError(f"read no {told} that could be placed, expected it in the sum")
            fields = {FIELDS[metric]: total for metric, total in _sums(given, counts).items()}
            yield made(series, {"source": SOURCE, "timestamp": time, **fields})
        except UnknownFuel as error:
            unknown.setdefault(series, _unreadable(series, found, str(error), known_by=[series, str(error)]))
        except ValidationError as error:
            yield _unreadable(series, found, reason_of(error))
        except ValueError as error:
            yield _unreadable(series, found, str(error))
    yield from unknown.values()


def _grouped(
    values: Iterable[Value | BadValue], network: Network, units: Mapping[str, Unit] | None
) -> tuple[dict[tuple[str, datetime | str], list[Value]], list[BadValue]]:
    """The values by series and instant (as text where it is none), and what is none."""
    groups: dict[tuple[str, datetime | str], list[Value]] = defaultdict(list)
    bad: list[BadValue] = []
    for one in values:
        if isinstance(one, BadValue):
            bad.append(one)
        else:
            groups[_series_of(one.code, units), _instant(one.time, network) or shown(one.time)].append(one)
    return groups, bad


def _series_of(code: str, units: Mapping[str, Unit] | None) -> str:
    if units is None:
        return code
    return units[code].facility if code in units else f"?{code}"


def _weights(values: Sequence[Value], units: Mapping[str, Unit] | None) -> Callable[[str, str], int]:
    """How a metric of a unit counts where the facility has these values. That raises `UnknownFuel`."""
    if units is None:
        return lambda _metric, _code: 1
    fuels: dict[str, set[str]] = defaultdict(set)
    for one in values:
        fuels[one.metric].add(units[one.code].fuel)
    return lambda metric, code: weight(units[code].fuel, metric, fuels[metric])


def _doubtful(
    groups: Mapping[tuple[str, datetime | str], Sequence[Value]], bad: Iterable[BadValue], units: Mapping[str, Unit]
) -> dict[str, set[tuple[str, str]]]:
    """By facility the metrics of units of which something cannot be placed: a sum without them would be wrong.

    A series without its name may be that of any unit that the answer has none of.
    """
    placed = [(time, one.metric, one.code) for (_, time), values in groups.items() for one in values]
    told = {(metric, code) for _, metric, code in placed}
    unplaced = {(metric, code) for time, metric, code in placed if isinstance(time, str)}
    for one in bad:
        codes = [code for code in units if (one.metric, code) not in told] if one.code is None else [one.code]
        unplaced |= {(one.metric, code) for code in codes}
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for metric, code in unplaced:
        if code in units:
            found[units[code].facility].add((metric, code))
    return found


def _sums(values: Sequence[Value], counts: Callable[[str, str], int]) -> dict[str, float]:
    """The sum of each metric over the units that count. A value that came twice counts once."""
    found: dict[tuple[str, str], float] = {}
    for one in values:
        if not counts(one.metric, one.code):
            continue
        if one.metric not in FIELDS:
            raise ValueError(f"metric: read {one.metric!r}, expected one of {', '.join(FIELDS)}")
        if isinstance(one.value, bool) or not isinstance(one.value, int | float):
            raise ValueError(f"{one.metric} of {one.code}: read {shown(one.value)}, expected a number")
        if found.setdefault((one.metric, one.code), one.value) != one.value:
            before = found[one.metric, one.code]
            raise ValueError(f"{one.metric} of {one.code}: read both {before} and {one.value}, expected one value")
    sums: dict[str, float] = defaultdict(float)
    for (metric, code), number in found.items():
        sums[metric] += counts(metric, code) * number
    return {metric: round(total, DIGITS) for metric, total in sums.items()}


def _unreadable(series: str, values: Sequence[Value], reason: str, known_by: object = None) -> Unreadable:
    record = {
        "time": values[0].time,
        "values": [{"metric": one.metric, "code": one.code, "value": one.value} for one in values],
    }
    return Unreadable(series.removeprefix("?")[:100], reason, record, known_by)


def _instant(time: object, network: Network) -> datetime | None:
    """A time with its offset, or else in the network's own time; None where it is none."""
    try:
        instant = datetime.fromisoformat(time) if isinstance(time, str) else None
    except ValueError:
        return None
    return instant.replace(tzinfo=OFFSETS[network]) if instant and instant.tzinfo is None else instant


def _network(region: str | None) -> Network:
    return "WEM" if region == "WEM" else "NEM"


def _networks(regions: Iterable[str | None]) -> list[Network]:
    return sorted({_network(region) for region in regions})


def _full(instant: datetime) -> datetime:
    """The full five minutes before."""
    return instant - (instant - datetime(1970, 1, 1, tzinfo=UTC)) % STEP


def client(settings: Settings, clock: Clock, before_call: BeforeCall | None = None) -> OpenElectricity:
    """The API with the key of the settings, for one of the streams."""
    key = settings.openelectricity_api_key
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    base_url = settings.openelectricity_base_url
    calls_per_s = CALLS_PER_S / STREAMS
    return OpenElectricity(
        session_of(base_url, clock, calls_per_s, headers=headers, patience=PATIENCE, before_call=before_call)
    )


def _missing(settings: Settings) -> str | None:
    return None if settings.openelectricity_api_key else VARIABLE


def _declaration(stream: Stream, settings: Settings) -> tuple[list[str], timedelta]:
    """The series that the source feeds, and how often. Raises ConfigError where the calls of a day are too few."""
    return stream.config.series_names(), _pace(stream, settings).interval


def _pace(stream: Stream, settings: Settings) -> Pace:
    """Of the streams that it feeds, which share the calls of a day."""
    streams = [one for one in load_streams(settings).values() if SOURCE in one.config.sources]
    if _goes_first(stream, settings):  # else it was asked for by name
        streams = [one for one in streams if _goes_first(one, settings)]
    calls = max(1, sum(_calls_a_round(one) for one in streams))
    return Pace(calls, widened(calls, settings.openelectricity_daily_calls, STEP, DAILY_CALLS), False)


def _goes_first(stream: Stream, settings: Settings) -> bool:
    """Whether no source before it feeds the stream."""
    before = stream.config.sources[: stream.config.sources.index(SOURCE)]
    return not (mqtt.SOURCE in before and settings.mqtt_url)


def _calls_a_round(stream: Stream) -> int:
    if stream.name == "facility":
        networks = Counter(_network(place.area) for place in stream.config.places())
        return sum(math.ceil(places / MOST_FACILITIES) for places in networks.values())
    return len(_networks(stream.config.series_names()))


def _tell(paced: Pace, stream: Stream, daily_calls: int) -> None:
    """Logs how often the source is asked and why; as a warning where that makes readings late."""
    every = format_duration(paced.interval)
    told = f"{paced.calls} calls every {every}: at most {paced.calls_a_day} a day ({DAILY_CALLS} is {daily_calls})"
    level = logging.INFO
    if paced.interval > stream.config.allowed_delay:
        allowed = format_duration(stream.config.allowed_delay)
        told += (
            f"; what is read more than {allowed} after its time counts as late, and the rule late will fire: set "
            f"streams.{stream.name}.allowed_delay in skywatt.yml to more than {every}, or {DAILY_CALLS} to more calls "
            "if the key's plan has them"
        )
        level = logging.WARNING
    log.log(level, "%s", told, extra={"stream": stream.name})


def source(
    stream: Stream, settings: Settings, clock: Clock, before_call: BeforeCall | None = None
) -> FacilitySpans | MarketSpans:
    """What is asked for the stream."""
    if stream.name == "facility":
        return FacilitySpans(client(settings, clock, before_call), stream.config.places(), clock)
    return MarketSpans(client(settings, clock, before_call), stream.config.series_names())


def _fed(feed: Feed, settings: Settings, spare: bool) -> FacilitySpans | MarketSpans:
    """The same, its calls counted. Those that can be spared leave what the rounds of the rest of the day need."""
    paced, daily_calls = _pace(feed.stream, settings), settings.openelectricity_daily_calls
    count = counted(feed, DailyCalls(feed.database, SOURCE, daily_calls), paced, DAILY_CALLS)
    if spare:
        return source(feed.stream, settings, feed.clock, lambda _spare: count(True))
    _tell(paced, feed.stream, daily_calls)
    return source(feed.stream, settings, feed.clock, count)


def extracted(spans: FacilitySpans | MarketSpans, until: datetime, lasts: timedelta) -> Iterator[Reading]:
    """The readings of a span before the last full five minutes; what could not be read is logged.

    Raises the errors of `apis.errors`.
    """
    for begin, end in spans.pieces(_full(until) - lasts, _full(until)):
        for one in spans.fetch(begin, end, "backfill"):
            if isinstance(one, FailedCall):
                raise one.error
            if isinstance(one, Unreadable):
                log.warning("%s is left out: %s", one.series, one.reason)
            else:
                yield one


LIVE = fed_by_spans(_missing, _declaration, _fed)
