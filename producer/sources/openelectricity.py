"""Live facilities and market from OpenElectricity: the five minutes of the NEM and the WEM, as they come."""

import logging
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from apis.errors import ApiError, BadAnswer, Refused, Unreachable
from apis.openelectricity import (
    CALLS_PER_S,
    LONGEST,
    MOST_FACILITIES,
    OFFSETS,
    PATIENCE,
    Network,
    OpenElectricity,
    cut,
)
from producer.clock import Clock
from producer.feed import Feed
from producer.pacing import DailyCalls, Pace, counted, widened
from producer.sources import mqtt
from producer.sources.live import BeforeCall, fed_by_spans, session_of
from producer.sources.openelectricity_sums import SOURCE, Unit, rolled_up
from producer.span_source import FailedCall, Unreadable
from readings.config import Place
from readings.durations import format_duration
from readings.facility import Facility
from readings.market import Market
from readings.reading import Mode, Reading
from readings.settings import Settings
from readings.stream import Stream, load_streams

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

log = logging.getLogger(__name__)


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
                rolled_up(
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
                rolled_up(
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
