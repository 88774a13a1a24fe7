"""What OpenElectricity answers that cannot be read: a dead letter, and what beside it goes on or makes no sum."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import orjson
import pytest

from producer.sources.openelectricity import MarketSpans
from readings.facility import Facility
from readings.market import Market
from tests.apis.misbehaving_server import MisbehavingServer, answer, body_of
from tests.producer import stand_ins
from tests.producer.conftest import NOW, Heard, Kept, TurnedClock
from tests.producer.openelectricity import DAY, STEP, client, facilities, place, rounds, unread
from tests.producer.stand_ins import value_of


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer(choose=stand_ins.openelectricity) as server:
        yield server


def forget_a_name(metrics: list[Any]) -> None:
    metrics[0]["results"][0]["columns"] = {}


def spoil_a_point(metrics: list[Any]) -> None:
    metrics[0]["results"][0]["data"][1] = "2026-11-24"


def spoil_a_time(metrics: list[Any]) -> None:
    metrics[0]["results"][0]["data"][1][0] = "yesterday"


def spoil_a_list(metrics: list[Any]) -> None:
    metrics[0]["results"][0]["data"] = None


TWO_UNITS = [
    {
        "code": code,
        "network_id": "NEM",
        "units": [{"code": f"{code}{number}", "fueltech_id": "wind", "status_id": "operating"} for number in (1, 2)],
    }
    for code in ("HALF", "WHOLE")
]


@pytest.mark.parametrize(
    ("change", "lost", "reason"),
    [
        (forget_a_name, range(4), "columns: expected unit_code"),
        (spoil_a_list, range(4), "data of HALF1: read None, expected a list"),
        (spoil_a_point, [1], "data of HALF1: read '2026-11-24', expected [time, value]"),
        (spoil_a_time, [1], "time: read 'yesterday', expected an ISO-8601 time"),
    ],
)
def test_what_a_unit_lacks_makes_no_wrong_sum_and_loses_no_other(
    server: MisbehavingServer,
    clock: TurnedClock,
    change: Callable[[list[Any]], None],
    lost: Sequence[int],
    reason: str,
) -> None:
    server.choose = partial(stand_ins.openelectricity, facilities=TWO_UNITS, change=change)
    begin = NOW.replace(minute=0, second=0)
    found = list(facilities(server, clock, [place("HALF"), place("WHOLE")]).fetch(begin, begin + 4 * STEP, "live"))
    times = [begin + number * STEP for number in range(4)]
    readings = {(one.series, one.event_time): one.power_mw for one in found if isinstance(one, Facility)}
    kept = [("WHOLE", at) for at in times] + [("HALF", times[number]) for number in range(4) if number not in lost]
    assert readings == {
        (code, at): round(value_of(f"{code}1.power", at) + value_of(f"{code}2.power", at), 6) for code, at in kept
    }
    reasons = Counter(one.reason for one in unread(found))
    assert reasons == {reason: 1, "read no power of HALF1 that could be placed, expected it in the sum": len(lost)}


@pytest.mark.parametrize("change", [forget_a_name, spoil_a_list])
def test_a_region_that_cannot_be_read_takes_no_other_with_it(
    server: MisbehavingServer, change: Callable[[list[Any]], None]
) -> None:
    server.choose = partial(stand_ins.openelectricity, change=change)
    begin = NOW.replace(minute=0, second=0)
    found = list(MarketSpans(client(server), stand_ins.REGIONS).fetch(begin, begin + 4 * STEP, "live"))
    prices = {(one.series, one.event_time): one.price_per_mwh for one in found if isinstance(one, Market)}
    assert prices == {
        (name, at): None if name == "NSW1" else value_of(f"{name}.price", at)
        for name in stand_ins.REGIONS
        for at in (begin + number * STEP for number in range(4))
    }, "demand goes on"
    assert len(unread(found)) == 1


def forget_two_names(metrics: list[Any]) -> None:
    for result in metrics[0]["results"][:2]:
        result["columns"] = {}


@pytest.mark.parametrize(("change", "unnamed"), [(forget_a_name, 1), (forget_two_names, 2), (spoil_a_list, 1)])
@pytest.mark.parametrize("name", ["facility", "market"])
def test_a_series_that_cannot_be_read_in_round_after_round_is_one_dead_letter(
    server: MisbehavingServer,
    clock: TurnedClock,
    kept: Kept,
    heard: Heard,
    name: str,
    change: Callable[[list[Any]], None],
    unnamed: int,
) -> None:
    server.choose = partial(stand_ins.openelectricity, facilities=TWO_UNITS, change=change)
    if name == "market":
        begun = rounds(MarketSpans(client(server), stand_ins.REGIONS), name, kept, clock, heard)
    else:
        begun = rounds(facilities(server, clock, [place("HALF"), place("WHOLE")]), name, kept, clock, heard)

    def letters() -> list[str]:
        reasons = [one["reason"] for _, one in kept.readings("dead-letters")]
        assert heard.counts["dead_letters"] == len(reasons)
        return [one for one in reasons if "expected it in the sum" not in one]

    for _ in range(30):
        begun.round()
        clock.time += STEP
    assert len(letters()) == unnamed
    server.choose = partial(stand_ins.openelectricity, facilities=TWO_UNITS)
    for _ in range(4):
        begun.round()
        clock.time += DAY
    server.choose = partial(stand_ins.openelectricity, facilities=TWO_UNITS, change=change)
    begun.round()
    assert len(letters()) == 2 * unnamed, "it had been well for longer than it is remembered"


def test_points_that_are_wrong_in_the_same_way_are_a_dead_letter_of_each_series(
    server: MisbehavingServer, clock: TurnedClock, kept: Kept, heard: Heard
) -> None:
    def spoil(metrics: list[Any]) -> None:
        for metric in metrics:
            for result in metric["results"]:
                result["data"][0] = None

    server.choose = partial(stand_ins.openelectricity, change=spoil)
    begun = rounds(MarketSpans(client(server), stand_ins.REGIONS), "market", kept, clock, heard)
    begun.round()
    begun.round()
    letters = [orjson.loads(one["message"]) for _, one in kept.readings("dead-letters")]
    assert [(one["metric"], one["code"], one["point"]) for one in letters] == [
        (metric, name, None) for metric in ("price", "demand") for name in stand_ins.REGIONS
    ]


@pytest.mark.parametrize("depth", [260, 1000])
@pytest.mark.parametrize("where", ["value", "time", "point", "data", "columns", "units"])
def test_what_is_nested_deeply_is_a_dead_letter_and_takes_no_other_with_it(
    server: MisbehavingServer, clock: TurnedClock, kept: Kept, heard: Heard, where: str, depth: int
) -> None:
    marker, deep = "the deep one", b"[" * depth + b"]" * depth

    def spoil(metrics: list[Any]) -> None:
        result = metrics[0]["results"][0]
        match where:
            case "value" | "time":
                result["data"][0][where == "value"] = marker
            case "point":
                result["data"][0] = marker
            case "data" | "columns":
                result[where] = marker

    listed = [{**TWO_UNITS[0], "units": marker}, *TWO_UNITS[1:]] if where == "units" else TWO_UNITS

    def choose(query: stand_ins.Query) -> Any:
        body = body_of(stand_ins.openelectricity(query, listed, spoil))
        return answer(200, body.replace(orjson.dumps(marker), deep))

    server.choose = choose
    begun = rounds(facilities(server, clock, [place("HALF"), place("WHOLE")]), "facility", kept, clock, heard)
    begun.round()
    assert Counter(one["facility_code"] for _, one in kept.readings("facilities"))["WHOLE"] == 73
    assert "nested too deeply" in str([one["message"] for _, one in kept.readings("dead-letters")])
    assert heard.state == "running"


def test_an_answer_that_is_nested_deeply_from_its_beginning_is_one_dead_letter(
    server: MisbehavingServer, clock: TurnedClock, kept: Kept, heard: Heard
) -> None:
    server.choose = lambda _query: answer(200, b"[" * 300 + b"]" * 300)
    begun = rounds(MarketSpans(client(server), stand_ins.REGIONS), "market", kept, clock, heard)
    begun.round()
    begun.round()
    (letter,) = [one for _, one in kept.readings("dead-letters")]
    assert letter["message"] == "[" * 300 + "]" * 300
    assert heard.state == "waiting"


def test_an_unknown_fuel_technology_is_one_dead_letter_however_often_the_list_is_read(
    server: MisbehavingServer, clock: TurnedClock, kept: Kept, heard: Heard
) -> None:
    strange = {"code": "NEW1", "fueltech_id": "fusion", "status_id": "operating"}

    def choose(query: stand_ins.Query) -> Any:
        unit = {**strange, "data_last_seen": clock.now().isoformat()}
        return stand_ins.openelectricity(query, [*TWO_UNITS, {"code": "NEW", "network_id": "NEM", "units": [unit]}])

    server.choose = choose
    begun = rounds(facilities(server, clock, [place("WHOLE")]), "facility", kept, clock, heard)
    for _ in range(4 * 24):
        begun.round()
        clock.time += timedelta(hours=1)
    assert len([one for one in server.requests if one["path"] == "/v4/facilities/"]) == 4
    (letter,) = [one for _, one in kept.readings("dead-letters")]
    assert "fueltech_id of NEW1: read 'fusion'" in letter["reason"]
    assert heard.counts["dead_letters"] == 1


def test_a_facility_with_a_unit_of_an_unknown_fuel_technology_is_one_dead_letter_and_no_wrong_sum(
    server: MisbehavingServer, clock: TurnedClock, kept: Kept, heard: Heard
) -> None:
    strange = {"code": "HALF3", "fueltech_id": "electrolyser", "status_id": "operating"}
    listed = [{**TWO_UNITS[0], "units": [*TWO_UNITS[0]["units"], strange]}, *TWO_UNITS[1:]]
    server.choose = partial(stand_ins.openelectricity, facilities=listed)
    begun = rounds(facilities(server, clock, [place("HALF"), place("WHOLE")]), "facility", kept, clock, heard)
    for _ in range(30):
        begun.round()
        clock.time += STEP
    assert {one["facility_code"] for _, one in kept.readings("facilities")} == {"WHOLE"}
    of_the_unit, of_the_facility = [one for _, one in kept.readings("dead-letters")]
    assert "fueltech_id of HALF3: read 'electrolyser'" in of_the_unit["reason"]
    assert "HALF: read the fuel technology 'electrolyser', expected one of" in of_the_facility["reason"]
    assert heard.state == "running"

    def silent(metrics: list[Any]) -> None:
        for metric in metrics:
            metric["results"] = [one for one in metric["results"] if one["columns"]["unit_code"] != "HALF3"]

    server.choose = partial(stand_ins.openelectricity, facilities=listed, change=silent)
    begun.round()
    assert "HALF" in {one["facility_code"] for _, one in kept.readings("facilities")}, "its sum is right without it"
