"""Every HTTP source through real Kafka, against stand-ins of the services that misbehave first."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from local_stack.spare import SpareStack
from producer import commands
from producer.arguments import parser
from producer.clock import WallClock
from producer.consolidated import read_events
from readings.connections import connect_mongodb
from readings.stream import load_streams
from tests.apis.misbehaving_server import Answer, MisbehavingServer, answer, body_of, reset, slow
from tests.end_to_end.test_producer import messages
from tests.producer import stand_ins
from tests.producer.stand_ins import KEY, OSLO, value_of

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
    assert scene.run("run", scene.name, "--once") == 0
    found = len(scene.readings())
    assert scene.dead_letters() == []
    scene.server.choose = scene.service.stand_in
    before = len(scene.server.requests)
    assert scene.run("run", scene.name, "--once", "--dry-run") == 0
    assert len(scene.server.requests) > before
    assert found >= expected(scene)


def expected(scene: Scene) -> int:
    """How many readings the first round has at least."""
    streams = load_streams(scene.mine.settings)
    weather = len(streams["weather"].config.places())
    return {
        "openweathermap": weather,
        "open_meteo": weather * 24 * 28,
        "elhub": 2 * 24 * 28,
        "openelectricity": 4 * 12 * 6 + 5 * 12 * 24,
    }[scene.name]


@pytest.mark.parametrize(
    ("scene", "within_reach"),
    [("open_meteo", 13 * 24 * 2), ("elhub", 2 * 24 * 15), ("openelectricity", 4 * 11 + 5 * 11)],
    indirect=["scene"],
)
def test_an_empty_answer_is_made_up_for_in_the_next_round(scene: Scene, within_reach: int) -> None:
    """As far back as the service may still change what it gave (openweathermap has no empty form)."""
    scene.misbehave(emptied)
    scene.run("run", scene.name, "--once")
    assert scene.run("run", scene.name, "--once") == 0
    found = scene.readings()
    assert len(found) == len({json.dumps(one, sort_keys=True) for one in found}) >= within_reach


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
    assert scene.run("run", scene.name, "--once") == 0
    (letter,) = scene.dead_letters()
    assert "read 'much'" in letter["reason"]
    assert letter["source"] == scene.name
    assert len(scene.readings()) >= expected(scene) - 1
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
        assert [query["startDate"][:7] for query in server.requests[asked:]] == [
            f"2021-{month:02}" for month in range(6, 13)
        ]
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
        assert len(server.requests) == asked + 1
        assert capsys.readouterr().out.count('"NO5"') == 2 * 28 * 24


def test_the_compact_cache_is_what_the_service_has(stack: SpareStack, tmp_path: Path) -> None:
    service, out = SERVICES["openelectricity"], tmp_path / "consolidate.csv"
    with MisbehavingServer(choose=service.stand_in) as server:
        mine = stack.apart("source_extract", **service.variables(server.url))
        assert (
            Scene("openelectricity", service, server, mine).run(
                "extract", "openelectricity", "--days", "1", "--out", str(out)
            )
            == 0
        )
    events = read_events(out)
    assert len(events) == 288 * (4 + 5)
    price = next(event for event in events if event.code == "VIC1")
    assert price.values["price"] == value_of("VIC1.price", price.at)
