"""Live weather from Open-Meteo: the hours of the stream's places, fetched again while its models are corrected."""

import logging
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any

from pydantic import ValidationError

from apis.open_meteo import FREE, MOST_PAST_DAYS, BadPoint, Hour, OpenMeteo, cost
from producer.clock import Clock
from producer.free_calls import FreeCalls
from producer.pacing import DAY, widened
from producer.sources.live import asked_for_spans, session_of
from producer.span_source import Unreadable
from readings.config import Place
from readings.durations import format_duration
from readings.problems import reason_of
from readings.reading import Mode, Reading
from readings.settings import Settings
from readings.stream import Stream
from readings.weather import Weather

SOURCE = "open_meteo"
VARIABLE = "OPEN_METEO_BASE_URL"
CADENCE = timedelta(hours=1)
MOMENT = timedelta(seconds=1)
AT_ONCE = timedelta(days=28)
"""Of a backfill, in a call."""
CALLS_PER_S = 10
FIELDS: Mapping[str, str] = {
    "temperature_2m": "temperature_c",
    "apparent_temperature": "feels_like_c",
    "dew_point_2m": "dew_point_c",
    "pressure_msl": "pressure_hpa",
    "relative_humidity_2m": "humidity_pct",
    "cloud_cover": "clouds_pct",
    "wind_speed_10m": "wind_speed_ms",
    "wind_gusts_10m": "wind_gust_ms",
    "wind_direction_10m": "wind_deg",
}
OWN_NAMES = {ours: theirs for theirs, ours in FIELDS.items()}
SNOW_CM_TO_WATER_MM = 10 / 7
"""7 cm of snow are 10 mm of water (open-meteo.com, "snowfall")."""
CONDITIONS: Mapping[int, tuple[str, str]] = {
    0: ("Clear", "clear sky"),
    1: ("Clear", "mainly clear"),
    2: ("Clouds", "partly cloudy"),
    3: ("Clouds", "overcast"),
    45: ("Fog", "fog"),
    48: ("Fog", "depositing rime fog"),
    51: ("Drizzle", "light drizzle"),
    53: ("Drizzle", "moderate drizzle"),
    55: ("Drizzle", "dense drizzle"),
    56: ("Drizzle", "light freezing drizzle"),
    57: ("Drizzle", "dense freezing drizzle"),
    61: ("Rain", "slight rain"),
    63: ("Rain", "moderate rain"),
    65: ("Rain", "heavy rain"),
    66: ("Rain", "light freezing rain"),
    67: ("Rain", "heavy freezing rain"),
    71: ("Snow", "slight snow fall"),
    73: ("Snow", "moderate snow fall"),
    75: ("Snow", "heavy snow fall"),
    77: ("Snow", "snow grains"),
    80: ("Rain", "slight rain showers"),
    81: ("Rain", "moderate rain showers"),
    82: ("Rain", "violent rain showers"),
    85: ("Snow", "slight snow showers"),
    86: ("Snow", "heavy snow showers"),
    95: ("Thunderstorm", "thunderstorm"),
    96: ("Thunderstorm", "thunderstorm with slight hail"),
    99: ("Thunderstorm", "thunderstorm with heavy hail"),
}
"""WMO code 4677, as Open-Meteo uses it → OpenWeatherMap's condition word, and a description."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OpenMeteoSpans:
    """The weather of places, asked for in whole days (UTC)."""

    client: OpenMeteo
    places: Sequence[Place]
    clock: Clock
    name: str = SOURCE
    revised_for: timedelta = timedelta(days=2)
    first_time: timedelta = timedelta(days=28)
    zone: tzinfo = UTC
    spend: Callable[[float], None] = lambda _cost: None
    """Is called before each call with what it costs; may wait, and raise the errors of `apis.errors`."""

    def pieces(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The span from the beginning of its first day; what only the archive has in pieces of whole days."""
        since = datetime.combine(since.astimezone(UTC).date(), time(), UTC)
        while self._archived(since) and until - since > AT_ONCE:
            yield since, since + AT_ONCE - MOMENT
            since += AT_ONCE
        yield since, until

    def fetch(
        self, since: datetime, until: datetime, mode: Mode, _only: Collection[str] | None = None
    ) -> Iterator[Reading | Unreadable]:
        """The hours of the days of the span that have happened."""
        now = self.clock.now()
        points = [(place.latitude, place.longitude) for place in self.places]
        if self._archived(since):
            self.spend(cost(len(points), until.date() - since.date() + DAY))
            hours = self.client.archived(points, since.date(), until.date())
        else:
            self.spend(cost(len(points), now.date() - since.date() + DAY))
            hours = self.client.recent(points, (now.date() - since.date()).days)
        for hour in hours:
            if isinstance(hour, BadPoint):
                # under a name of its own: the place has nothing of the span, which is asked for again
                whose = f"the answer for {self.places[hour.point].name}"
                yield Unreadable(whose, hour.reason, hour.record, known_by=[whose, hour.reason])
            elif hour.at <= min(now, until) and any(value is not None for value in hour.values.values()):
                yield self._read(hour, mode)

    def _archived(self, since: datetime) -> bool:
        return (self.clock.now().date() - since.date()).days > MOST_PAST_DAYS

    def _read(self, hour: Hour, mode: Mode) -> Weather | Unreadable:
        place = self.places[hour.point]
        try:
            return read_weather(hour, place, mode)
        except ValueError as error:
            return Unreadable(place.name, str(error), {"time": hour.at.isoformat(), **hour.values})


