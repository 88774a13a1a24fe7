"""A dashboard: rows of panels, and the time that it shows when it is opened."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from elk.kibana.panels import SHAPE, Panel
from elk.kibana.saved import Reference, SavedObject

COLUMNS = 48
"""How many columns Kibana's grid has."""


@dataclass(frozen=True)
class Row:
    """Panels of one height side by side; they share the width alike, or as `widths` says."""

    height: int
    panels: Sequence[Panel]
    widths: Sequence[int] = ()


@dataclass(frozen=True)
class Dashboard:
    """One dashboard."""

    name: str
    title: str
    description: str
    since: str
    until: str
    rows: Sequence[Row]

    @property
    def id(self) -> str:
        """Its id in Kibana."""
        return f"skywatt-{self.name}"

    def saved(self) -> SavedObject:
        """The saved object, with a reference for each data view of each panel."""
        placed = list(self._placed())
        references = tuple(
            Reference(f"{one['panelIndex']}:{reference.name}", reference.type, reference.id)
            for one, panel in placed
            for reference in panel.references
        )
        options = {
            "hidePanelTitles": False,
            "syncColors": True,
            "syncCursor": True,
            "syncTooltips": False,
            "useMargins": True,
        }
        searched = {"query": {"query": "", "language": "kuery"}, "filter": []}
        attributes: dict[str, Any] = {
            "title": self.title,
            "description": self.description,
            "panelsJSON": _compact([one for one, _ in placed]),
            "optionsJSON": _compact(options),
            "timeRestore": True,
            "timeFrom": self.since,
            "timeTo": self.until,
            "refreshInterval": {"pause": False, "value": 60_000},
            "kibanaSavedObjectMeta": {"searchSourceJSON": _compact(searched)},
            "version": 1,
        }
        return SavedObject("dashboard", self.id, SHAPE, attributes, references)

    def _placed(self) -> Sequence[tuple[dict[str, Any], Panel]]:
        placed: list[tuple[dict[str, Any], Panel]] = []
        y = 0
        for row in self.rows:
            x = 0
            for panel, width in zip(row.panels, row.widths or _alike(len(row.panels)), strict=True):
                index = f"{self.name}-{len(placed) + 1}"
                grid = {"x": x, "y": y, "w": width, "h": row.height, "i": index}
                placed.append((_panel(panel, index, grid), panel))
                x += width
            y += row.height
        return placed


def _panel(panel: Panel, index: str, grid: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": SHAPE,
        "type": panel.type,
        "title": panel.title,
        "panelIndex": index,
        "gridData": grid,
        "embeddableConfig": panel.config,
    }


def _alike(count: int) -> list[int]:
    return [COLUMNS // count] * count


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
