"""OpenElectricity against a server that answers as the service does: networks, facilities and the market."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from apis.errors import BadAnswer
from producer.sources.openelectricity import MarketSpans, extracted, source
from producer.span_source import Unreadable
from readings.facility import Facility
from readings.market import Market
from readings.settings import Settings
from readings.stream import MODELS, Stream
from tests.apis.misbehaving_server import MisbehavingServer, answer
from tests.producer import stand_ins
from tests.producer.conftest import NOW, Heard, Kept, TurnedClock
from tests.producer.openelectricity import (
    DAY,
    STEP,
    STREAMS,
    both_networks,
    client,
    facilities,
    many,
    place,
    rounds,
    unread,
)
from tests.producer.stand_ins import KEY, no_data, value_of

DATA = Path(__file__).parent / "data"
NAMES = ("ADP", "BANGOWF", "BAYSW", "COOPGWF")


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer(choose=stand_ins.openelectricity) as server:
        yield server


def test_price_and_demand_in_two_spellings_of_time_are_one_reading(server: MisbehavingServer) -> None:
    found = list(MarketSpans(client(server), stand_ins.REGIONS).fetch(NOW - DAY, NOW, "live"))
    assert Counter((one.series, one.event_time) for one in found).most_common(1)[0][1] == 1
    assert len(found) == 5 * 288
    for one in found[:50]:
        at = one.event_time
        assert (one.price_per_mwh, one.demand_mw) == (
            value_of(f"{one.series}.price", at),
            value_of(f"{one.series}.demand", at),
        )


def test_an_empty_list_of_facilities_is_a_bad_answer(server: MisbehavingServer) -> None:
    server.choose = lambda _query: answer(200, {"data": []})
    with pytest.raises(BadAnswer, match="read no facility"):
        client(server).facilities("NEM")


def test_after_an_empty_list_of_facilities_all_come_in_the_next_round(
    server: MisbehavingServer, clock: TurnedClock, kept: Kept, heard: Heard
) -> None:
    begun = rounds(facilities(server, clock, [place(name) for name in NAMES]), "facility", kept, clock, heard)
    server.choose = lambda _query: answer(200, {"data": []})
    assert begun.round().failed is not None
    assert heard.state == "waiting"
    server.choose = stand_ins.openelectricity
    clock.time += STEP
    assert begun.round().sent == 4 * 73


def test_a_list_that_lacks_facilities_is_asked_for_again_and_what_was_known_stays(
    server: MisbehavingServer, clock: TurnedClock, kept: Kept, heard: Heard
) -> None:
    begun = rounds(facilities(server, clock, [place(name) for name in NAMES]), "facility", kept, clock, heard)
    server.choose = partial(stand_ins.openelectricity, facilities=stand_ins.FACILITIES[:2])
    begun.round()
    server.choose = stand_ins.openelectricity
    for _ in range(13):
        clock.time += STEP
        begun.round()
    times = [
        datetime.fromisoformat(one["timestamp"])
        for _, one in kept.readings("facilities")
        if one["facility_code"] == "BAYSW"
    ]
    assert min(times) <= NOW
    assert sorted(times) == [min(times) + number * STEP for number in range(len(times))]
    clock.time += DAY
    server.choose = lambda query: stand_ins.openelectricity(
        query, stand_ins.FACILITIES[: 1 if query["path"] == "/v4/facilities/" else 4]
    )
    before = len([one for _, one in kept.readings("facilities")])
    begun.round()
    assert len([one for _, one in kept.readings("facilities")]) - before >= 4 * 288


@pytest.mark.parametrize(
    ("failing", "goes_on", "letters"),
    [
        (answer(200, {"data": []}), True, 1),
        (answer(200, b"<html>"), True, 1),
        (answer(500, {"detail": "down"}), True, 0),
        (answer(404, {"detail": "Not found"}), True, 0),
        (answer(429, {"detail": "Too many"}, Retry_After="600"), False, 0),
        (answer(401, {"detail": "Invalid API key"}), False, 0),
    ],
)
def test_a_list_of_facilities_that_cannot_be_read_any_more_stops_no_facility(
    server: MisbehavingServer, clock: TurnedClock, kept: Kept, heard: Heard, failing: Any, goes_on: bool, letters: int
) -> None:
    begun = rounds(facilities(server, clock, [place(name) for name in NAMES]), "facility", kept, clock, heard)
    begun.round()
    server.choose = lambda query: failing if query["path"] == "/v4/facilities/" else stand_ins.openelectricity(query)
    server.requests.clear()
    clock.time += DAY - 12 * STEP
    before = 0
    for _ in range(25):
        before = len(list(kept.readings("facilities")))
        begun.round()
        clock.time += STEP
    assert (len(list(kept.readings("facilities"))) - before == len(NAMES)) == goes_on
    assert (heard.state == "running") == goes_on
    if goes_on:
        lists = [one for one in server.requests if one["path"] == "/v4/facilities/"]
        assert len(lists) == 2, "after a day, and an hour later"
    assert len(list(kept.readings("dead-letters"))) == letters


def test_the_wem_beside_the_nem_each_in_its_own_time(server: MisbehavingServer, clock: TurnedClock) -> None:
    server.choose = both_networks
    since = NOW.replace(second=0, minute=0) - timedelta(hours=1)
    found = list(MarketSpans(client(server), [*stand_ins.REGIONS, "WEM"]).fetch(since, NOW.replace(second=0), "live"))
    places = [*(place(name) for name in NAMES), place("COLLIE", "WEM")]
    found += facilities(server, clock, places).fetch(since, NOW.replace(second=0), "live")
    assert {(one.series, one.event_time) for one in found} == {
        (series, since + number * STEP)
        for series in (*stand_ins.REGIONS, "WEM", *NAMES, "COLLIE")
        for number in range(19)
    }
    starts = {query["path"].rsplit("/", 1)[1]: query["date_start"] for query in server.requests if "metrics" in query}
    assert starts == {"NEM": "2026-11-24T21:00:00", "WEM": "2026-11-24T19:00:00"}
    assert {query["network_id"] for query in server.requests if "network_id" in query} == {"NEM", "WEM"}


def test_a_network_without_values_takes_none_of_the_others_with_it(
    server: MisbehavingServer, clock: TurnedClock, kept: Kept, heard: Heard
) -> None:
    server.choose = lambda query: no_data("network WEM") if query["path"].endswith("/WEM") else both_networks(query)
    regions = [*stand_ins.REGIONS, "WEM"]
    assert rounds(MarketSpans(client(server), regions), "market", kept, clock, heard).round().sent == 5 * 289
    places = [place("BAYSW"), place("COLLIE", "WEM")]
    assert rounds(facilities(server, clock, places), "facility", kept, clock, heard).round().sent == 73
    assert heard.state == "running"


def test_facilities_without_values_take_none_of_the_others_with_them(
    server: MisbehavingServer, clock: TurnedClock, kept: Kept, heard: Heard
) -> None:
    listed = many(65)

    def choose(query: stand_ins.Query) -> Any:
        codes = query.get("facility_code", "").split(",")
        return no_data(f"facility={codes}") if "F000" in codes else stand_ins.openelectricity(query, listed)

    server.choose = choose
    spans = facilities(server, clock, [place(one["code"]) for one in listed])
    assert rounds(spans, "facility", kept, clock, heard).round().sent == 35 * 73
    assert heard.state == "running"


def test_another_refusal_is_told(server: MisbehavingServer, clock: TurnedClock, kept: Kept, heard: Heard) -> None:
    server.choose = lambda _query: answer(404, {"detail": "Network NEM not found"})
    assert rounds(MarketSpans(client(server), ["NSW1"]), "market", kept, clock, heard).round().failed is not None
    assert heard.state == "waiting"


def test_no_more_than_thirty_facilities_are_in_a_call(server: MisbehavingServer, clock: TurnedClock) -> None:
    server.choose = partial(stand_ins.openelectricity, facilities=many(65))
    found = list(
        facilities(server, clock, [place(f"F{index:03}") for index in range(65)]).fetch(NOW - STEP, NOW, "live")
    )
    assert {one.series for one in found} == {f"F{index:03}" for index in range(65)}
    asked = [query["facility_code"].split(",") for query in server.requests if "facility_code" in query]
    assert [len(codes) for codes in asked] == [30, 30, 5]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "longest"), [("market", timedelta(days=8)), ("facility", DAY)])
def test_weeks_are_asked_for_in_pieces(
    server: MisbehavingServer, clock: TurnedClock, kept: Kept, heard: Heard, name: str, longest: timedelta
) -> None:
    spans = MarketSpans(client(server), ["NSW1"]) if name == "market" else facilities(server, clock, [place("BAYSW")])
    since = NOW.replace(minute=0, second=0) - timedelta(days=20)
    begun = rounds(spans, name, kept, clock, heard)
    for piece in spans.pieces(since, NOW.replace(minute=0, second=0)):
        assert begun.piece(*piece, "backfill").failed is None
    times = [datetime.fromisoformat(one["timestamp"]) for _, one in kept.readings(begun.stream.topic)]
    assert times == [since + number * STEP for number in range(20 * 288)]
    asked = [query for query in server.requests if "date_start" in query]
    lengths = {
        datetime.fromisoformat(query["date_end"]) - datetime.fromisoformat(query["date_start"]) for query in asked
    }
    assert max(lengths) == longest


def test_the_recorded_units_are_rolled_up_to_the_recorded_facilities(
    server: MisbehavingServer, clock: TurnedClock
) -> None:
    power = orjson.loads((DATA / "v4_data_facilities_NEM_power_emissions.sample.json").read_bytes())
    listed = {"data": stand_ins.FACILITIES}
    server.choose = lambda query: answer(200, power if "metrics" in query else listed)
    found = list(facilities(server, clock, [place("ADP"), place("BAYSW")]).fetch(NOW - DAY, NOW, "live"))
    readings = [one for one in found if isinstance(one, Facility)]
    by_unit = {
        result["columns"]["unit_code"]: {
            datetime.fromisoformat(time).astimezone(UTC): value for time, value in result["data"]
        }
        for result in power["data"][0]["results"]
    }
    battery = {**by_unit["ADPBA1G"], **by_unit["ADPBA1"]}  # as a whole, where it is told, not what it discharges
    sun = by_unit["ADPPV1"]
    expected = {at: round(battery.get(at, 0) + sun.get(at, 0), 6) for at in battery.keys() | sun.keys()}
    assert {one.event_time: one.power_mw for one in readings} == expected
    assert min(expected.values()) < 0
    assert {one.series for one in readings} == {"ADP"}
    assert all(one.emissions_t == 0 for one in readings)
    assert {one.series for one in unread(found)} == {"ALDGASF1"}, "a unit of a facility that was not asked for"


STORES = [
    {
        "code": "STORE",
        "network_id": "NEM",
        "units": [
            {"code": code, "fueltech_id": fuel, "status_id": "operating"}
            for code, fuel in (
                ("BOTH", "battery"),
                ("IN", "battery_charging"),
                ("OUT", "battery_discharging"),
                ("PUMP", "pumps"),
                ("TURBINE", "hydro"),
            )
        ],
    }
]


@pytest.mark.parametrize(
    ("absent", "counted"),
    [
        ([], {"BOTH": 1, "PUMP": -1, "TURBINE": 1}),
        (["IN", "OUT"], {"BOTH": 1, "PUMP": -1, "TURBINE": 1}),
        (["BOTH"], {"IN": -1, "OUT": 1, "PUMP": -1, "TURBINE": 1}),
        (["BOTH", "TURBINE"], {"IN": -1, "OUT": 1, "PUMP": -1}),
    ],
)
def test_a_battery_counts_once_and_what_takes_power_counts_negative(
    server: MisbehavingServer, clock: TurnedClock, absent: Sequence[str], counted: dict[str, int]
) -> None:
    def leave_out(metrics: list[Any]) -> None:
        for metric in metrics:
            metric["results"] = [one for one in metric["results"] if one["columns"]["unit_code"] not in absent]

    server.choose = partial(stand_ins.openelectricity, facilities=STORES, change=leave_out)
    begin = NOW.replace(minute=0, second=0)
    found = list(facilities(server, clock, [place("STORE")]).fetch(begin, begin + 2 * STEP, "live"))
    assert [(one.power_mw, one.emissions_t) for one in found if isinstance(one, Facility)] == [
        (
            pytest.approx(sum(sign * value_of(f"{code}.power", at) for code, sign in counted.items())),
            pytest.approx(sum(value_of(f"{code}.emissions", at) for code in counted)),
        )
        for at in (begin, begin + STEP)
    ]


def test_one_direction_of_a_battery_that_cannot_be_read_takes_nothing_with_it(
    server: MisbehavingServer, clock: TurnedClock
) -> None:
    def spoil_one_direction(metrics: list[Any]) -> None:
        for metric in metrics:
            metric["results"][1]["data"][0] = "2026-11-24"
            metric["results"][2]["data"][0][1] = None

    server.choose = partial(stand_ins.openelectricity, facilities=STORES, change=spoil_one_direction)
    begin = NOW.replace(minute=0, second=0)
    found = list(facilities(server, clock, [place("STORE")]).fetch(begin, begin + 2 * STEP, "live"))
    assert [one.event_time for one in found if isinstance(one, Facility)] == [begin, begin + STEP]
    assert [one.reason for one in unread(found)] == ["data of IN: read '2026-11-24', expected [time, value]"] * 2


def spoil_the_battery(value: object, metrics: list[Any]) -> None:
    for metric in metrics:
        metric["results"][0]["data"][1][1] = value


def test_a_null_of_a_unit_is_as_if_it_were_absent(server: MisbehavingServer, clock: TurnedClock) -> None:
    change = partial(spoil_the_battery, None)
    server.choose = partial(stand_ins.openelectricity, facilities=STORES, change=change)
    begin = NOW.replace(minute=0, second=0)
    _, reading, _ = facilities(server, clock, [place("STORE")]).fetch(begin, begin + 3 * STEP, "live")
    assert isinstance(reading, Facility)
    counted = {"IN": -1, "OUT": 1, "PUMP": -1, "TURBINE": 1}  # both directions, where the whole has no value
    total = sum(sign * value_of(f"{code}.power", begin + STEP) for code, sign in counted.items())
    assert reading.power_mw == pytest.approx(total)


@pytest.mark.parametrize("value", ["n/a", True])
def test_a_text_or_a_truth_of_a_unit_is_a_dead_letter(
    server: MisbehavingServer, clock: TurnedClock, value: object
) -> None:
    change = partial(spoil_the_battery, value)
    server.choose = partial(stand_ins.openelectricity, facilities=STORES, change=change)
    begin = NOW.replace(minute=0, second=0)
    _, bad, _ = facilities(server, clock, [place("STORE")]).fetch(begin, begin + 3 * STEP, "live")
    assert isinstance(bad, Unreadable)
    assert bad.reason == f"power of BOTH: read {value!r}, expected a number"


@pytest.mark.parametrize(("metrics", "reasons"), [(1, []), (2, ["price of NSW1: read None, expected a number"])])
def test_a_null_loses_no_metric_beside_it_and_nulls_alone_are_a_dead_letter(
    server: MisbehavingServer, metrics: int, reasons: list[str]
) -> None:
    def spoil(answered: list[Any]) -> None:
        for metric in answered[:metrics]:
            metric["results"][0]["data"][1][1] = None

    server.choose = partial(stand_ins.openelectricity, change=spoil)
    begin = NOW.replace(minute=0, second=0)
    found = list(MarketSpans(client(server), ["NSW1"]).fetch(begin, begin + 3 * STEP, "live"))
    times = [one.event_time for one in found if isinstance(one, Market)]
    assert times == [begin, *([] if reasons else [begin + STEP]), begin + 2 * STEP]
    assert [one.reason for one in unread(found)] == reasons
    if not reasons:
        assert (found[1].price_per_mwh, found[1].demand_mw) == (None, value_of("NSW1.demand", begin + STEP))


def test_the_recorded_market_without_regions_is_a_bad_answer(server: MisbehavingServer) -> None:
    """A whole network's price is no region's."""
    server.choose = lambda _query: answer(200, (DATA / "v4_market_network_NEM_price_demand.sample.json").read_bytes())
    with pytest.raises(BadAnswer, match="read none with region or network_region"):
        list(MarketSpans(client(server), stand_ins.REGIONS).fetch(NOW - DAY, NOW, "live"))


def test_a_facility_operates_if_one_unit_does_and_that_none_does_is_told(
    server: MisbehavingServer, clock: TurnedClock, caplog: pytest.LogCaptureFixture
) -> None:
    units = [
        {"code": f"U{number}", "fueltech_id": "coal_black", "status_id": status}
        for number, status in enumerate(("retired", "retired", "operating"))
    ]
    listed = [
        {"code": "OLD", "network_id": "NEM", "units": units[:1]},
        {"code": "HALF", "network_id": "NEM", "units": units[1:]},
    ]
    server.choose = partial(stand_ins.openelectricity, facilities=listed)
    found = list(facilities(server, clock, [place("OLD"), place("HALF"), place("GONE")]).fetch(NOW - STEP, NOW, "live"))
    assert "NEM has no facilities GONE: they are not asked for" in caplog.text
    assert "no unit of OLD operates: nothing is to be expected" in caplog.text
    assert {one.series for one in found} == {"OLD", "HALF"}, "what it gave while it operated can still be asked for"


def test_both_streams_together_keep_to_the_calls_a_second(server: MisbehavingServer, clock: TurnedClock) -> None:
    settings = Settings(openelectricity_api_key=KEY, openelectricity_base_url=server.url)
    calls = 0
    for name in ("facility", "market"):
        stream = Stream(name, MODELS[name], STREAMS[name].model_copy(update={"series": ["NSW1"]}), "")
        begun = clock.now()
        spans = source(stream, settings, clock)
        for _ in range(7):
            list(spans.client.price_and_demand("NEM", NOW - STEP, NOW))
            calls += 1
        each_s = (clock.now() - begun).total_seconds()
        assert each_s >= 6
    assert calls / each_s <= 14 / 6


def test_an_extract_is_of_whole_pieces_before_the_last_five_minutes(
    server: MisbehavingServer, clock: TurnedClock
) -> None:
    found = list(extracted(facilities(server, clock, [place("BAYSW")]), NOW, 2 * DAY))
    assert len({one.event_time for one in found}) == len(found) == 2 * 288
    assert max(one.event_time for one in found) == NOW.replace(minute=25, second=0)
