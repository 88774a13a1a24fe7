"""What the pages beside the market's show, in a MongoDB store for `benchmarks.dashboard`: recordings, laid up to now.

Weather is the last 28 days of a recording's places with a forecast of each hour and 48 more, production the recorded
part of 2021 with its own times, meters are the last readings and two days of totals. Forecasts, their errors and totals
are no one's: they have the shape and the number of the consumer's.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pymongo.database import Database

from benchmarks.dashboard_store import reading, rows_of
from readings.config import ROOT
from readings.connections import Document
from readings.stored import forecast_error_id, production_sum_id
from readings.stream import Stream

WEATHER_DAYS, AHEAD_H = 28, 48
LISBON, OSLO = ZoneInfo("Europe/Lisbon"), ZoneInfo("Europe/Oslo")


def fill_pages(database: "Database[Document]", streams: Mapping[str, Stream]) -> int:
    """Stores it; gives how many documents that are."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    documents = {
        "weather": list(_weather(now)),
        "production": list(_production()),
        "meter": list(_meters(now)),
    }
    documents["predictions"] = list(_predictions(documents["weather"], now))
    documents["forecast_errors"] = list(_errors(documents["weather"]))
    documents["production_sums"] = list(_month_sums(documents["production"]))
    documents["meter_totals"] = list(_totals(sorted({one["sensor_id"] for one in documents["meter"]}), now))
    for name in ("weather", "production", "meter"):
        stream = streams[name]
        series = sorted({one["series"] for one in documents[name]})
        declaration = {"source": "benchmark", "cadence_s": stream.config.cadence.total_seconds(), "series": series}
        database["sources"].insert_one({"_id": name, **declaration, "since": now})
    for name, some in documents.items():
        database[name].insert_many(some, ordered=False)
    return sum(len(some) for some in documents.values())


def _weather(now: datetime) -> Iterator[Document]:
    rows = list(_rows("weather/norway_era5_2021.csv.gz"))
    last = _instant(max(row["timestamp"] for row in rows))
    for row in rows:
        at = now - (last - _instant(row["timestamp"]))
        if at >= now - timedelta(days=WEATHER_DAYS):
            names = ("temperature_c", "wind_speed_ms", "wind_deg", "rain_mm", "snow_mm")
            values = {name: float(row[name]) for name in names if row[name]}
            yield {**reading(row["region"], at), "region": row["region"], "timestamp": at, **values}


def _predictions(weather: Sequence[Document], now: datetime) -> Iterator[Document]:
    for region in sorted({one["region"] for one in weather}):
        for hour in range(-24 * WEATHER_DAYS, AHEAD_H):
            at = now + timedelta(hours=hour)
            values = {"temperature_c": 5.0, "lower_c": 3.0, "upper_c": 7.0, "horizon_h": max(1, hour)}
            issue = {"issued_at": min(at - timedelta(hours=1), now)}
            yield {"_id": f"{region}|{at.isoformat()}", "region": region, "timestamp": at, **values, **issue}


def _errors(weather: Sequence[Document]) -> Iterator[Document]:
    for region in sorted({one["region"] for one in weather}):
        for hour in range(1, AHEAD_H + 1):
            values = {"count": 600, "mean_absolute_error_c": 1 + hour / 40, "bias_c": 0.1, "inside_share": 0.8}
            yield {"_id": forecast_error_id(region, hour), "region": region, "horizon_h": hour, **values}


def _production() -> Iterator[Document]:
    for row in _rows("production_2021/norway_elhub_2021.csv.gz"):
        at, series = _instant(row["start_time"]), (row["price_area"], row["production_group"])
        names = dict(zip(("price_area", "production_group"), series, strict=True))
        yield {**reading("/".join(series), at), **names, "start_time": at, "quantity_kwh": float(row["quantity_kwh"])}


def _month_sums(production: Sequence[Document]) -> Iterator[Document]:
    months: dict[tuple[str, str, date], list[float]] = defaultdict(list)
    for one in production:
        month = one["start_time"].astimezone(OSLO).date().replace(day=1)
        months[one["price_area"], one["production_group"], month].append(one["quantity_kwh"])
    for (area, group, begins), values in months.items():
        sums = {"begins": begins.isoformat(), "quantity_kwh": sum(values), "hours": len(values)}
        yield {"_id": production_sum_id(area, group, "month", begins), "production_group": group, **sums}


def _meters(now: datetime) -> Iterator[Document]:
    rows = list(_rows("meter/new_south_wales_2013-02.csv.gz"))
    last = max(_instant(row["timestamp"]) for row in rows)
    for row in rows:
        at = now - (last - _instant(row["timestamp"]))
        if at >= now - timedelta(days=2):
            names = {"sensor_id": row["sensor_id"], "timestamp": at}
            yield {**reading(row["sensor_id"], at), **names, "energy_kwh": float(row["energy_kwh"])}


def _totals(meters: Sequence[str], now: datetime) -> Iterator[Document]:
    midnight = now.astimezone(LISBON).replace(hour=0)
    begin = midnight.astimezone(UTC) - timedelta(days=1)
    for number, meter in enumerate(meters):
        for step in range(int((now - begin) / timedelta(minutes=5))):
            at = begin + step * timedelta(minutes=5)
            day = at.astimezone(LISBON).date()
            kwh = 0.01 * (number + 1)
            half_hour = at.replace(minute=at.minute // 30 * 30)
            share = kwh * (1 + (at - half_hour) / timedelta(minutes=5))
            yield {
                "_id": f"{meter}|{at.isoformat()}",
                "sensor_id": meter,
                "timestamp": at,
                "until": at + timedelta(minutes=5),
                "day": day.isoformat(),
                "month": f"{day:%Y-%m}",
                "month_kwh": kwh * step,
                "day_kwh": kwh * (step % 288),
                "day_cost_eur": 0.2 * kwh * (step % 288),
                "half_hour": half_hour,
                "half_hour_kwh": share,
                "half_hour_cost_eur": 0.2 * share,
                "period": "vazio" if at.hour < 8 else "cheias",
            }


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _rows(name: str) -> Iterator[dict[str, Any]]:
    return rows_of(ROOT / "recordings" / name)
