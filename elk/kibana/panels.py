"""Panels of a dashboard: Lens charts, tables and heat maps, maps, and lines of text, each with its own state inside."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from elk.kibana.columns import Column
from elk.kibana.data_views import DataView
from elk.kibana.saved import Reference

SHAPE = "8.9.0"
"""The version of Kibana whose shapes these are."""


@dataclass(frozen=True)
class Panel:
    """One panel: its kind, what Kibana keeps of it, and which data views it needs by which names."""

    title: str
    type: str
    config: dict[str, Any]
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True)
class Layer:
    """What a chart reads: a data view, and columns by name, groups first and outermost first."""

    view: DataView
    columns: Mapping[str, Column]
    series: str = "line"
    """How an XY chart draws it: line, area_stacked, bar, bar_stacked, bar_percentage_stacked, bar_horizontal."""
    x: str = "time"
    split: str | None = None

    @property
    def shown(self) -> list[str]:
        """The names of the columns but those that others are worked out of."""
        parts = {name for column in self.columns.values() for name in column.get("references", [])}
        return [name for name in self.columns if name not in parts]

    @property
    def values(self) -> list[str]:
        """The names of the columns that are worked out."""
        return [name for name in self.shown if not self.columns[name]["isBucketed"]]


def text(markdown: str) -> Panel:
    """A line that says how to read what is around it."""
    saved = {
        "id": "",
        "title": "",
        "description": "",
        "type": "markdown",
        "params": {"fontSize": 12, "openLinksInNewTab": False, "markdown": markdown},
        "uiState": {},
        "data": {"aggs": [], "searchSource": {"query": {"query": "", "language": "kuery"}, "filter": []}},
    }
    return Panel("", "visualization", {"savedVis": saved, "enhancements": {}, "hidePanelTitles": True})


def chart(title: str, *layers: Layer, query: str = "", y: str = "") -> Panel:
    """An XY chart of one or several layers over a common x axis; `y` names the left axis."""
    ids = _ids(title, layers)
    drawn = [_drawn(layer_id, layer) for layer_id, layer in zip(ids, layers, strict=True)]
    visualization = {
        "legend": {"isVisible": True, "position": "right"},
        "valueLabels": "hide",
        "fittingFunction": "None",
        "yTitle": y,
        "axisTitlesVisibilitySettings": {"x": False, "yLeft": bool(y), "yRight": True},
        "tickLabelsVisibilitySettings": {"x": True, "yLeft": True, "yRight": True},
        "labelsOrientation": {"x": 0, "yLeft": 0, "yRight": 0},
        "gridlinesVisibilitySettings": {"x": True, "yLeft": True, "yRight": True},
        "preferredSeriesType": layers[0].series,
        "layers": drawn,
    }
    return _lens(title, "lnsXY", layers, visualization, query)


def heat_map(title: str, layer: Layer, *, x: str, y: str, query: str = "") -> Panel:
    """A heat map of the layer's one value."""
    (layer_id,) = _ids(title, [layer])
    (value,) = layer.values
    visualization = {
        "shape": "heatmap",
        "layerId": layer_id,
        "layerType": "data",
        "xAccessor": x,
        "yAccessor": y,
        "valueAccessor": value,
        "legend": {"isVisible": True, "position": "right", "type": "heatmap_legend"},
        "gridConfig": {
            "type": "heatmap_grid",
            "isCellLabelVisible": False,
            "isYAxisLabelVisible": True,
            "isXAxisLabelVisible": True,
            "isYAxisTitleVisible": False,
            "isXAxisTitleVisible": False,
        },
    }
    return _lens(title, "lnsHeatmap", [layer], visualization, query)


def table(
    title: str,
    layer: Layer,
    *,
    sort: str,
    ascending: bool = False,
    across: str = "",
    query: str = "",
    since: str = "",
) -> Panel:
    """A table, a column of the layer each; the values of the column `across` become columns themselves.

    With `since` it shows the time from then until now, whatever the dashboard shows.
    """
    (layer_id,) = _ids(title, [layer])
    visualization = {
        "layerId": layer_id,
        "layerType": "data",
        "columns": [{"columnId": name, "isTransposed": name == across} for name in layer.shown],
        "sorting": {"columnId": sort, "direction": "asc" if ascending else "desc"},
        "paging": {"enabled": True, "size": 20},
    }
    return _lens(title, "lnsDatatable", [layer], visualization, query, since)


