"""Open-Meteo: hourly weather of points, no key.

``GET {base}/v1/forecast?latitude=a,b&longitude=a,b&hourly=…&past_days&forecast_days&timezone=UTC`` (the last 92 days)
and ``GET {archive}/v1/archive?…&start_date&end_date`` (from 1940, about five days behind) → an object, or for several
points a list of them: ``{"utc_offset_seconds", "hourly_units": {"time", …}, "hourly": {"time": ["2026-11-24T00:00", …],
"temperature_2m": [4.1, …], …}}`` (open-meteo.com, "Weather Forecast API" and "Historical Weather API").
Times are local and without an offset; wind is km/h and temperature °C unless asked otherwise.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from apis.errors import BadAnswer
from apis.session import Session

FORECAST_PATH = "/v1/forecast"
ARCHIVE_PATH = "/v1/archive"
UNITS: Mapping[str, str] = {
    "temperature_2m": "°C",
    "apparent_temperature": "°C",
    "dew_point_2m": "°C",
    "pressure_msl": "hPa",
    "relative_humidity_2m": "%",
    "cloud_cover": "%",
    "wind_speed_10m": "m/s",
    "wind_gusts_10m": "m/s",
    "wind_direction_10m": "°",
    "rain": "mm",
    "showers": "mm",
    "snowfall": "cm",
    "weather_code": "wmo code",
}
"""What is asked for, and the unit that it must have."""
ARCHIVE_LACKS = frozenset({"showers"})
MOST_PAST_DAYS = 92
FREE: Mapping[timedelta, float] = {timedelta(minutes=1): 600, timedelta(hours=1): 5_000, timedelta(days=1): 10_000}
"""Calls that are free (open-meteo.com, "Pricing"; what counts as a call: `cost`)."""


@dataclass(frozen=True)
class Hour:
    """One hour of one point: the values as the API spells them.

    What the point has no value of in the whole answer is absent; a null beside values is None.
    """

    point: int
    """The place of the point in the question."""
    at: datetime
    """The hour, aware UTC."""
    values: Mapping[str, Any]


@dataclass(frozen=True)
class BadPoint:
    """What the answer holds of one point, which is not of the documented form while others are."""

    point: int
    """The place of the point in the question."""
    record: Any
    reason: str


class OpenMeteo:
    """The forecast and archive APIs behind a session each."""

    def __init__(self, forecast: Session, archive: Session) -> None:
        self._forecast = forecast
        self._archive = archive

    def recent(self, points: Sequence[tuple[float, float]], past_days: int) -> Iterator[Hour | BadPoint]:
        """Today's hours (UTC), those to come included, and of `past_days` before.

        Raises the errors of `apis.errors`: `BadAnswer` where the answer is of no point of the documented form.
        """
        parameters = {"past_days": min(past_days, MOST_PAST_DAYS), "forecast_days": 1}
        yield from self._asked(self._forecast, FORECAST_PATH, points, list(UNITS), parameters)

    def archived(self, points: Sequence[tuple[float, float]], first: date, last: date) -> Iterator[Hour | BadPoint]:
        """The hours of days (UTC), both inclusive. Raises as `recent` does."""
        wanted = [name for name in UNITS if name not in ARCHIVE_LACKS]
        parameters = {"start_date": first.isoformat(), "end_date": last.isoformat()}
        yield from self._asked(self._archive, ARCHIVE_PATH, points, wanted, parameters)

    def _asked(
        self,
        session: Session,
        path: str,
        points: Sequence[tuple[float, float]],
        wanted: Sequence[str],
        parameters: Mapping[str, Any],
    ) -> Iterator[Hour | BadPoint]:
        answer, body = session.get_json(
            path,
            {
                "latitude": ",".join(str(latitude) for latitude, _ in points),
                "longitude": ",".join(str(longitude) for _, longitude in points),
                "hourly": ",".join(wanted),
                "wind_speed_unit": "ms",
                "timezone": "UTC",
                **parameters,
            },
        )
        answers = answer if isinstance(answer, list) else [answer]
        if len(answers) != len(points):
            raise BadAnswer(f"read the weather of {len(answers)} points, expected {len(points)}", body)
        hours: list[Hour] = []
        bad: list[BadPoint] = []
        for number, one in enumerate(answers):
            try:
                hours += _hours(number, one, wanted, body)
            except BadAnswer as error:
                bad.append(BadPoint(number, one, str(error)))
        if len(bad) == len(answers):
            raise BadAnswer(bad[0].reason, body)
        yield from hours
        yield from bad


def cost(points: int, span: timedelta) -> float:
    """As how many calls a call counts: each point as one, and as more beyond ten variables and beyond two weeks."""
    return points * max(1.0, len(UNITS) / 10) * max(1.0, span / timedelta(weeks=2))


def _hours(point: int, answer: Any, wanted: Sequence[str], body: bytes) -> Iterator[Hour]:
    hourly = answer.get("hourly") if isinstance(answer, dict) else None
    units = answer.get("hourly_units") if isinstance(answer, dict) else None
    if not isinstance(hourly, dict) or not isinstance(units, dict) or not isinstance(hourly.get("time"), list):
        raise BadAnswer("expected the objects 'hourly', with the list 'time', and 'hourly_units'", body)
    offset = answer.get("utc_offset_seconds")
    if type(offset) is not int:
        raise BadAnswer(f"utc_offset_seconds: read {offset!r}, expected a whole number", body)
    times = hourly["time"]
    columns = {}
    for name in wanted:
        values = hourly.get(name, [None] * len(times))
        if not isinstance(values, list) or len(values) != len(times):
            raise BadAnswer(f"hourly.{name}: expected {len(times)} values, one for each time", body)
        if name in hourly and units.get(name) != UNITS[name]:
            raise BadAnswer(f"hourly_units.{name}: read {units.get(name)!r}, expected {UNITS[name]!r}", body)
        if any(value is not None for value in values):
            columns[name] = values
    for index, text in enumerate(times):
        yield Hour(point, _instant(text, offset, body), {name: values[index] for name, values in columns.items()})


def _instant(text: object, offset_s: int, body: bytes) -> datetime:
    try:
        local = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        local = None
    if local is None or local.tzinfo is not None:
        raise BadAnswer(f"hourly.time: read {text!r}, expected a local time like 2026-11-24T00:00", body)
    return local.replace(tzinfo=UTC) - timedelta(seconds=offset_s)
