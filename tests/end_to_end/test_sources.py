"""Every HTTP source through real Kafka, against stand-ins of the services that misbehave first."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from local_stack.spare import SpareStack
from producer import commands
from producer.arguments import parser
from producer.clock import WallClock
from producer.consolidated import read_events
from producer.pacing import pace
from readings.connections import connect_mongodb
from readings.stream import load_streams
from tests.apis.misbehaving_server import Answer, MisbehavingServer, answer, body_of, reset, slow
from tests.end_to_end.test_producer import messages
from tests.producer import stand_ins
from tests.producer.stand_ins import KEY, OSLO, STEP, value_of

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Service:
    """A service and what makes its source live."""

    stand_in: Callable[[stand_ins.Query], Answer]
    variables: Callable[[str], dict[str, str]]
    """By the server's address."""
    topics: tuple[str, ...]
    holds: bytes
    """What only answers with readings hold."""
    number: str
    """A field of its answers that holds numbers, or lists of them."""


SERVICES = {
    "openweathermap": Service(
        stand_ins.openweathermap,
        lambda url: {"OPENWEATHERMAP_API_KEY": KEY, "OPENWEATHERMAP_BASE_URL": url},
        ("openweathermap",),
        b'"dt"',
        '"temp": ',
    ),
    "open_meteo": Service(
        stand_ins.open_meteo,
        lambda url: {"OPEN_METEO_BASE_URL": url, "OPEN_METEO_ARCHIVE_URL": url},
        ("openweathermap",),
        b'"hourly"',
        '"temperature_2m": [',
    ),
    "elhub": Service(
        stand_ins.elhub, lambda url: {"ELHUB_API_BASE": url}, ("production",), b'"quantityKwh"', '"quantityKwh": '
    ),
    "openelectricity": Service(
        stand_ins.openelectricity,
        lambda url: {"OPENELECTRICITY_API_KEY": KEY, "OPENELECTRICITY_BASE_URL": url},
        ("facilities", "markets"),
        b'"results"',
        '+10:00", ',
    ),
}


@dataclass
class Scene:
    """A source, its service, and servers with names of their own."""

    name: str
    service: Service
    server: MisbehavingServer
    mine: SpareStack

    def run(self, *arguments: str) -> int:
        """The producer in this process: its exit code."""
        words = parser().parse_args(list(arguments))
        return getattr(commands, words.command.replace("-", "_"))(words, self.mine.settings, WallClock())

    def readings(self) -> list[dict[str, Any]]:
        return [one for topic in self.service.topics for one in messages(self.mine.settings, topic)]

    def dead_letters(self) -> list[dict[str, Any]]:
        return messages(self.mine.settings, "dead-letters")

    def misbehave(self, first: Callable[[bytes], Answer]) -> None:
        """The first answer that holds readings is changed, the others are as they should be."""
        waits = [first]

        def choose(query: stand_ins.Query) -> Answer:
            good = self.service.stand_in(query)
            body = body_of(good)
            return waits.pop()(body) if waits and self.service.holds in body else good

        self.server.choose = choose


@pytest.fixture(params=SERVICES)
def scene(stack: SpareStack, request: pytest.FixtureRequest) -> Iterator[Scene]:
    service = SERVICES[request.param]
    with MisbehavingServer() as server:
        server.choose = service.stand_in
        namespace = f"source_{request.param}_{abs(hash(request.node.name)) % 10**6}"
        yield Scene(request.param, service, server, stack.apart(namespace, **service.variables(server.url)))


def test_a_source_goes_live_by_its_variables_alone(scene: Scene) -> None:
    assert scene.run("run", scene.name, "--once") == 0
    found = scene.readings()
    assert {one["source"] for one in found} == {scene.name}
    assert len(found) == len({json.dumps(one, sort_keys=True) for one in found}) > 0
    assert scene.dead_letters() == []
    assert KEY not in json.dumps(found)


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(lambda _body: answer(429, {"message": "too many"}, Retry_After="1"), id="429"),
        pytest.param(lambda _body: answer(500, b"<html>oops</html>"), id="500"),
        pytest.param(lambda _body: answer(200, b"<html>maintenance</html>"), id="html"),
        pytest.param(reset, id="reset"),
        pytest.param(slow, id="slow"),
    ],
)
def test_what_passes_by_itself_loses_nothing(scene: Scene, first: Callable[[bytes], Answer]) -> None:
    scene.misbehave(first)
    began = datetime.now(UTC)
    assert scene.run("run", scene.name, "--once") == 0
    assert_whole(scene, began)
    assert scene.dead_letters() == []
    scene.server.choose = scene.service.stand_in
    before = len(scene.server.requests)
    assert scene.run("run", scene.name, "--once", "--dry-run") == 0
    assert len(scene.server.requests) > before


