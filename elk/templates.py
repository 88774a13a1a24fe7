"""Index templates, made from the models: strict types, units in ``meta``, nothing guessed from a first document.

A field that no template names is refused, so every index holds exactly what its template says.
"""

from collections.abc import Mapping
from typing import Any

from readings.dead_letters import DeadLetter
from readings.stream import FACTS, Stream

AT_ONCE, UNHURRIED = "500ms", "5s"
"""How long after it was written a document may be found. Readings at once: the consumer refreshes after each batch."""
SELDOM_ASKED = ("totals-meter", "totals-production", "totals-market", "totals-forecast", "arrivals", "service-logs")
"""For dashboards alone, which people look at: they need not be there within half a second."""
Mappings = dict[str, Any]
"""The ``properties`` of an Elasticsearch mapping."""

KEYWORD: Mappings = {"type": "keyword"}
DATE: Mappings = {"type": "date"}
DOUBLE: Mappings = {"type": "double"}
INTEGER: Mappings = {"type": "integer"}
LONG: Mappings = {"type": "long"}
BOOLEAN: Mappings = {"type": "boolean"}
TEXT: Mappings = {"type": "text"}
STORED: Mappings = {"type": "keyword", "index": False, "doc_values": False}
"""Kept, of any length, and not searched."""

SECONDS: Mappings = {**DOUBLE, "meta": {"unit": "s"}}

BESIDE_READING: Mappings = {
    "series": KEYWORD,
    "arrived_at": DATE,
    "delay_s": SECONDS,
    "late": BOOLEAN,
    "revision": INTEGER,
    "revised_at": DATE,
    "kafka": {"properties": {"arrived_at": DATE, "partition": INTEGER, "offset": LONG}},
}
"""What the consumer stores beside a reading's own fields."""

TEMPERATURE: Mappings = {**DOUBLE, "meta": {"unit": "°C"}}
FORECAST: Mappings = {
    "region": KEYWORD,
    "timestamp": DATE,
    "issued_at": DATE,
    "temperature_c": TEMPERATURE,
    "lower_c": TEMPERATURE,
    "upper_c": TEMPERATURE,
    "horizon_h": {**INTEGER, "meta": {"unit": "h"}},
    "actual": TEMPERATURE,
    "error": TEMPERATURE,
    "off": TEMPERATURE,
    "inside": BOOLEAN,
}
"""A forecast, and once its reading came: that, forecast minus reading, and whether it lay in the interval."""

FORECAST_ERRORS: Mappings = {
    "region": KEYWORD,
    "timestamp": DATE,
    "horizon_h": {**INTEGER, "meta": {"unit": "h"}},
    "count": LONG,
    "mean_absolute_error_c": TEMPERATURE,
    "bias_c": TEMPERATURE,
    "inside_share": DOUBLE,
    "until": DATE,
}
"""The running error of a place at a horizon."""

KWH: Mappings = {**DOUBLE, "meta": {"unit": "kWh"}}
EUR: Mappings = {**DOUBLE, "meta": {"unit": "EUR"}}
METER_TOTALS: Mappings = {
    "sensor_id": KEYWORD,
    "timestamp": DATE,
    "until": DATE,
    "month": KEYWORD,
    "day": KEYWORD,
    "half_hour": DATE,
    "period": KEYWORD,
    "month_kwh": KWH,
    "day_kwh": KWH,
    "half_hour_kwh": KWH,
    "day_cost_eur": EUR,
    "half_hour_cost_eur": EUR,
    "minute_costs_eur": EUR,
    "flags": KEYWORD,
}
PRODUCTION_SUMS: Mappings = {
    "price_area": KEYWORD,
    "production_group": KEYWORD,
    "period": KEYWORD,
    "begins": KEYWORD,
    "timestamp": DATE,
    "quantity_kwh": KWH,
    "hours": INTEGER,
}
PRICE: Mappings = {**DOUBLE, "meta": {"unit": "AUD/MWh"}}
MARKET_SUMS: Mappings = {
    "timestamp": DATE,
    "network_region": KEYWORD,
    "fuel_group": KEYWORD,
    "power_mw": {**DOUBLE, "meta": {"unit": "MW"}},
    "emissions_t": {**DOUBLE, "meta": {"unit": "t"}},
    "intensity_t_per_mwh": {**DOUBLE, "meta": {"unit": "t/MWh"}},
    "facilities": INTEGER,
    "price_per_mwh": PRICE,
    "demand_mw": {**DOUBLE, "meta": {"unit": "MW"}},
    "usual_from": PRICE,
    "usual_to": PRICE,
    "spike": BOOLEAN,
}
ALERT: Mappings = {
    "alert": KEYWORD,
    "rule": KEYWORD,
    "kind": KEYWORD,
    "stream": KEYWORD,
    "series": KEYWORD,
    "severity": KEYWORD,
    "state": KEYWORD,
    "since": DATE,
    "changed_at": DATE,
    "fired_at": DATE,
    "no_data_at": DATE,
    "recovering_at": DATE,
    "resolved_at": DATE,
    "duration_s": SECONDS,
    "began": DATE,
    "count": LONG,
    "worst_delay_s": SECONDS,
    "what": KEYWORD,
    "muted_by": KEYWORD,
    "message": KEYWORD,
    "life": KEYWORD,
}
"""An incident of one series: its state and when it came into each; `life` has all of it, `message` what told it."""

