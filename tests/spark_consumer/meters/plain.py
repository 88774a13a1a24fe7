"""Meter totals as plain pandas works them out of the whole series at once: what the streaming ones must equal."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import pandas as pd

ZONE = "Europe/Lisbon"
PRICES = {"22:00": 0.1072, "08:00": 0.1741, "09:00": 0.2400, "10:30": 0.1741, "18:00": 0.2400, "20:30": 0.1741}


class Shown(NamedTuple):
    """A message: when, what the register showed, its place among the messages."""

    at: datetime
    kwh: float
    offset: int


def price(local: str) -> float:
    """Of a local time of day, ``HH:MM``."""
    return PRICES[max((begin for begin in PRICES if begin <= local), default="22:00")]


def counted(messages: Sequence[Shown], max_kw: float | None) -> "pd.Series[float]":
    """The energy of the readings that count, by time, 0 at the first."""
    frame = pd.DataFrame(messages).sort_values("offset").drop_duplicates("at", keep="last").sort_values("at")
    series = list(zip(frame["at"], frame["kwh"], strict=True))

    def fits(one: tuple[datetime, float], other: tuple[datetime, float]) -> bool:
        hours = (other[0] - one[0]).total_seconds() / 3600
        return other[1] >= one[1] and (max_kw is None or other[1] - one[1] <= max_kw * hours)

    total, last = 0.0, series[0]
    found = {last[0]: 0.0}
    place = 1
    while place < len(series):
        three = series[place : place + 3]
        if fits(last, three[0]):
            total += three[0][1] - last[1]
            found[three[0][0]], last, place = total, three[0], place + 1
        elif (
            len(three) == 3
            and not any(fits(last, one) for one in three)
            and fits(three[0], three[1])
            and fits(three[1], three[2])
        ):
            for one in three:
                found[one[0]] = total + one[1] - three[0][1]
            total, last, place = found[three[2][0]], three[2], place + 3
        else:
            place += 1
    return pd.Series(found)


def totals(messages: Sequence[Shown], max_kw: float | None = None) -> pd.DataFrame:
    """By mark: kWh of the month, the day and the half hour, and what the last two cost, to the newest reading."""
    marks, newest = _marks(messages), max(one.at for one in messages)
    reached = pd.DatetimeIndex([min(mark, pd.Timestamp(newest)) for mark in marks])
    return _at_each_moment(messages, max_kw).loc[reached].set_axis(marks)


def minute_costs(messages: Sequence[Shown], max_kw: float | None = None) -> dict[datetime, list[float]]:
    """By mark: what the day has cost at each full minute of its five, to the newest reading."""
    costs = _at_each_moment(messages, max_kw)["day_cost_eur"]
    newest = max(one.at for one in messages)
    return {
        mark.to_pydatetime(): [
            costs.get(minute, 0.0) for minute in pd.date_range(end=mark, periods=5, freq="1min") if minute <= newest
        ]
        for mark in _marks(messages)
    }


def _marks(messages: Sequence[Shown]) -> pd.DatetimeIndex:
    first, newest = min(one.at for one in messages), max(one.at for one in messages)
    return pd.date_range(pd.Timestamp(first).ceil("5min"), pd.Timestamp(newest).ceil("5min"), freq="5min")


def _at_each_moment(messages: Sequence[Shown], max_kw: float | None) -> pd.DataFrame:
    """The totals at each minute, each reading and the newest."""
    energy = counted(messages, max_kw)
    first, newest = min(one.at for one in messages), max(one.at for one in messages)
    minutes = pd.date_range(pd.Timestamp(first).ceil("1min"), pd.Timestamp(newest), freq="1min")
    grid = energy.index.union(minutes).union(pd.DatetimeIndex([newest]))
    steps = energy.reindex(grid).interpolate("index").ffill().diff().fillna(0.0)
    local = (grid - pd.Timedelta(milliseconds=1)).tz_convert(ZONE)
    half_hours = (grid - pd.Timedelta(milliseconds=1)).floor("30min")
    cost = steps * [price(text) for text in local.strftime("%H:%M")]
    return pd.DataFrame(
        {
            "month_kwh": steps.groupby(local.strftime("%Y-%m")).cumsum(),
            "day_kwh": steps.groupby(local.strftime("%Y-%m-%d")).cumsum(),
            "half_hour_kwh": steps.groupby(half_hours).cumsum(),
            "day_cost_eur": cost.groupby(local.strftime("%Y-%m-%d")).cumsum(),
            "half_hour_cost_eur": cost.groupby(half_hours).cumsum(),
        }
    )
