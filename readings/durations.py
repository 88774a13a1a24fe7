"""Durations as people write them: ``5s``, ``15 min``, ``72h``, ``28 d``."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS_S = {"s": 1, "min": 60, "h": 3600, "d": 86400}
_PATTERN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|min|m|h|d)\s*")


def parse_duration(text: str) -> timedelta:
    """Reads ``"15min"`` as 15 minutes. Raises ValueError on anything else."""
    match = _PATTERN.fullmatch(text)
    if not match:
        raise ValueError(f"read {text!r}, expected a number and a unit: 5s, 15min, 72h or 28d")
    number, unit = match.groups()
    try:
        return timedelta(seconds=float(number) * _UNITS_S["min" if unit == "m" else unit])
    except OverflowError:
        raise ValueError(f"read {text!r}, expected {timedelta.max.days} days at most") from None


def format_duration(duration: timedelta) -> str:
    """Writes a duration with the largest unit that leaves a whole number: ``15min``, ``72h``."""
    seconds = duration.total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _before(value: object) -> object:
    if isinstance(value, int | float):
        raise ValueError(
            f"read {value}, expected a number and a unit: {', '.join(f'{value}{unit}' for unit in _UNITS_S)}"
        )
    return parse_duration(value) if isinstance(value, str) else value


Duration = Annotated[
    timedelta,
    BeforeValidator(_before),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\s*\d+(\.\d+)?\s*(s|min|m|h|d)\s*$",
            "examples": ["15min", "72h"],
        }
    ),
]
"""A pydantic field type: a ``timedelta`` written as in `parse_duration`."""
