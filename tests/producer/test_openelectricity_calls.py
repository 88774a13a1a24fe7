"""OpenElectricity is asked in several calls: one that fails takes no other with it, and is made up for."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from producer.sources.openelectricity import MarketSpans
from tests.apis.misbehaving_server import MisbehavingServer, answer
from tests.producer import stand_ins
from tests.producer.conftest import NOW, Heard, Kept, MeasuredCursor, TurnedClock
from tests.producer.openelectricity import DAY, STEP, both_networks, client, facilities, many, place, rounds


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as server:
        yield server


class Batches:
    """Seven facilities, three in a call, of which some can be made to fail."""

    def __init__(self, server: MisbehavingServer, clock: TurnedClock, kept: Kept, heard: Heard) -> None:
        self.server, self.clock, self.kept, self.heard = server, clock, kept, heard
        self.listed = many(7)
        self.names = [one["code"] for one in self.listed]
        self.failing: dict[str, Any] = {}
        """What the call that names a facility is answered with, unless it is None."""
        server.choose = self.choose
        spans = facilities(server, clock, [place(name) for name in self.names])
        self.rounds = rounds(spans, "facility", kept, clock, heard)
        config = self.rounds.stream.config.model_copy(update={"series": self.names})
        self.rounds.stream = replace(self.rounds.stream, config=config)

    def choose(self, query: stand_ins.Query) -> Any:
        codes = query.get("facility_code", "").split(",")
        for code, failing in self.failing.items():
            told = failing(query) if code in codes else None
            if told is not None:
                return told
        return stand_ins.openelectricity(query, self.listed)

    def round(self, later: timedelta = STEP) -> Any:
        self.server.requests.clear()
        done = self.rounds.round()
        self.clock.time += later
        return done

    def asked(self) -> list[list[str]]:
        """The facilities of each call of the last round."""
        return [one["facility_code"].split(",") for one in self.server.requests if "facility_code" in one]

    def span_asked(self) -> timedelta:
        """The longest that a call of the last round asked for."""
        return max(
            datetime.fromisoformat(one["date_end"]) - datetime.fromisoformat(one["date_start"])
            for one in self.server.requests
            if "date_start" in one
        )

    def holes(self, names: Sequence[str] = ()) -> set[str]:
        """The facilities that lack five minutes between the first round and the last."""
        times: dict[str, set[datetime]] = {name: set() for name in names or self.names}
        for _, one in self.kept.readings("facilities"):
            if one["facility_code"] in times:
                times[one["facility_code"]].add(datetime.fromisoformat(one["timestamp"]))
        whole = max(times.values(), key=len)
        return {name for name, found in times.items() if found != whole or len(found) * STEP <= max(found) - min(found)}

    def letters(self) -> list[dict[str, Any]]:
        return [one for _, one in self.kept.readings("dead-letters")]


@pytest.fixture
def batches(
    server: MisbehavingServer, clock: TurnedClock, kept: Kept, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> Batches:
    monkeypatch.setattr("producer.sources.openelectricity.MOST_FACILITIES", 3)
    return Batches(server, clock, kept, heard)


def refused(_query: stand_ins.Query) -> Any:
    return answer(400, {"detail": "Unknown facility"})


def unreadable(_query: stand_ins.Query) -> Any:
    return answer(200, {"data": {}})


@pytest.mark.parametrize("failing", [refused, unreadable])
@pytest.mark.parametrize("first", [0, 3, 6])
def test_a_call_of_facilities_that_fails_takes_none_of_the_others_with_it(
    batches: Batches, failing: Callable[[stand_ins.Query], Any], first: int
) -> None:
    lost = batches.names[first : first + 3]
    batches.failing[lost[0]] = failing
    assert batches.round().sent == (7 - len(lost)) * 73
    assert batches.heard.state == "waiting"
    assert batches.heard.why is not None
    assert batches.heard.why.startswith("openelectricity (")
    reasons = [re.split("[,:]", one["reason"])[0] for one in batches.letters()]
    assert reasons == ([f"the answer for {lost[0]}"] if failing is unreadable else [])
    batches.round()
    assert len(batches.letters()) == len(reasons), "once"
    batches.failing.clear()
    batches.round()
    batches.round()
    assert batches.holes() == set()
    assert batches.heard.state == "running"
    batches.round()
    assert len(batches.asked()) == 3


def test_a_call_that_fails_for_days_is_made_up_for_and_no_other_is_asked_for_a_longer_span(batches: Batches) -> None:
    cursor = MeasuredCursor()
    batches.rounds.cursor = cursor
    batches.round()
    first_round = cursor.largest
    batches.failing["F004"] = refused
    for _ in range(12):
        batches.round(timedelta(hours=4))
        assert [codes[0] for codes in batches.asked()] == ["F000", "F003", "F006"]
        assert batches.span_asked() <= timedelta(hours=5, minutes=5)
    assert batches.holes([*batches.names[:3], *batches.names[6:]]) == set()
    batches.failing.clear()
    batches.round()
    batches.round()
    assert batches.holes() == set()
    assert {codes[0] for codes in batches.asked()[:-3]} == {"F003"}
    assert cursor.largest <= 2 * first_round
    assert not cursor.facts["owed"]


def test_a_call_that_is_answered_now_and_then_loses_nothing(batches: Batches) -> None:
    batches.round()
    batches.failing["F004"] = refused
    for _ in range(3):
        batches.round(DAY)
    calls = 0

    def flickering(_query: stand_ins.Query) -> Any:
        nonlocal calls
        calls += 1
        return None if calls % 3 == 0 else refused(_query)

    batches.failing["F004"] = flickering
    for _ in range(12):
        batches.round()
    batches.failing.clear()
    batches.round()
    batches.round()
    assert batches.holes() == set()


@pytest.mark.slow
def test_an_old_day_that_a_call_is_refused_for_is_left_when_it_is_older_than_a_week(
    batches: Batches, caplog: pytest.LogCaptureFixture
) -> None:
    batches.round()
    batches.failing["F004"] = refused
    for _ in range(3):
        batches.round(DAY)
    bad = NOW + timedelta(hours=12)
    batches.failing["F004"] = lambda query: (
        refused(query) if datetime.fromisoformat(query["date_start"]) < bad.replace(tzinfo=None) else None
    )
    for _ in range(9):
        batches.round(DAY)
    assert "openelectricity has nothing of F003, F004, F005 from" in caplog.text
    for _ in range(3):
        batches.round()
    assert len(batches.asked()) == 3
    assert batches.heard.state == "running"


def test_a_call_that_fails_is_told_by_a_backfill_that_has_sent_what_the_others_gave(batches: Batches) -> None:
    batches.failing["F006"] = refused
    done = batches.rounds.piece(NOW - STEP, NOW, "backfill")
    assert done.failed is not None
    assert done.sent == 6


def test_a_region_of_a_network_that_is_refused_takes_none_of_the_others_with_it(
    server: MisbehavingServer, clock: TurnedClock, kept: Kept, heard: Heard
) -> None:
    server.choose = lambda query: refused(query) if query["path"].endswith("/WEM") else both_networks(query)
    begun = rounds(MarketSpans(client(server), [*stand_ins.REGIONS, "WEM"]), "market", kept, clock, heard)
    assert begun.round().sent == 5 * 289
    server.choose = both_networks
    clock.time += 2 * DAY
    begun.round()
    begun.round()
    times = {
        datetime.fromisoformat(one["timestamp"])
        for _, one in kept.readings("markets")
        if one["network_region"] == "WEM"
    }
    assert len(times) == 3 * 288 + 1


@pytest.mark.parametrize(("status", "state"), [(401, "failed"), (403, "failed"), (503, "waiting")])
def test_a_wrong_key_or_a_service_that_is_away_is_met_once_a_round(
    batches: Batches, caplog: pytest.LogCaptureFixture, status: int, state: str
) -> None:
    batches.round()
    batches.failing["F000"] = lambda _query: answer(status, {"error": "no"})
    assert batches.round().failed is not None
    assert batches.heard.state == state
    assert len(batches.asked()) == 1
    assert caplog.text.count("could not be read") == 1
    assert not batches.rounds.cursor.facts.get("owed")


def test_where_every_call_is_refused_it_is_told_once_and_made_up_for(
    batches: Batches, caplog: pytest.LogCaptureFixture
) -> None:
    batches.round()
    batches.failing.update(dict.fromkeys(("F000", "F003", "F006"), unreadable))
    batches.round(DAY)
    assert caplog.text.count("could not be read") == 1
    assert [one["reason"] for one in batches.letters()] == ["the answer: expected an object with the list 'data'"]
    batches.failing.clear()
    batches.round()
    batches.round()
    assert batches.holes() == set()
