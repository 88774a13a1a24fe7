"""Other spellings of a reading's fields."""

from collections.abc import Mapping
from typing import Any


def renamed(record: Mapping[str, Any], aliases: Mapping[str, str], source: str) -> dict[str, Any]:
    """The record with the model's names, and a source where it names none. Raises ValueError on a field named twice."""
    reading: dict[str, Any] = {}
    for name, value in record.items():
        field = aliases.get(name, name)
        if field in reading:
            raise ValueError(f"{field}: read it under two names, one of them {name}, expected one")
        reading[field] = value
    reading.setdefault("source", source)
    return reading
