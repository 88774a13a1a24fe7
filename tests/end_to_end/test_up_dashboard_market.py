"""The page of Australia's market in a real browser, on a whole stack with its recordings."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, WebSocket
from pymongo.database import Database

from readings.connections import Document
from readings.settings import Settings
from readings.stream import load_streams
from tests.end_to_end.browser import Reader
from tests.end_to_end.pages import (
    card,
    choose,
    chosen,
    differing,
    downloaded,
    eventually,
    map_at_rest,
    newest_of,
    number,
    table,
)

pytestmark = pytest.mark.timeout(900)


def test_the_markets_sums_are_the_stores_and_filters_leave_a_region(
    visitor: Reader, database: "Database[Document]"
) -> None:
    visitor.open("/market", ".sw-card")

    def as_stored() -> None:
        demand = sum(
            database["market"].find({"network_region": region}, sort=[("timestamp", -1)]).limit(1)[0]["demand_mw"]
            for region in ("NSW1", "QLD1", "SA1", "TAS1", "VIC1")
        )
        assert card(visitor.page, "Demand") == pytest.approx(demand, abs=1)

        facilities = newest_of(database, "facility", "facility_code").values()
        assert card(visitor.page, "Power") == pytest.approx(sum(one.get("power_mw") or 0 for one in facilities), abs=1)
        emissions = sum(one.get("emissions_t") or 0 for one in facilities)
        assert card(visitor.page, "Emissions") == pytest.approx(emissions, abs=0.1)
        regions = newest_of(database, "market", "network_region").values()
        weighed = sum(one["price_per_mwh"] * one["demand_mw"] for one in regions)
        assert card(visitor.page, "Price") == pytest.approx(weighed / demand, abs=0.1)

    eventually(as_stored)
    assert card(visitor.page, "Power") == pytest.approx(
        sum(number(row["Power"]) for row in table(visitor.page, "Power and emissions by fuel")), abs=8
    )
    choose(visitor.page, "TAS1")
    choose(visitor.page, "hydro")

    def tasmania_alone() -> None:
        assert [row["Region"] for row in table(visitor.page, "Price, demand, power")] == ["TAS1"]
        assert [row["Fuel"] for row in table(visitor.page, "Power and emissions by fuel")] == ["hydro"]

    eventually(tasmania_alone)
    assert {("region", "TAS1"), ("fuel", "hydro")} <= chosen(visitor.page)


def test_the_tables_are_the_stores(visitor: Reader, settings: Settings, database: "Database[Document]") -> None:
    visitor.open("/market", ".sw-card")
    table(visitor.page, "Recent events")  # the last of the page's tables is there
    places = {place.name: place for place in load_streams(settings)["facility"].config.places()}

    def as_stored() -> None:
        facilities = newest_of(database, "facility", "facility_code")
        regions = newest_of(database, "market", "network_region")
        power: Counter[str] = Counter()
        emissions: Counter[str] = Counter()
        for code, one in facilities.items():
            for name in (places[code].area or "", places[code].fuel_groups[0]):
                power[name] += one.get("power_mw") or 0
                emissions[name] += one.get("emissions_t") or 0
        by_region = {row["region"]: row for row in downloaded(visitor.page, "regions")}
        assert set(by_region) == set(regions)
        for region, row in by_region.items():
            assert float(row["price (AUD/MWh)"]) == pytest.approx(regions[region]["price_per_mwh"])
            assert float(row["demand (MW)"]) == pytest.approx(regions[region]["demand_mw"])
        by_fuel = {row["fuel"]: row for row in downloaded(visitor.page, "fuels")}
        assert {"coal", "gas", "hydro", "wind", "solar"} <= set(by_fuel)
        for name, row in (by_region | by_fuel).items():
            assert float(row["power (MW)"]) == pytest.approx(power[name]), name
            assert float(row["emissions (t/5 min)"]) == pytest.approx(emissions[name]), name

    eventually(as_stored, 60)
    events = downloaded(visitor.page, "events")
    assert len(events) > 300
    titles = {code: place.title or code for code, place in places.items()}
    since = min(datetime.fromisoformat(row["at"]) for row in events)
    stored = {
        (one["timestamp"].isoformat(), titles[one["facility_code"]], one["power_mw"])
        for one in database["facility"].find({"timestamp": {"$gte": since}, "power_mw": {"$ne": None}})
    }
    shown = {(row["at"], row["what"], float(row["power (MW)"])) for row in events if row["power (MW)"]}
    assert shown
    assert shown <= stored
    prices = {
        (one["timestamp"].isoformat(), one["network_region"], one["price_per_mwh"], one["demand_mw"])
        for one in database["market"].find({"timestamp": {"$gte": since}})
    }
    priced = {
        (row["at"], row["what"], float(row["price (AUD/MWh)"]), float(row["demand (MW)"]))
        for row in events
        if row["price (AUD/MWh)"]
    }
    assert priced
    assert priced <= prices


def test_size_time_icons_and_labels_are_switched_and_kept_in_the_address(visitor: Reader) -> None:
    page = visitor.page
    visitor.open("/market", "canvas")
    page.get_by_role("heading", name="Power by fuel").wait_for()
    choose(page, "emissions")
    page.get_by_role("heading", name="Emissions by fuel").wait_for()
    choose(page, "7 days")
    page.get_by_text("The last five minutes before each full hour.").wait_for()
    whole = map_at_rest(page)
    switch(page, "labels", False)
    bare = map_at_rest(page)
    assert differing(whole, bare) > 0.005, "no label went"
    switch(page, "markers", False)
    empty = map_at_rest(page)
    assert differing(bare, empty) > 0.02, "no icon went"
    kept = {("size", "emissions"), ("span", "7 days"), ("markers", "false"), ("labels", "false")}
    assert kept <= chosen(page)
    visitor.open_again("canvas")
    page.get_by_role("heading", name="Emissions by fuel").wait_for()
    assert differing(empty, map_at_rest(page)) < 0.005
    switch(page, "markers", True)
    assert differing(empty, map_at_rest(page)) > 0.02


def switch(page: Page, key: str, on: bool) -> None:
    toggle = page.locator(f".st-key-{key} input")
    assert toggle.is_checked() is not on
    page.locator(f".st-key-{key} label").click()
    eventually(lambda: drawn(page, key, on))
    page.wait_for_timeout(1500)  # the map is sent anew


def drawn(page: Page, key: str, on: bool) -> None:
    assert page.locator(f".st-key-{key} input").is_checked() is on


def test_a_refresh_leaves_the_map_the_scroll_and_the_filters_as_they_are(
    visitor: Reader, database: "Database[Document]"
) -> None:
    page = visitor.page
    sockets: list[str] = []
    received: list[bytes] = []

    def listen(socket: WebSocket) -> None:
        sockets.append(socket.url)
        socket.on("framereceived", lambda frame: received.append(frame if isinstance(frame, bytes) else frame.encode()))

    page.on("websocket", listen)
    visitor.open("/market?region=VIC1", "canvas")
    whole = map_at_rest(page)
    page.get_by_label("Zoom in").or_(page.locator("[data-testid=stDeckGlJsonChartZoomButton] button")).first.click()
    page.wait_for_timeout(1000)  # it glides
    zoomed = map_at_rest(page)
    assert differing(whole, zoomed) > 0.2
    page.evaluate("document.querySelector('canvas').mine = true")
    main = "document.querySelector('[data-testid=stMain]')"
    page.evaluate(f"{main}.scrollTo(0, 300)")
    events = "[...document.querySelectorAll('.stHtml:has(> .sw-table)')].at(-1)"
    page.evaluate(f"{events}.scrollTo(0, 200)")
    begun = len(sockets)
    with another_power(database, 1234.5):
        eventually(lambda: told(page, received, b"1,234.5 MW"), 60)
        page.wait_for_timeout(1000)  # it is drawn
    assert len(sockets) == begun, "it connected anew"
    assert page.evaluate("document.querySelector('canvas').mine") is True
    assert page.evaluate(f"{main}.scrollTop") == 300
    assert page.evaluate(f"{events}.scrollTop") == 200
    assert ("region", "VIC1") in chosen(page)
    page.evaluate(f"{main}.scrollTo(0, 0)")
    assert differing(zoomed, map_at_rest(page)) < 0.05


@contextmanager
def another_power(database: "Database[Document]", power_mw: float) -> Iterator[None]:
    """The newest reading of a facility of Victoria has that power meanwhile."""
    which = {"facility_code": "LOYYANGA", "timestamp": {"$gte": datetime.now(UTC) - timedelta(minutes=30)}}
    (newest,) = database["facility"].find(which).sort("timestamp", -1).limit(1)
    database["facility"].update_one({"_id": newest["_id"]}, {"$set": {"power_mw": power_mw}})
    try:
        yield
    finally:
        database["facility"].update_one({"_id": newest["_id"]}, {"$set": {"power_mw": newest["power_mw"]}})


def told(page: Page, received: list[bytes], what: bytes) -> None:
    page.wait_for_timeout(300)
    assert any(what in frame for frame in received), "the map was not told the new power"
