"""The dashboards' file: what Kibana asks of it, and that every field it names is there."""

import fnmatch
import json
from collections.abc import Iterator
from typing import Any

import pytest

from elk.kibana.__main__ import FILE, made
from elk.kibana.boards import DASHBOARDS
from elk.templates import templates
from readings.settings import Settings
from readings.stream import load_streams
from tests.elk.panels import Source, objects, panels_of, request, sources, values

SAVED = objects(FILE.read_text())
BOARDS = [one for one in SAVED if one["type"] == "dashboard"]
SOURCES = list(sources(SAVED))
TEMPLATES = templates("", load_streams(Settings(_env_file=None)))
KIBANA_OWN = {"_index"}


def title(source: Source) -> str:
    return f"{source.dashboard['id']}: {source.title}"


def mappings(pattern: str) -> Iterator[dict[str, str]]:
    """By field the type, of every template whose indices a data view reads."""
    for body in TEMPLATES.values():
        if fnmatch.fnmatch(body["index_patterns"][0], pattern):
            properties = body["template"]["mappings"]["properties"]
            types = dict(flat(properties))
            for name, field in properties.items():
                if field.get("type") == "alias":
                    types[name] = types[field["path"]]
            yield types


def flat(properties: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, field in properties.items():
        if "properties" in field:
            yield from flat(field["properties"], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field["type"]


def test_the_file_is_what_the_boards_say() -> None:
    assert FILE.read_text() == made(), "run: python -m elk.kibana write"


def test_there_are_five_dashboards_and_each_says_how_to_read_it() -> None:
    assert [one["attributes"]["title"] for one in BOARDS] == [board.title for board in DASHBOARDS]
    assert len(BOARDS) == 5
    for board in BOARDS:
        first = panels_of(board)[0]["embeddableConfig"]["savedVis"]
        assert first["type"] == "markdown"
        assert len(first["params"]["markdown"]) > 100


def test_a_kibana_from_8_12_on_takes_every_object() -> None:
    newest = {"dashboard": (8, 9, 0), "index-pattern": (8, 0, 0)}
    for one in SAVED:
        assert tuple(map(int, one["typeMigrationVersion"].split("."))) <= newest[one["type"]]
        assert tuple(map(int, one["coreMigrationVersion"].split("."))) <= (8, 8, 0)
    for later in ("colorMapping", "showApplySelections", "textBased", "esql"):
        assert later not in FILE.read_text()


def test_ids_are_unique_and_references_lead_to_objects_of_the_file() -> None:
    ids = [(one["type"], one["id"]) for one in SAVED]
    assert len(ids) == len(set(ids))
    for one in SAVED:
        names = [reference["name"] for reference in one["references"]]
        assert len(names) == len(set(names))
        assert {(reference["type"], reference["id"]) for reference in one["references"]} <= set(ids)


def test_every_reference_of_a_panel_is_one_of_its_dashboard() -> None:
    for board in BOARDS:
        expected = [
            {**reference, "name": f"{panel['panelIndex']}:{reference['name']}"}
            for panel in panels_of(board)
            for reference in panel["embeddableConfig"].get("attributes", {}).get("references", [])
        ]
        assert board["references"] == expected


def test_panels_lie_beside_each_other() -> None:
    for board in BOARDS:
        taken: set[tuple[int, int]] = set()
        for panel in panels_of(board):
            grid = panel["gridData"]
            assert grid["i"] == panel["panelIndex"]
            cells = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
            assert max(x for x, _ in cells) < 48
            assert not cells & taken, panel["title"]
            taken |= cells


@pytest.mark.parametrize("source", SOURCES, ids=title)
def test_every_field_is_in_the_templates(source: Source) -> None:
    found = list(mappings(source.data_view["title"]))
    assert found
    for types in found:
        assert source.fields - KIBANA_OWN <= types.keys()


@pytest.mark.parametrize("source", [one for one in SOURCES if one.columns], ids=title)
def test_every_column_fits_its_fields_type(source: Source) -> None:
    types = next(mappings(source.data_view["title"]))
    numbers = {"double", "long", "integer"}
    kinds = {"date": {"date"}, "string": {"keyword"}, "number": numbers}
    for column in source.columns.values():
        if column.get("sourceField", "___records___") != "___records___":
            assert types[column["sourceField"]] in kinds[column["dataType"]]


def test_rain_which_each_reading_tells_of_the_hour_before_it_is_not_added_up() -> None:
    told = {
        (title(source), column["operationType"])
        for source in SOURCES
        for column in source.columns.values()
        if column.get("sourceField") in ("rain_mm", "snow_mm")
    }
    assert told == {("skywatt-weather: Most rain in an hour, by place", "max")}


def test_a_cost_so_far_is_the_newest_total_for_a_negative_tariff_makes_it_fall() -> None:
    costs = {
        title(source): (column["operationType"], column["params"].get("sortField"))
        for source in SOURCES
        for column in source.columns.values()
        if column.get("sourceField") == "day_cost_eur"
    }
    assert costs == {
        "skywatt-meters: Cost today": ("last_value", "timestamp"),
        "skywatt-meters: Cost of the day as it adds up": ("last_value", "timestamp"),
    }


def test_an_intensity_is_all_that_was_emitted_over_all_that_was_generated() -> None:
    (source,) = [one for one in SOURCES if one.title == "Emission intensity by fuel"]
    assert source.data_view["title"] == "readings-facility-*"
    both = [{"exists": {"field": "power_mw"}}, {"exists": {"field": "emissions_t"}}]
    assert all(one in request(source)["query"]["bool"]["filter"] for one in both)
    of_five_minutes = {"intensityX0": {"value": 30.0}, "intensityX1": {"value": 360.0}}  # 360 MW are 30 MWh
    nothing = {"intensityX0": {"value": 0.0}, "intensityX1": {"value": 0.0}}
    times = [{"doc_count": 2, **of_five_minutes}, {"doc_count": 2, **nothing}]
    answer = {"aggregations": {"fuel": {"buckets": [{"doc_count": 4, "time": {"buckets": times}}]}}}
    assert values(source, answer) == {"intensity": [1.0]}


def test_a_formulas_text_says_what_its_columns_do() -> None:
    def spelt(expression: Any, columns: dict[str, Any]) -> str:
        if isinstance(expression, str):
            return f"{columns[expression]['operationType']}({columns[expression]['sourceField']})"
        if not isinstance(expression, dict):
            return str(expression)
        left, right = (spelt(one, columns) for one in expression["args"])
        return f"{left} { {'divide': '/', 'multiply': '*'}[expression['name']] } {right}"

    formulas = [(one, name) for one in SOURCES for name in one.columns if "formula" in one.columns[name]["params"]]
    assert len(formulas) == 1
    for source, name in formulas:
        columns = source.columns
        assert list(columns)[-4:] == [name, f"{name}X0", f"{name}X1", f"{name}X2"], "as Kibana names and orders them"
        assert columns[name]["references"] == [f"{name}X2"]
        assert columns[f"{name}X2"]["references"] == [f"{name}X0", f"{name}X1"]
        said = columns[name]["params"]["formula"]
        assert spelt(columns[f"{name}X2"]["params"]["tinymathAst"], columns) == said


def test_what_is_drawn_are_columns_of_its_layer() -> None:
    for board in BOARDS:
        for panel in panels_of(board):
            if panel["type"] != "lens":
                continue
            state = panel["embeddableConfig"]["attributes"]["state"]
            layers = state["datasourceStates"]["formBased"]["layers"]
            drawn = state["visualization"].get("layers") or [state["visualization"]]
            assert [one["layerId"] for one in drawn] == list(layers)
            names = [name for layer in layers.values() for name in layer["columns"]]
            assert len(names) == len(set(names)), "a column's name is one of the whole panel"
            for one in drawn:
                layer = layers[one["layerId"]]
                assert layer["columnOrder"] == list(layer["columns"])
                grouped = [column["isBucketed"] for column in layer["columns"].values()]
                assert grouped == sorted(grouped, reverse=True), "groups come first"
                asked = json.dumps(one)
                parts = {name for column in layer["columns"].values() for name in column.get("references", [])}
                for name in layer["columns"].keys() - parts:
                    assert f'"{name}"' in asked, f"{panel['title']}: {name} is not shown"
                accessors = [one.get(key) for key in ("xAccessor", "yAccessor", "splitAccessor", "valueAccessor")]
                shown = [*filter(None, accessors), *one.get("accessors", [])]
                shown += [column["columnId"] for column in one.get("columns", [])]
                assert set(shown) == layer["columns"].keys() - parts, panel["title"]
                for column in layer["columns"].values():
                    order = column.get("params", {}).get("orderBy", {})
                    assert order.get("type") != "column" or order["columnId"] in layer["columns"].keys() - parts
                    by = layer["columns"].get(order.get("columnId"), {})
                    assert "references" not in by, "Elasticsearch cannot order by what Kibana works out"


def test_lateness_is_read_from_the_readings_and_one_row_from_the_arrivals() -> None:
    read = {one.title: one.data_view["title"] for one in SOURCES if one.dashboard["id"] == "skywatt-arrivals"}
    assert read["Late share"] == read["Delay by series"] == "readings-*"
    arrivals = {name for name, pattern in read.items() if pattern == "arrivals-*"}
    (board,) = [one for one in BOARDS if one["id"] == "skywatt-arrivals"]
    assert len({panel["gridData"]["y"] for panel in panels_of(board) if panel["title"] in arrivals}) == 1


def test_what_is_silent_for_longer_than_a_dashboard_shows_is_seen() -> None:
    own = {title(one): one.time for one in SOURCES if one.time["from"] != one.dashboard["attributes"]["timeFrom"]}
    assert own == {"skywatt-arrivals: Last seen, oldest first": {"from": "now-90d", "to": "now"}}
    (last_seen,) = [one for one in SOURCES if title(one) in own]
    assert {"range": {"arrived_at": {"gte": "now-90d", "lte": "now"}}} in request(last_seen)["query"]["bool"]["filter"]
