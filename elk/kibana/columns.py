"""The columns of a Lens layer: what its rows are grouped by, and what is worked out of each group."""

from collections.abc import Mapping
from typing import Any

Column = dict[str, Any]

RECORDS = "___records___"
"""What Lens calls the field of a count."""


def over_time(field: str, interval: str = "auto") -> Column:
    """Rows by time; `interval` as Elasticsearch spells it, e.g. ``1h``, or ``auto``: as fits the time range."""
    return {
        **_bucket(field, "date_histogram", "date", "interval"),
        "label": field,
        "params": {"interval": interval, "includeEmptyRows": True, "dropPartials": False},
    }


def top(field: str, size: int, by: str, *, label: str = "", kind: str = "string", ascending: bool = False) -> Column:
    """Rows by the values of a field: the `size` of them that have most of the layer's column `by`, or least."""
    return _terms(field, size, label, kind, {"type": "column", "columnId": by}, "asc" if ascending else "desc")


def each(field: str, size: int, *, label: str = "", kind: str = "string") -> Column:
    """Rows by the values of a field, in their own order."""
    return _terms(field, size, label, kind, {"type": "alphabetical", "fallback": False}, "asc")


def either(filters: Mapping[str, str], label: str) -> Column:
    """Rows by filters in Kibana's query language, under their names."""
    inputs = [{"input": {"query": query, "language": "kuery"}, "label": name} for name, query in filters.items()]
    return {
        "dataType": "string",
        "operationType": "filters",
        "isBucketed": True,
        "scale": "ordinal",
        "label": label,
        "customLabel": True,
        "params": {"filters": inputs},
    }


def count(label: str = "Count", where: str = "", per: str = "") -> Column:
    """How many documents; `per` ``m`` or ``h`` makes it a rate."""
    column = _metric(RECORDS, "count", label, where, None, {"emptyAsNull": False})
    return {**column, "timeScale": per} if per else column


def average(field: str, label: str, unit: str = "", where: str = "") -> Column:
    """The mean."""
    return _metric(field, "average", label, where, unit, {})


def total(field: str, label: str, unit: str = "", where: str = "") -> Column:
    """The sum."""
    return _metric(field, "sum", label, where, unit, {"emptyAsNull": False})


def largest(field: str, label: str, unit: str = "", where: str = "", *, kind: str = "number") -> Column:
    """The greatest; of a date (`kind` ``date``) the latest."""
    return {**_metric(field, "max", label, where, None if kind == "date" else unit, {}), "dataType": kind}


def newest(field: str, label: str, unit: str = "", *, by: str) -> Column:
    """That of the document whose time `by` is the latest; rows may be ordered by it."""
    return _metric(field, "last_value", label, "", unit, {"sortField": by, "showArrayValues": False})


def percentile(field: str, percent: int, label: str, unit: str = "", where: str = "") -> Column:
    """What so many per cent of the values do not exceed."""
    return _metric(field, "percentile", label, where, unit, {"percentile": percent})


def ratio(name: str, above: str, below: str, label: str, unit: str = "", *, times: float = 1) -> dict[str, Column]:
    """The sum of a field over the sum of another, times a number, under `name`; no rows can be ordered by it.

    Lens keeps a formula as its text and as the columns that it is worked out of, which are named and spelt as its own
    parser does (Kibana, ``operations/definitions/formula/parse.ts``).
    """
    formula = f"sum({above}) / sum({below}) * {times}"
    place = {"location": {"min": 0, "max": len(formula)}, "text": formula}
    sums = {f"{name}X0": above, f"{name}X1": below}
    divided = {"type": "function", "name": "divide", "args": list(sums), **place}
    worked_out = {"type": "function", "name": "multiply", "args": [divided, times], **place}
    part = f"Part of {label}"
    return {
        name: {
            **_worked_out("formula", label, [f"{name}X2"]),
            "params": {"formula": formula, "isFormulaBroken": False, "format": _format(unit)},
        },
        **{of: _metric(field, "sum", part, "", None, {"emptyAsNull": False}) for of, field in sums.items()},
        f"{name}X2": {**_worked_out("math", part, list(sums)), "params": {"tinymathAst": worked_out}},
    }


def _worked_out(operation: str, label: str, references: list[str]) -> Column:
    return {
        "dataType": "number",
        "operationType": operation,
        "isBucketed": False,
        "scale": "ratio",
        "label": label,
        "customLabel": True,
        "references": references,
    }


def _format(unit: str) -> dict[str, Any]:
    suffix = {"suffix": f" {unit}"} if unit else {}
    return {"id": "number", "params": {"decimals": 2, **suffix}}


def _bucket(field: str, operation: str, kind: str, scale: str) -> Column:
    return {"dataType": kind, "operationType": operation, "sourceField": field, "isBucketed": True, "scale": scale}


def _terms(field: str, size: int, label: str, kind: str, order: dict[str, Any], direction: str) -> Column:
    return {
        **_bucket(field, "terms", kind, "ordinal"),
        "label": label or field,
        "customLabel": True,
        "params": {
            "size": size,
            "orderBy": order,
            "orderDirection": direction,
            "otherBucket": False,
            "missingBucket": False,
            "parentFormat": {"id": "terms"},
            "include": [],
            "exclude": [],
            "includeIsRegex": False,
            "excludeIsRegex": False,
        },
    }


def _metric(field: str, operation: str, label: str, where: str, unit: str | None, params: dict[str, Any]) -> Column:
    """`unit` stands behind each number; None leaves the format to Kibana."""
    column: Column = {
        "dataType": "number",
        "operationType": operation,
        "sourceField": field,
        "isBucketed": False,
        "scale": "ratio",
        "label": label,
        "customLabel": True,
        "params": dict(params),
    }
    if unit is not None:
        column["params"]["format"] = _format(unit)
    if where:
        column["filter"] = {"query": where, "language": "kuery"}
    return column