def read_weather(hour: Hour, place: Place, mode: Mode) -> Weather:
    """The reading of a place. Raises ValueError with what was read and what was expected."""
    fields: dict[str, Any] = {
        "source": SOURCE,
        "mode": mode,
        "region": place.name,
        "timestamp": hour.at,
        "location": {"lat": place.latitude, "lon": place.longitude},
    }
    values = hour.values
    nulls = [name for name, value in values.items() if value is None]
    if nulls:
        raise ValueError("; ".join(f"{name}: read null, expected a number" for name in nulls))
    fields |= {ours: values[theirs] for theirs, ours in FIELDS.items() if theirs in values}
    rain = [_number(name, values[name]) for name in ("rain", "showers") if name in values]
    if rain:
        fields["rain_mm"] = round(sum(rain), 2)
    if "snowfall" in values:
        fields["snow_mm"] = round(_number("snowfall", values["snowfall"]) * SNOW_CM_TO_WATER_MM, 2)
    if "weather_code" in values:
        code = values["weather_code"]
        if not isinstance(code, int) or code not in CONDITIONS:
            raise ValueError(f"weather_code: read {code!r}, expected one of {', '.join(map(str, CONDITIONS))}")
        fields["condition"], fields["description"] = CONDITIONS[code]
    try:
        return Weather.model_validate(fields)
    except ValidationError as error:
        raise ValueError(reason_of(error, OWN_NAMES)) from None


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name}: read {value!r}, expected a number")
    return value


def _missing(settings: Settings) -> str | None:
    return None if settings.open_meteo_base_url else VARIABLE


def _declaration(stream: Stream, _settings: Settings) -> tuple[list[str], timedelta]:
    return stream.config.series_names(), _cadence(len(stream.config.places()))


def _cadence(places: int) -> timedelta:
    """An hour, or as much more as the free calls of a day need. Raises ConfigError where not even a round fits."""
    calls = math.ceil(cost(places or 1, OpenMeteoSpans.revised_for + DAY))
    return widened(calls, int(FREE[DAY]), CADENCE, "Open-Meteo's free calls of a day")


def source(stream: Stream, settings: Settings, clock: Clock) -> OpenMeteoSpans:
    """What is asked for the stream, of which all calls stay free."""
    places = stream.config.places()
    if (cadence := _cadence(len(places))) > CADENCE:
        told = "%d places are asked every %s, to keep to the %d calls a day that are free"
        log.warning(told, len(places), format_duration(cadence), FREE[DAY], extra={"stream": stream.name})
    forecast = session_of(settings.open_meteo_base_url or "", clock, CALLS_PER_S)
    archive = session_of(settings.open_meteo_archive_url, clock, CALLS_PER_S)
    return OpenMeteoSpans(OpenMeteo(forecast, archive), places, clock, spend=FreeCalls(FREE, clock).spend)


LIVE = asked_for_spans(_missing, _declaration, source)
