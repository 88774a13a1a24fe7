"""Arrow schemas of the readings, from their models: a field that is added to a model is a column the next time."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from pydantic import BaseModel

TIME = pa.timestamp("us", "UTC")
_TYPES: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
}


def arrow_schema(model: type[BaseModel]) -> pa.Schema:
    """A column a field, under the field's name. Raises ValueError where a field is of a kind that has no column."""
    schema = model.model_json_schema()
    return pa.schema(_fields(schema, schema.get("$defs", {})))


def _fields(schema: Mapping[str, Any], named: Mapping[str, Any]) -> list[pa.Field]:
    return [pa.field(name, _type(name, one, named)) for name, one in schema["properties"].items()]


def _type(name: str, schema: Mapping[str, Any], named: Mapping[str, Any]) -> pa.DataType:
    if "$ref" in schema:
        return _type(name, named[schema["$ref"].rpartition("/")[2]], named)
    if "anyOf" in schema:  # it, or null
        (schema,) = (one for one in schema["anyOf"] if one.get("type") != "null")
        return _type(name, schema, named)
    if schema.get("format") == "date-time":
        return TIME
    if schema.get("type") == "object" and "properties" in schema:
        return pa.struct(_fields(schema, named))
    if schema.get("type") == "array":
        return pa.list_(_type(name, schema["items"], named))
    try:
        return _TYPES[schema["type"]]
    except KeyError:
        raise ValueError(f"{name}: {schema} has no column") from None