def points(title: str, view: DataView, field: str, *, each: str, newest: str, colour: str, size: str = "") -> Panel:
    """A map of the newest document of each series: coloured by a field, and as large as another says."""
    name = "layer_1_source_index_pattern"
    source = {
        "type": "ES_SEARCH",
        "id": f"{_slug(title)}-source",
        "indexPatternRefName": name,
        "geoField": field,
        "scalingType": "TOP_HITS",
        "topHitsGroupByTimeseries": False,
        "topHitsSplitField": each,
        "topHitsSize": 1,
        "sortField": newest,
        "sortOrder": "desc",
        "filterByMapBounds": False,
        "tooltipProperties": [one for one in (each, newest, colour, size) if one],
        "applyGlobalQuery": True,
        "applyGlobalTime": True,
        "applyForceRefresh": True,
    }
    attributes = {
        "title": title,
        "description": "",
        "layerListJSON": json.dumps([_base_map(), _points_layer(title, source, colour, size)], ensure_ascii=False),
        "mapStateJSON": json.dumps(_map_state(), ensure_ascii=False),
        "uiStateJSON": json.dumps({"isLayerTOCOpen": False, "openTOCDetails": []}),
    }
    reference = Reference(name, "index-pattern", view.id)
    config = {
        "attributes": {**attributes, "references": [reference.as_json()]},
        "enhancements": {},
        "hiddenLayers": [],
        "isLayerTOCOpen": False,
        "mapCenter": {"lat": 20, "lon": 40, "zoom": 1},
        "openTOCDetails": [],
    }
    return Panel(title, "map", config, (reference,))


def _lens(
    title: str, kind: str, layers: Sequence[Layer], visualization: dict[str, Any], query: str, since: str = ""
) -> Panel:
    ids = _ids(title, layers)
    references = tuple(
        Reference(f"indexpattern-datasource-layer-{layer_id}", "index-pattern", layer.view.id)
        for layer_id, layer in zip(ids, layers, strict=True)
    )
    sources = {
        layer_id: {
            "columns": dict(layer.columns),
            "columnOrder": list(layer.columns),
            "incompleteColumns": {},
            "sampling": 1,
        }
        for layer_id, layer in zip(ids, layers, strict=True)
    }
    attributes = {
        "title": title,
        "description": "",
        "type": "lens",
        "visualizationType": kind,
        "references": [reference.as_json() for reference in references],
        "state": {
            "visualization": visualization,
            "query": {"query": query, "language": "kuery"},
            "filters": [],
            "datasourceStates": {"formBased": {"layers": sources}},
            "internalReferences": [],
            "adHocDataViews": {},
        },
    }
    config: dict[str, Any] = {"attributes": attributes, "enhancements": {}, "hidePanelTitles": False}
    if since:
        config["timeRange"] = {"from": since, "to": "now"}
    return Panel(title, "lens", config, references)


def _drawn(layer_id: str, layer: Layer) -> dict[str, Any]:
    drawn: dict[str, Any] = {
        "layerId": layer_id,
        "layerType": "data",
        "seriesType": layer.series,
        "xAccessor": layer.x,
        "accessors": layer.values,
        "position": "top",
        "showGridlines": False,
    }
    if layer.split:
        drawn["splitAccessor"] = layer.split
    return drawn


def _base_map() -> dict[str, Any]:
    return {
        "id": "base",
        "type": "EMS_VECTOR_TILE",
        "label": None,
        "minZoom": 0,
        "maxZoom": 24,
        "alpha": 1,
        "visible": True,
        "includeInFitToBounds": True,
        "locale": "autoselect",
        "sourceDescriptor": {"type": "EMS_TMS", "isAutoSelect": True, "lightModeDefault": "road_map_desaturated"},
        "style": {"type": "EMS_VECTOR_TILE", "color": ""},
    }


def _points_layer(title: str, source: dict[str, Any], colour: str, size: str) -> dict[str, Any]:
    by_value = {"fieldMetaOptions": {"isEnabled": True, "sigma": 3}}
    icon_size: dict[str, Any] = {"type": "STATIC", "options": {"size": 8}}
    if size:
        options = {"minSize": 4, "maxSize": 24, "field": {"name": size, "origin": "source"}, **by_value}
        icon_size = {"type": "DYNAMIC", "options": options}
    coloured = {"color": "Yellow to Red", "type": "ORDINAL", "field": {"name": colour, "origin": "source"}, **by_value}
    return {
        "id": f"{_slug(title)}-points",
        "type": "GEOJSON_VECTOR",
        "label": title,
        "minZoom": 0,
        "maxZoom": 24,
        "alpha": 0.8,
        "visible": True,
        "includeInFitToBounds": True,
        "joins": [],
        "sourceDescriptor": source,
        "style": {
            "type": "VECTOR",
            "isTimeAware": True,
            "properties": {
                "icon": {"type": "STATIC", "options": {"value": "marker"}},
                "symbolizeAs": {"options": {"value": "circle"}},
                "fillColor": {"type": "DYNAMIC", "options": coloured},
                "lineColor": {"type": "STATIC", "options": {"color": "#343741"}},
                "lineWidth": {"type": "STATIC", "options": {"size": 1}},
                "iconSize": icon_size,
            },
        },
    }


def _map_state() -> dict[str, Any]:
    return {
        "zoom": 1,
        "center": {"lat": 20, "lon": 40},
        "timeFilters": {"from": "now-24h", "to": "now"},
        "refreshConfig": {"isPaused": False, "interval": 60000},
        "query": {"query": "", "language": "kuery"},
        "filters": [],
        "settings": {"autoFitToDataBounds": True},
    }


def _ids(title: str, layers: Sequence[Layer]) -> list[str]:
    return [f"{_slug(title)}-{number}" for number, _ in enumerate(layers, start=1)]


def _slug(title: str) -> str:
    return "-".join("".join(sign if sign.isalnum() else " " for sign in title.lower()).split())