def assert_whole(scene: Scene, began: datetime, missing: int = 0) -> None:
    """Each reading that a first round has is there, once; a round's span may end before or after a step."""
    found = [key(one) for one in scene.readings()]
    assert len(found) == len(set(found))
    wanted = [expected(scene, now) for now in (began, datetime.now(UTC))]
    assert wanted[0] - missing <= len(found) <= wanted[1] - missing


def key(one: dict[str, Any]) -> tuple[str, ...]:
    """What tells a reading from the others."""
    names = ("region", "price_area", "production_group", "facility_code", "network_region", "timestamp", "start_time")
    return tuple(one.get(name, "") for name in names)


def expected(scene: Scene, now: datetime) -> int:
    """How many readings the first round has."""
    weather = load_streams(scene.mine.settings)["weather"].config
    places = len(weather.places())
    match scene.name:
        case "openweathermap":
            return pace(places, scene.mine.settings.openweathermap_daily_calls, weather.cadence).calls_a_round
        case "open_meteo":
            return places * (28 * 24 + now.hour + 1)
        case "elhub":
            begin = datetime.combine((now - timedelta(days=28)).astimezone(OSLO), time(), OSLO).astimezone(UTC)
            return 2 * math.ceil((now - timedelta(hours=1) - begin) / timedelta(hours=1))
        case _:
            into = now.replace(minute=now.minute % 5) - now.replace(minute=0, second=0, microsecond=0)
            steps = math.ceil((timedelta(hours=6) + into) / STEP), math.ceil((timedelta(hours=24) + into) / STEP)
            return 4 * steps[0] + 5 * steps[1]


@pytest.mark.parametrize("scene", ["open_meteo", "elhub", "openelectricity"], indirect=True)
def test_an_empty_answer_is_made_up_for_in_the_next_round(scene: Scene) -> None:
    """Openweathermap has no empty form."""
    scene.misbehave(emptied)
    began = datetime.now(UTC)
    scene.run("run", scene.name, "--once")
    assert scene.run("run", scene.name, "--once") == 0
    assert_whole(scene, began)


def test_an_empty_list_of_facilities_is_made_up_for_in_the_next_round(stack: SpareStack) -> None:
    service = SERVICES["openelectricity"]
    with MisbehavingServer() as server:
        scene = Scene(
            "openelectricity", service, server, stack.apart("source_no_list", **service.variables(server.url))
        )
        waits = ["/v4/facilities/"]
        server.choose = lambda query: (
            answer(200, {"data": []}) if query["path"] in waits and waits.pop() else service.stand_in(query)
        )
        began = datetime.now(UTC)
        assert scene.run("run", "openelectricity", "--once") == 1
        assert scene.run("run", "openelectricity", "--once") == 0
        assert_whole(scene, began)
        (letter,) = scene.dead_letters()
        assert "read no facility of NEM" in letter["reason"]


def test_days_away_are_made_up_for_from_the_cursor_of_an_earlier_version(stack: SpareStack) -> None:
    """It kept two days of what was sent, and a gap's whole: such a document outgrew MongoDB."""
    service = SERVICES["openelectricity"]
    with MisbehavingServer(choose=service.stand_in) as server:
        scene = Scene("openelectricity", service, server, stack.apart("source_away", **service.variables(server.url)))
        cursors = connect_mongodb(scene.mine.settings)["cursors"]
        left = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=3)
        codes = [one["code"] for one in stand_ins.FACILITIES]
        values = {f"{left - number * STEP:%Y-%m-%dT%H:%M}": "0" * 16 for number in range(49 * 12)}
        facts = {"last_round_at": left, "values": dict.fromkeys(codes, values), "dead_letters": {"0" * 64: left}}
        until = [{"series": code, "at": left} for code in codes]
        cursors.insert_one({"_id": "openelectricity/facility", "facts": facts, "until": until})
        began = datetime.now(UTC)
        assert scene.run("run", "facility", "--once") == 0
        found = [(one["facility_code"], one["timestamp"]) for one in scene.readings()]
        assert len(found) == len(set(found))
        steps = [math.ceil((now - left + timedelta(hours=1)) / STEP) for now in (began, datetime.now(UTC))]
        assert 4 * steps[0] <= len(found) <= 4 * steps[1]
        kept = cursors.find_one({"_id": "openelectricity/facility"}) or {}
        assert all(len(sent) <= 14 for sent in kept["facts"]["values"].values())
        assert kept["facts"]["dead_letters"] == {}
        assert scene.run("run", "facility", "--once") == 0
        assert len(scene.readings()) - len(found) <= 4


