"""Stand-ins of the services: each answers a request as the real one does, in the form of the recorded bodies.

What a service refuses is refused here, too. Values are made up from series and time, so that what arrives can be
checked.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from apis.open_meteo import UNITS
from tests.apis.misbehaving_server import Answer, answer

DATA = Path(__file__).parent / "data"
KEY = "k3y-that-no-one-may-see"
OSLO, NEM = ZoneInfo("Europe/Oslo"), timezone(timedelta(hours=10))
HOUR, STEP = timedelta(hours=1), timedelta(minutes=5)
FACILITIES = orjson.loads((DATA / "v4_facilities.sample.json").read_bytes())["data"]
REGIONS = ("NSW1", "QLD1", "SA1", "TAS1", "VIC1")
ZONES = {"NEM": NEM, "WEM": timezone(timedelta(hours=8))}
NETWORKS = {"NEM": REGIONS, "WEM": ("WEM",)}

Query = Mapping[str, str]


def value_of(series: str, at: datetime) -> float:
    """A number that only this series has at this time, 0 to 1,000."""
    return zlib.crc32(f"{series}|{at.astimezone(UTC).isoformat()}".encode()) % 1_000_000 / 1000


def elhub(query: Query) -> Answer:
    """Two groups of NO5 and the empty area, as far as hours have ended; both dates inclusive, at most a month."""
    start, end = (datetime.fromisoformat(query[name]) for name in ("startDate", "endDate"))
    if end - start > timedelta(days=32):
        return answer(400, {"errors": [{"title": "date range must not exceed one month"}]})
    records = [
        {
            "startTime": at.astimezone(OSLO).isoformat(),
            "endTime": (at + HOUR).astimezone(OSLO).isoformat(),
            "lastUpdatedTime": "2026-11-24T00:00:00+01:00",
            "priceArea": "NO5",
            "productionGroup": group,
            "quantityKwh": value_of(f"NO5/{group}", at),
        }
        for group in ("hydro", "wind", "*")
        for at in _steps(start.astimezone(UTC), min(end, datetime.now(UTC) - HOUR).astimezone(UTC), HOUR)
    ]
    areas = {"NO5": records, "*": [{**one, "priceArea": "*"} for one in records]}
    return answer(200, {"data": [_area(name, found) for name, found in areas.items()]})


def _area(name: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "price-areas", "attributes": {"name": name, "productionPerGroupMbaHour": records}}


def openelectricity(
    query: Query,
    facilities: Sequence[Mapping[str, Any]] = FACILITIES,
    change: Callable[[list[Any]], None] = lambda _metrics: None,
) -> Answer:
    """The API v4: what a key may ask for, in the network's own time. `change` is given the metrics before they go."""
    if query.get("authorization") != f"Bearer {KEY}":
        return answer(401, {"success": False, "error": "Invalid API key"})
    if query["path"] == "/v4/facilities/":
        return answer(200, {"data": [one for one in facilities if one["network_id"] == query["network_id"]]})
    start, end = (datetime.fromisoformat(query[name]) for name in ("date_start", "date_end"))
    if start.tzinfo or end.tzinfo:
        return answer(400, {"detail": "Date start and end must be timezone naive"})
    if end - start > timedelta(days=8):
        return answer(400, {"detail": "Date range too large for the interval 5m"})
    network = query["path"].rsplit("/", 1)[1]
    zone = ZONES[network]
    times = list(_steps(start.replace(tzinfo=zone), end.replace(tzinfo=zone), STEP))
    if query["path"].startswith("/v4/market/network/"):
        metrics = _market(NETWORKS[network], times)
        change(metrics)
        return answer(200, {"data": metrics})
    codes = query["facility_code"].split(",")
    if len(codes) > 30:
        return answer(400, {"detail": "Too many facilities"})
    units = [unit["code"] for one in facilities if one["code"] in codes for unit in one["units"]]
    metrics = [_metric(name, "unit_code", units, times) for name in ("power", "emissions")]
    change(metrics)
    return answer(200, {"data": metrics})


def no_data(of: str) -> Answer:
    """How the API v4 answers where it has no value in the span: of ``network WEM``, or of ``facility=['BAYSW']``."""
    detail = f"No data available for {of} in the specified time range"
    return answer(404, {"success": False, "detail": detail})


def _market(regions: Sequence[str], times: list[datetime]) -> list[dict[str, Any]]:
    """Prices in the form of 4.2, demand in that of 4.0."""
    demand = _metric("demand", "network_region", regions, times)
    for result in demand["results"]:
        result["data"] = [
            [datetime.fromisoformat(at).astimezone(UTC).isoformat(), value] for at, value in result["data"]
        ]
    return [_metric("price", "region", regions, times), demand]


def _metric(name: str, column: str, codes: Any, times: list[datetime]) -> dict[str, Any]:
    results = [
        {"columns": {column: code}, "data": [[at.isoformat(), value_of(f"{code}.{name}", at)] for at in times]}
        for code in codes
    ]
    return {"network_code": "NEM", "metric": name, "interval": "5m", "results": results}


def open_meteo(query: Query, now: datetime | None = None) -> Answer:
    """Hours of each point, those to come included; UTC, m/s and °C as they must be asked for."""
    today = (now or datetime.now(UTC)).replace(hour=0, minute=0, second=0, microsecond=0)
    if query["path"] == "/v1/archive":
        start, end = (datetime.fromisoformat(query[name]).replace(tzinfo=UTC) for name in ("start_date", "end_date"))
    else:
        start = today - timedelta(days=int(query["past_days"]))
        end = today + timedelta(days=int(query["forecast_days"]) - 1)
    times = list(_steps(start, end + timedelta(days=1), HOUR))
    names = query["hourly"].split(",")
    units = {**UNITS, **({} if query.get("wind_speed_unit") == "ms" else {"wind_speed_10m": "km/h"})}
    answers = [
        {
            "latitude": float(latitude),
            "longitude": float(longitude),
            "utc_offset_seconds": 0 if query.get("timezone") == "UTC" else 3600,
            "hourly_units": {"time": "iso8601", **{name: units[name] for name in names}},
            "hourly": {
                "time": [f"{at:%Y-%m-%dT%H:%M}" for at in times],
                **{
                    name: [3 if name == "weather_code" else _small(latitude, name, at) for at in times]
                    for name in names
                },
            },
        }
        for latitude, longitude in zip(query["latitude"].split(","), query["longitude"].split(","), strict=True)
    ]
    return answer(200, answers if len(answers) > 1 else answers[0])


def _small(series: str, name: str, at: datetime) -> float:
    value = value_of(f"{series}.{name}", at)
    return round(950 + value / 10, 1) if name.startswith("pressure") else round(value / 50, 1)


def openweathermap(query: Query) -> Answer:
    """One Call 3.0 timemachine in metric units."""
    if query["appid"] != KEY:
        return answer(401, {"cod": 401, "message": "Invalid API key."})
    record = {"dt": int(query["dt"]), "temp": 4.5 if query.get("units") == "metric" else 277.65, "humidity": 80}
    return answer(200, {"lat": float(query["lat"]), "lon": float(query["lon"]), "data": [record]})


def _steps(start: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    """start ≤ time < end."""
    while start < end:
        yield start
        start += step