ARRIVAL: Mappings = {
    "@timestamp": DATE,
    "arrived_at": DATE,
    "event_time": DATE,
    "stream": KEYWORD,
    "series": KEYWORD,
    "source": KEYWORD,
    "mode": KEYWORD,
    "delay_s": SECONDS,
    "late": BOOLEAN,
    "topic": KEYWORD,
    "partition": INTEGER,
    "offset": LONG,
    "position": INTEGER,
    "tags": KEYWORD,
    "reason": KEYWORD,
    "message": STORED,
}
"""What Logstash saw arrive (``elk/logstash/scripts/arrivals.rb``); reason and message where it could not be read."""

SERVICE_LOG: Mappings = {
    "@timestamp": DATE,
    "message": TEXT,
    "log": {"properties": {"level": KEYWORD, "logger": KEYWORD}},
    "service": {"properties": {"name": KEYWORD}},
    "process": {"properties": {"pid": LONG}},
    "error": {"properties": {"type": KEYWORD, "message": TEXT, "stack_trace": STORED}},
    "stream": KEYWORD,
    "series": KEYWORD,
    "query": KEYWORD,
    "labels": {"type": "flattened"},
    "tags": KEYWORD,
}
"""A line of a part's log, fields as ECS names them (``elk/logstash/scripts/logs.rb``)."""


def templates(prefix: str, streams: Mapping[str, Stream]) -> dict[str, dict[str, Any]]:
    """Every composable index template by name, as ``PUT _index_template`` takes it."""
    bodies = {
        f"{prefix}readings-{stream.name}": _template(f"{stream.index_prefix}*", _of_stream(stream), UNHURRIED)
        for stream in streams.values()
    }
    letters = {**of_model(DeadLetter.model_json_schema()), "message": STORED}
    further = {
        "dead-letters": letters,
        "forecasts-weather": FORECAST,
        "totals-meter": METER_TOTALS,
        "totals-production": PRODUCTION_SUMS,
        "totals-market": MARKET_SUMS,
        "totals-forecast": FORECAST_ERRORS,
        "alerts": ALERT,
        "arrivals": ARRIVAL,
        "service-logs": SERVICE_LOG,
    }
    return bodies | {
        f"{prefix}{name}": _template(f"{prefix}{name}-*", fields, UNHURRIED if name in SELDOM_ASKED else AT_ONCE)
        for name, fields in further.items()
    }


def _of_stream(stream: Stream) -> Mappings:
    """A stream's own fields and those beside them; ``event_time`` is its time under the same name in all streams."""
    facts = of_model(FACTS[stream.name].model_json_schema()) if stream.name in FACTS else {}
    fields = {**of_model(stream.model.model_json_schema()), **facts, **BESIDE_READING}
    return fields | {"event_time": {"type": "alias", "path": stream.model.time_field}}


def of_model(schema: Mapping[str, Any]) -> Mappings:
    """The mapping of a model's JSON Schema. Raises KeyError on a type that has no mapping yet."""
    return {
        name: _of_field(_without_null(field), schema.get("$defs", {})) for name, field in schema["properties"].items()
    }


def _of_field(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mappings:
    if "$ref" in field:
        referred = definitions[field["$ref"].rsplit("/", 1)[1]]
        if set(referred["properties"]) == {"lat", "lon"}:
            return {"type": "geo_point"}
        return {"properties": {name: _of_field(inner, definitions) for name, inner in referred["properties"].items()}}
    if field.get("format") == "date-time":
        return DATE
    if field.get("type") == "array":
        return _of_field(field["items"], definitions)
    kind = {"number": "double", "integer": "long", "boolean": "boolean", "string": "keyword"}[field["type"]]
    return {"type": kind, "meta": {"unit": field["unit"]}} if "unit" in field else {"type": kind}


def _without_null(field: Mapping[str, Any]) -> Mapping[str, Any]:
    """An optional field is ``anyOf`` its type and null."""
    kinds = [kind for kind in field.get("anyOf", [field]) if kind.get("type") != "null"]
    return dict(kinds[0])


def _template(pattern: str, properties: Mappings, refresh: str) -> dict[str, Any]:
    return {
        "index_patterns": [pattern],
        "priority": 200,
        "template": {
            "settings": {"number_of_shards": 1, "auto_expand_replicas": "0-1", "refresh_interval": refresh},
            "mappings": {"dynamic": "strict", "properties": properties},
        },
        "_meta": {"description": "made by python -m elk.setup"},
    }
