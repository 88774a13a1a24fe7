"""What the dashboards' file says, and what Kibana would ask Elasticsearch for a panel."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import mul, truediv
from typing import Any

Query = dict[str, Any]
RECORDS = "___records___"
ORDERED = {"count": "_count", "last_value": "_key"}
"""By what rows are ordered here instead; of hits Elasticsearch cannot order by the value."""


@dataclass(frozen=True)
class Source:
    """One layer of a Lens panel, or of a map: what it reads."""

    dashboard: dict[str, Any]
    title: str
    data_view: dict[str, Any]
    """The data view's attributes."""
    layer: dict[str, Any]
    query: str
    time: dict[str, str]
    """What it shows when it is opened: its own time ``from`` and ``to``, else its dashboard's."""

    @property
    def columns(self) -> dict[str, dict[str, Any]]:
        columns: dict[str, dict[str, Any]] = self.layer.get("columns", {})
        return columns

    @property
    def shown(self) -> list[str]:
        """The columns but those that others are worked out of."""
        parts = {name for column in self.columns.values() for name in column.get("references", [])}
        return [name for name in self.columns if name not in parts]

    @property
    def time_field(self) -> str:
        """What the time range cuts: the field of the time axis where there is one, else the data view's."""
        axes = [one["sourceField"] for one in self.columns.values() if one["operationType"] == "date_histogram"]
        return str(axes[0] if axes else self.data_view["timeFieldName"])

    @property
    def fields(self) -> set[str]:
        """Every field that the panel names."""
        named = {column["sourceField"] for column in self.columns.values() if "sourceField" in column} - {RECORDS}
        queries = [self.query, *(column["filter"]["query"] for column in self.columns.values() if "filter" in column)]
        for column in self.columns.values():
            queries += [one["input"]["query"] for one in column.get("params", {}).get("filters", [])]
        named |= {column["params"]["sortField"] for column in self.columns.values() if "sortField" in column["params"]}
        named |= set(re.findall(r"([@\w.]+)\s*(?::|>=)", " ".join(queries)))
        if "sourceDescriptor" in self.layer:
            source = self.layer["sourceDescriptor"]
            named |= {
                source["geoField"],
                source["topHitsSplitField"],
                source["sortField"],
                *source["tooltipProperties"],
            }
            named |= set(re.findall(r'"field": {"name": "(\w+)"', json.dumps(self.layer["style"])))
        return named | {self.data_view["timeFieldName"]}


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def panels_of(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = json.loads(dashboard["attributes"]["panelsJSON"])
    return panels


def sources(saved: list[dict[str, Any]]) -> Iterator[Source]:
    """Every layer of every panel of every dashboard, with its data view found by the dashboard's references."""
    views = {one["id"]: one["attributes"] for one in saved if one["type"] == "index-pattern"}
    for dashboard in (one for one in saved if one["type"] == "dashboard"):
        by_name = {reference["name"]: reference["id"] for reference in dashboard["references"]}
        for panel in panels_of(dashboard):
            attributes = panel["embeddableConfig"].get("attributes", {})
            board = dashboard["attributes"]
            time = panel["embeddableConfig"].get("timeRange", {"from": board["timeFrom"], "to": board["timeTo"]})
            if panel["type"] == "lens":
                state = attributes["state"]
                for layer_id, layer in state["datasourceStates"]["formBased"]["layers"].items():
                    name = f"{panel['panelIndex']}:indexpattern-datasource-layer-{layer_id}"
                    yield Source(dashboard, panel["title"], views[by_name[name]], layer, state["query"]["query"], time)
            elif panel["type"] == "map":
                for layer in json.loads(attributes["layerListJSON"]):
                    reference = layer["sourceDescriptor"].get("indexPatternRefName")
                    if reference:
                        name = f"{panel['panelIndex']}:{reference}"
                        yield Source(dashboard, panel["title"], views[by_name[name]], layer, "", time)


def request(source: Source, now: datetime | None = None, zone: str | None = None) -> Query:
    """The search that shows a source, over the time that it opens with; with `now` as it was asked then.

    `zone` is the browser's, whose midnight ``now/d`` is.
    """
    begins, ends = (_as_of(source.time[name], now) for name in ("from", "to"))
    time = {source.time_field: {"gte": begins, "lte": ends, **({"time_zone": zone} if zone else {})}}
    filters: list[Query] = [{"range": time}, *kql(source.query)]
    if "sourceDescriptor" in source.layer:
        described = source.layer["sourceDescriptor"]
        newest = {"size": 1, "sort": [{described["sortField"]: described["sortOrder"]}]}
        series = {
            "terms": {"field": described["topHitsSplitField"], "size": 1000},
            "aggs": {"hit": {"top_hits": newest}},
        }
        exists = {"exists": {"field": described["geoField"]}}
        return {"size": 0, "query": {"bool": {"filter": [*filters, exists]}}, "aggs": {"series": series}}
    metrics = {name: _metric(column) for name, column in source.columns.items() if not column["isBucketed"]}
    aggregations = {name: metric for name, metric in metrics.items() if metric}
    for name in reversed([name for name in source.layer["columnOrder"] if source.columns[name]["isBucketed"]]):
        bucket = _bucket(source.columns[name], source.columns)
        ordering = {by: metrics[by] for by in bucket.get("terms", {}).get("order", {}) if metrics.get(by)}
        aggregations = {name: {**bucket, "aggs": aggregations | ordering}}
    return {"size": 0, "query": {"bool": {"filter": filters}}, "aggs": aggregations}


def _as_of(expression: str, now: datetime | None) -> str:
    """``now-24h`` or ``now/d`` with an instant in the place of ``now``."""
    if now is None:
        return expression
    assert expression.startswith("now"), f"the tests do not know {expression!r}"
    return f"{now.isoformat()}||{expression.removeprefix('now')}"


def values(source: Source, answer: dict[str, Any]) -> dict[str, list[float]]:
    """By the layer's value columns, what the answer holds of each over all groups."""
    found: dict[str, list[float]] = {name: [] for name in source.shown if not source.columns[name]["isBucketed"]}
    groups = [name for name in source.layer["columnOrder"] if source.columns[name]["isBucketed"]]

    def gather(inside: dict[str, Any], left: list[str]) -> None:
        if left:
            buckets = inside[left[0]]["buckets"]
            for bucket in buckets.values() if isinstance(buckets, dict) else buckets:
                gather(bucket, left[1:])
        elif inside["doc_count"]:
            for name, numbers in found.items():
                number = value(inside, name, source.columns)
                if number is not None:
                    numbers.append(number)

    gather(answer["aggregations"], groups)
    return found


def kql(query: str) -> list[Query]:
    """What the dashboards use of Kibana's query language: ``field: value``, ``field: *``, ``field >= number``,
    ``not …``, ``… and …``.
    """
    if not query:
        return []
    if " and " in query:
        return [asked for part in query.split(" and ") for asked in kql(part)]
    found = re.fullmatch(r"(not )?([@\w.]+)\s*(:|>=)\s*([\w*.-]+)", query)
    assert found, f"the tests do not know {query!r}"
    negated, field, operator, value = found.groups()
    if operator == ">=":
        asked: Query = {"range": {field: {"gte": float(value)}}}
    elif value == "*":
        asked = {"exists": {"field": field}}
    elif "*" in value:
        asked = {"wildcard": {field: value}}
    else:
        asked = {"term": {field: value}}
    return [{"bool": {"must_not": [asked]}}] if negated else [asked]


def _metric(column: dict[str, Any]) -> Query | None:
    kinds = {"average": "avg", "sum": "sum", "max": "max"}
    assert "filter" not in column, "the tests do not know columns with a filter"
    operation, field = column["operationType"], column.get("sourceField")
    if operation in ("count", "formula", "math"):
        return None
    if operation == "percentile":
        return {"percentiles": {"field": field, "percents": [column["params"]["percentile"]], "keyed": False}}
    if operation == "last_value":  # Kibana asks for top_metrics, which is not among the core modules
        return {"top_hits": {"size": 1, "sort": [{column["params"]["sortField"]: "desc"}], "_source": [field]}}
    return {kinds[operation]: {"field": field}}


def _bucket(column: dict[str, Any], columns: dict[str, dict[str, Any]]) -> Query:
    params = column["params"]
    if column["operationType"] == "filters":
        return {
            "filters": {
                "filters": {one["label"]: {"bool": {"filter": kql(one["input"]["query"])}} for one in params["filters"]}
            }
        }
    if column["operationType"] == "date_histogram":
        interval = {"auto": "1h"}.get(params["interval"], params["interval"])
        kind = "calendar_interval" if interval == "1M" else "fixed_interval"
        return {"date_histogram": {"field": column["sourceField"], kind: interval, "min_doc_count": 1}}
    assert column["operationType"] == "terms"
    by = params["orderBy"].get("columnId", "_key")
    if by != "_key" and columns[by]["operationType"] in ORDERED:
        by = ORDERED[columns[by]["operationType"]]
    order = {by: params["orderDirection"]}
    return {"terms": {"field": column["sourceField"], "size": params["size"], "order": order}}


def value(inside: dict[str, Any], name: str, columns: dict[str, dict[str, Any]]) -> float | None:
    """A column's, of a group of the answer."""
    column = columns[name]
    operation = column["operationType"]
    if operation == "formula":
        return value(inside, column["references"][0], columns)
    if operation == "math":
        return _worked_out(column["params"]["tinymathAst"], inside, columns)
    if operation == "count":
        return float(inside["doc_count"])
    if operation == "percentile":
        percents: list[dict[str, float | None]] = inside[name]["values"]
        return percents[0]["value"]
    if operation == "last_value":
        return float(inside[name]["hits"]["hits"][0]["_source"][column["sourceField"]])
    number: float | None = inside[name]["value"]
    return number


def _worked_out(expression: Any, inside: dict[str, Any], columns: dict[str, dict[str, Any]]) -> float | None:
    """What Kibana's math makes of columns: null where it divides by zero, or of nothing."""
    if isinstance(expression, str):
        return value(inside, expression, columns)
    if not isinstance(expression, dict):
        return float(expression)
    left, right = (_worked_out(one, inside, columns) for one in expression["args"])
    if left is None or right is None or (expression["name"] == "divide" and right == 0):
        return None
    return {"divide": truediv, "multiply": mul}[expression["name"]](left, right)