def emptied(body: bytes) -> Answer:
    """The same answer without any value."""

    def without(one: Any) -> Any:
        if isinstance(one, dict):
            return {name: without(value) for name, value in one.items()}
        return [without(value) for value in one if isinstance(value, dict)] if isinstance(one, list) else one

    emptied_body = without(orjson.loads(body))
    if "hourly" in emptied_body or isinstance(emptied_body, list):
        emptied_body = [{**one, "hourly": {"time": []}} for one in orjson.loads(body)]
    return answer(200, emptied_body)


def test_a_changed_field_is_a_dead_letter_and_the_others_arrive(scene: Scene) -> None:
    number = scene.service.number
    scene.misbehave(lambda body: answer(200, body.replace(number.encode(), f'{number}"much", "x": '.encode(), 1)))
    if number.endswith(("[", ", ")):  # an element of a list
        scene.misbehave(lambda body: answer(200, changed_element(body, number)))
    began = datetime.now(UTC)
    assert scene.run("run", scene.name, "--once") == 0
    (letter,) = scene.dead_letters()
    assert "read 'much'" in letter["reason"]
    assert letter["source"] == scene.name
    assert_whole(scene, began, missing=1)
    assert KEY not in json.dumps(letter)


def changed_element(body: bytes, number: str) -> bytes:
    """The first number after the text becomes a word."""
    begin = body.index(number.encode()) + len(number)
    end = min(body.index(mark, begin) for mark in (b",", b"]") if mark in body[begin:])
    return body[:begin] + b'"much"' + body[end:]


def test_a_backfill_of_a_year_goes_on_where_it_was_broken_off(
    stack: SpareStack, capsys: pytest.CaptureFixture[str]
) -> None:
    service = SERVICES["elhub"]
    with MisbehavingServer() as server:
        mine = stack.apart("source_backfill", **service.variables(server.url))
        scene = Scene("elhub", service, server, mine)
        days = ("backfill", "elhub", "--from", "2021-01-01", "--to", "2021-12-31")
        server.choose = lambda query: (
            answer(403, {"message": "no"}) if "2021-06" in query["startDate"] else service.stand_in(query)
        )
        assert scene.run(*days) == 1
        assert "ended by: " in capsys.readouterr().err
        server.choose = service.stand_in
        asked = len(server.requests)
        assert scene.run(*days) == 0
        months = [int(query["startDate"][5:7]) for query in server.requests[asked:]]
        assert months == [6, *range(6, 13)], "once more for the declared series that the service does not have"
        found = scene.readings()
        assert len(found) == 2 * 8760
        assert {one["mode"] for one in found} == {"backfill"}
        hydro = {one["start_time"]: one["quantity_kwh"] for one in found if one["production_group"] == "hydro"}
        first = datetime(2021, 1, 1, tzinfo=OSLO).astimezone(UTC)
        for number in range(8760):
            at = first + timedelta(hours=number)
            assert hydro[at.isoformat().replace("+00:00", "Z")] == value_of("NO5/hydro", at)
        assert list(connect_mongodb(mine.settings)["cursors"].find({})) == []
        asked = len(server.requests)
        assert scene.run("backfill", "elhub", "--from", "2021-02-01", "--to", "2021-02-28", "--dry-run") == 0
        assert len(server.requests) == asked + 2
        assert capsys.readouterr().out.count('"NO5"') == 2 * 28 * 24


def test_the_compact_cache_is_what_the_service_has(
    stack: SpareStack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service, out = SERVICES["openelectricity"], tmp_path / "consolidate.csv"
    with MisbehavingServer(choose=service.stand_in) as server:
        mine = stack.apart("source_extract", **service.variables(server.url))
        scene = Scene("openelectricity", service, server, mine)
        extract = ("extract", "openelectricity", "--days", "1", "--out", str(out))
        assert scene.run(*extract, "--dry-run", "--limit", "7") == 0
        assert not out.exists()
        assert capsys.readouterr().out.count('"facility_code"') == 7
        assert scene.run(*extract) == 0
        events = read_events(out)
        assert len(events) == 288 * (4 + 5)
        price = next(event for event in events if event.code == "VIC1")
        assert price.values["price"] == value_of("VIC1.price", price.at)
        assert scene.run(*extract, "--limit", "10") == 0
        assert len(read_events(out)) == 10
        server.choose = lambda query: (
            stand_ins.no_data("network NEM") if "metrics" in query else service.stand_in(query)
        )
        assert scene.run(*extract) == 1
        assert "nothing was written" in capsys.readouterr().err
        assert len(read_events(out)) == 10, "what was there before stays"
