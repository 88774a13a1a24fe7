"""A place's hourly temperatures, as the model is trained on them. Needed for training alone."""

import csv
import gzip
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecaster.series import to_hourly

TYPICAL_YEAR = datetime(2001, 1, 1, tzinfo=UTC)
"""Typical years have no year; which is taken does not matter, for the sun stands alike each year."""
LONGEST_SPAN = 60 * 24


@dataclass(frozen=True)
class Place:
    """A place's hourly temperatures."""

    name: str
    group: str
    """Places of one group are held out together, so that none is forecast by a fit that has seen its neighbour."""
    latitude: float
    longitude: float
    first_h: float
    """Hours since 1970-01-01T00Z of `values[0]`; some are read at half past."""
    values: NDArray[np.float64]
    """°C; NaN is not known."""


def recorded(file: Path, group: str) -> list[Place]:
    """The places of a recording of weather."""
    rows: dict[tuple[str, float, float], list[tuple[datetime, float]]] = {}
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["temperature_c"]:
                place = row["region"], float(row["location.lat"]), float(row["location.lon"])
                when = datetime.fromisoformat(row["timestamp"])
                rows.setdefault(place, []).append((when, float(row["temperature_c"])))
    return [on_hourly_grid(name, group, lat, lon, points) for (name, lat, lon), points in rows.items()]


def typical(
    name: str, group: str, latitude: float, longitude: float, behind_utc_h: float, values: list[float]
) -> Place:
    """Of the hours of a year, the first from midnight to one in the place's standard time, taken as that year's one."""
    first = TYPICAL_YEAR + timedelta(hours=1 + behind_utc_h)
    points = [(first + timedelta(hours=hour), value) for hour, value in enumerate(values)]
    return on_hourly_grid(name, group, latitude, longitude, points)


def on_hourly_grid(
    name: str, group: str, latitude: float, longitude: float, points: list[tuple[datetime, float]]
) -> Place:
    """On an hourly grid that begins at the first reading; readings without a zone are UTC."""
    aware = [(when if when.tzinfo else when.replace(tzinfo=UTC), value) for when, value in points]
    hours = np.array([when.timestamp() / 3600 for when, _ in aware])
    values = np.array([value for _, value in aware])
    order = np.argsort(hours)
    hours, values = hours[order], values[order]
    parts = []  # the grid takes 60 days at once
    first_h = float(hours[0])
    for start in np.arange(first_h, hours[-1] + 1, LONGEST_SPAN):
        inside = (hours >= start) & (hours < start + LONGEST_SPAN)
        part = np.full(LONGEST_SPAN, np.nan)
        if inside.sum() > 1:
            grid = to_hourly(list(hours[inside] * 3600), list(values[inside]))
            end = round(grid.last_s / 3600 - start) + 1
            part[end - len(grid.values) : end] = grid.values
        parts.append(part)
    return Place(name, group, latitude, longitude, first_h, np.concatenate(parts))
