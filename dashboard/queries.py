"""What the pages of weather, production and meters ask of the store, each question bounded by an index and a span.

Documents whose names are known are asked for by name: for a span of names the local server goes through all there are.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

from dashboard.arrivals import VALUES
from dashboard.store import Store
from readings import parts
from readings.connections import Document
from readings.stored import find_by_id, forecast_error_id, production_sum_id
from readings.stream import Stream

OSLO = ZoneInfo("Europe/Oslo")
HOUR = timedelta(hours=1)
WEATHER_FIELDS = (
    *("timestamp", "temperature_c", "feels_like_c", "humidity_pct", "pressure_hpa", "wind_speed_ms", "wind_deg"),
    *("rain_mm", "snow_mm", "condition", "description", "icon", "sunrise", "sunset"),
)
NEWEST_LOOKED_BACK_DAYS = 40
LONGEST_HORIZON_H = 168
"""The forecaster's."""
LEAST_KWH = 0.0005
"""What rounding leaves between a day and its half hours is less."""
MOST_READINGS = 10_000
"""Of one series that a chart shows: 35 days of five minutes."""


def temperatures_of(store: Store, region: str, since: datetime, until: datetime, most: int = 800) -> pd.DataFrame:
    """A place's ``timestamp, temperature_c`` in a span, in order; of many about `most`, the newest among them."""
    which = {"region": region, "timestamp": {"$gte": since, "$lte": until}}
    columns = ("timestamp", "temperature_c")
    found = _frame(store.database["weather"].find(which, {"_id": 0, **dict.fromkeys(columns, 1)}), columns)
    step = max(1, len(found) // most)
    return found.iloc[::-1].iloc[::step].iloc[::-1]


def arrivals_of(store: Store, stream: Stream, series: str, since: datetime, until: datetime) -> pd.DataFrame:
    """A series' readings of a span of event times, in order: ``timestamp, value, delay_s, late, mode, arrived_at``.

    ``timestamp`` is when the reading was true: of an interval its end, which ``delay_s`` counts from. At most
    `MOST_READINGS` and one more, the newest: that one says that there are others.
    """
    when, value = stream.model.time_field, VALUES[stream.name][0]
    columns = (when, value, "delay_s", "late", "mode", "arrived_at")
    interval = stream.model.interval
    which = {**stream.names_of(series), when: {"$gte": since - interval, "$lte": until - interval}}
    found = store.database[stream.collection].find(which, {"_id": 0, **dict.fromkeys(columns, 1)})
    newest = found.sort(when, -1).limit(MOST_READINGS + 1)
    frame = _frame(newest, columns, when).rename(columns={when: "timestamp", value: "value"})
    return frame.assign(timestamp=frame["timestamp"] + interval)


def conditions_of(store: Store, region: str, at: datetime) -> Document:
    """A place's reading of an instant: the fields of `WEATHER_FIELDS`, None where it has none."""
    found = store.database["weather"].find_one({"region": region, "timestamp": at}) or {}
    return {name: found.get(name) for name in WEATHER_FIELDS}


def predictions_of(store: Store, region: str, since: datetime) -> pd.DataFrame:
    """The newest forecast of each hour of a place: ``timestamp, temperature_c, lower_c, upper_c, issued_at``."""
    columns = ("timestamp", "temperature_c", "lower_c", "upper_c", "issued_at", "horizon_h")
    which = {"region": region, "timestamp": {"$gte": since}}
    return _frame(store.database["predictions"].find(which, {"_id": 0, **dict.fromkeys(columns, 1)}), columns)


def errors_of(store: Store, region: str) -> pd.DataFrame:
    """How far forecasts of a place were off, by horizon: °C of the last 30 days."""
    columns = ("horizon_h", "count", "mean_absolute_error_c", "bias_c", "inside_share")
    ids = [forecast_error_id(region, horizon_h) for horizon_h in range(1, LONGEST_HORIZON_H + 1)]
    found = pd.DataFrame(list(find_by_id(store.database["forecast_errors"], ids)), columns=list(columns))
    return found.sort_values("horizon_h", ignore_index=True)


def month_sums(store: Store, area: str, groups: Sequence[str]) -> pd.DataFrame:
    """A price area's sums of months: ``production_group, year, month, quantity_kwh, hours``."""
    oldest, now = store.streams["production"].config.oldest, datetime.now(OSLO)
    months = [date(year, month, 1) for year in range(oldest.year, now.year + 1) for month in range(1, 13)]
    ids = [production_sum_id(area, group, "month", month) for group in groups for month in months]
    rows = []
    for one in find_by_id(store.database["production_sums"], ids):
        begins = date.fromisoformat(one["begins"])
        rows.append((one["production_group"], begins.year, begins.month, one["quantity_kwh"], one["hours"]))
    return pd.DataFrame(rows, columns=["production_group", "year", "month", "quantity_kwh", "hours"])


def hours_of(store: Store, area: str, group: str, first: date) -> pd.DataFrame:
    """The hours of a month (that of `first`, Oslo's) of a series, in order.

    ``start_time`` is UTC, ``oslo`` the wall time as if it were UTC (a browser moves times that have no
    zone), ``zone`` which of the two (CET or CEST) it is.
    """
    columns = ("start_time", "quantity_kwh", "revision", "previous_kwh", "revised_at", "source")
    begins, ends = month_of(first)
    which = {"price_area": area, "production_group": group, "start_time": {"$gte": begins, "$lt": ends}}
    found = _frame(
        store.database["production"].find(which, {"_id": 0, **dict.fromkeys(columns, 1)}), columns, "start_time"
    )
    local = found["start_time"].dt.tz_convert(OSLO)
    wall = local.dt.tz_localize(None).dt.tz_localize("UTC")
    return found.assign(production_group=group, oslo=wall, zone=[instant.strftime("%Z") for instant in local])


def month_of(first: date) -> tuple[datetime, datetime]:
    """When a month begins and ends in Oslo, in UTC: one of 743, 744 or 745 hours where the clock changes."""
    begins = first.replace(day=1)
    after = (begins + timedelta(days=32)).replace(day=1)
    return _midnight(begins), _midnight(after)


def declared_groups(store: Store, area: str) -> list[str]:
    """The production groups that `skywatt.yml` declares of a price area."""
    stream = store.streams["production"]
    names = [stream.names_of(series) for series in stream.config.series_names()]
    return [one["production_group"] for one in names if one["price_area"] == area]


def comparable(sums: pd.DataFrame, groups: Collection[str]) -> pd.DataFrame:
    """The months of a year in which each of the `groups`, and of what else is stored, has the same hours.

    Only of those are shares right.
    """
    wanted = {*groups, *sums["production_group"]}
    by_month = sums.groupby("month")["hours"]
    whole = (by_month.nunique() == 1) & (by_month.size() == len(wanted))
    return sums[sums["month"].isin(whole[whole].index)]


def tariff_zone(store: Store) -> ZoneInfo:
    """Whose days and half hours the totals of meters are of, as the consumer tells; Lisbon's where it has not yet."""
    told = store.database[parts.COLLECTION].find_one({"_id": parts.CONSUMER}, {"tariff_zone": 1}) or {}
    return ZoneInfo(told.get("tariff_zone", "Europe/Lisbon"))


def newest_day(store: Store, last: date) -> str | None:
    """The newest day with totals of meters, from the day after `last` some weeks back; None where none is.

    It is asked day by day: the local server would sort all there is.
    """
    totals = store.database["meter_totals"]
    days = ((last + timedelta(days=1 - back)).isoformat() for back in range(NEWEST_LOOKED_BACK_DAYS))
    return next((day for day in days if totals.find_one({"day": day}, {"_id": 1})), None)


def totals_of(store: Store, day: str, meters: Sequence[str]) -> pd.DataFrame:
    """The totals of meters on a day of the tariff's zone, every five minutes, in order."""
    columns = (
        *("sensor_id", "timestamp", "until", "month", "month_kwh", "day_kwh", "day_cost_eur"),
        *("half_hour", "half_hour_kwh", "half_hour_cost_eur", "period"),
    )
    fields = {"_id": 0, **dict.fromkeys(columns, 1)}
    found: list[Document] = []
    for meter in meters:
        found += store.database["meter_totals"].find({"day": day, "sensor_id": meter}, fields)
    return _frame(found, columns)


def month_so_far(store: Store, meter: str, day: str, since: datetime | None = None) -> tuple[datetime, float] | None:
    """The newest total of a meter on a day: its instant, and the kWh of the month until then; none before `since`."""
    which: Document = {"day": day, "sensor_id": meter} | ({"timestamp": {"$gte": since}} if since else {})
    found = store.database["meter_totals"].find(which, {"_id": 0, "timestamp": 1, "month_kwh": 1})
    return max(((one["timestamp"], one["month_kwh"]) for one in found), default=None)


def months_so_far(store: Store, meters: Sequence[str], day: str) -> dict[str, float]:
    """Of those meters that have totals on a day the kWh of the month until the newest of them, by meter."""
    which = {"day": day, "sensor_id": {"$in": list(meters)}}
    found = store.database["meter_totals"].find(which, {"_id": 0, "sensor_id": 1, "timestamp": 1, "month_kwh": 1})
    return {one["sensor_id"]: one["month_kwh"] for one in sorted(found, key=lambda one: one["timestamp"])}


def half_hours(totals: pd.DataFrame) -> pd.DataFrame:
    """The last total of each half hour: ``half_hour, sensor_id, half_hour_kwh, half_hour_cost_eur, period``."""
    columns = ["half_hour", "sensor_id", "half_hour_kwh", "half_hour_cost_eur", "period"]
    return totals.groupby(["sensor_id", "half_hour"], as_index=False).last()[columns]


def beside_half_hours(totals: pd.DataFrame) -> pd.DataFrame:
    """What meters used on the day that no half hour has: ``sensor_id, half_hour_kwh, half_hour_cost_eur``.

    Between readings that are far apart a day has one total, and so its last half hour alone (docs/spark.md).
    """
    columns = ["half_hour_kwh", "half_hour_cost_eur"]
    of_day = totals.groupby("sensor_id")[["day_kwh", "day_cost_eur"]].last().set_axis(columns, axis=1)
    rest = of_day - half_hours(totals).groupby("sensor_id")[columns].sum()
    return rest[rest["half_hour_kwh"] > LEAST_KWH].reset_index()


def _frame(found: object, columns: Sequence[str], order: str = "timestamp") -> pd.DataFrame:
    frame = pd.DataFrame(list(found), columns=list(columns))  # type: ignore[call-overload]
    for name in columns:
        if name in (
            "timestamp",
            "start_time",
            "issued_at",
            "until",
            "half_hour",
            "revised_at",
            "arrived_at",
            "sunrise",
            "sunset",
        ):
            frame[name] = pd.to_datetime(frame[name], utc=True)
    ordered: pd.DataFrame = frame.sort_values(order, ignore_index=True)
    return ordered


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), OSLO).astimezone(UTC)
