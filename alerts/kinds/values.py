"""Values of a field, with its unit, as people read them; and a series' newest value."""

import functools
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from alerts.asking import Ask, Query
from alerts.kinds.scene import StreamScene
from readings.stream import Stream

SECONDS = {"delay_s": "s"}


def shown(value: float, stream: Stream, field: str) -> str:
    """``41.2 °C``."""
    unit = unit_of(stream, field)
    return f"{value:,.6g}" + (f" {unit}" if unit else "")


def unit_of(stream: Stream, field: str) -> str:
    """The unit that the stream's model says, or nothing."""
    return _units(stream.model).get(field) or SECONDS.get(field, "")


@functools.cache
def _units(model: type[BaseModel]) -> Mapping[str, str]:
    """By field; to describe a model takes milliseconds."""
    described = model.model_json_schema()["properties"].items()
    ways = {field: (whole, *whole.get("anyOf", [])) for field, whole in described}
    return {field: one["unit"] for field, each in ways.items() for one in reversed(each) if "unit" in one}


def readings_of(scene: StreamScene, field: str, window: timedelta) -> list[Query]:
    """The readings of the window that have the field."""
    return [{"exists": {"field": field}}, *scene.happened(window)]


def newest_values(
    scene: StreamScene, filters: list[Query], field: str, further: Mapping[str, Query] | None = None
) -> Ask:
    """Asks for the newest value of each series (`newest_value` reads it), and further aggregations."""
    hit = {
        "size": 1,
        "sort": [{scene.time_field: "desc"}],
        "_source": False,
        "docvalue_fields": [field],
    }
    return scene.of(filters, {"newest": {"top_hits": hit}, **(further or {})})


def newest_value(bucket: Mapping[str, Any], field: str) -> float:
    """The newest value of a bucket."""
    return float(bucket["newest"]["hits"]["hits"][0]["fields"][field][0])
