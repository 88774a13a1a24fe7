"""Rounds of Elhub against an HTTP server that speaks its wire form, also badly."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apis.elhub import ZONE, Elhub
from apis.session import Patience, Session
from producer.cursor import UnkeptCursor
from producer.rounds import Rounds
from producer.sources.elhub import ElhubSpans, source
from producer.sources.elhub_record import read_production
from producer.sources.live import session_of
from readings.config import StreamConfig
from readings.production import Production
from readings.settings import Settings
from readings.stream import MODELS, Stream
from tests.apis.misbehaving_server import MisbehavingServer, answer, half, reset
from tests.producer.conftest import NOW, ROOT, Heard, Kept, TurnedClock

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CONFIG = StreamConfig(topic="production", sources=["elhub"], cadence="1h", allowed_delay="72h", series=["NO5/hydro"])
STREAM = Stream("production", MODELS["production"], CONFIG, "")
FIRST = datetime(2026, 11, 22, tzinfo=UTC)


def record(start: datetime, kwh: object, **fields: object) -> dict[str, Any]:
    local = start.astimezone(ZONE)
    return {
        "startTime": local.isoformat(),
        "endTime": (start + HOUR).astimezone(ZONE).isoformat(),
        "lastUpdatedTime": NOW.isoformat(),
        "priceArea": "NO5",
        "productionGroup": "hydro",
        "quantityKwh": kwh,
        **fields,
    }


class Scene:
    """Elhub as it answers now, and rounds on a turned clock."""

    def __init__(self, server: MisbehavingServer, clock: TurnedClock, kept: Kept, heard: Heard) -> None:
        self.server, self.clock, self.kept, self.heard = server, clock, kept, heard
        self.cursor = UnkeptCursor()
        self.published = [record(FIRST + number * HOUR, 1000.0 + number) for number in range(3)]
        server.choose = self.good

    def good(self, query: dict[str, str]) -> Any:
        start, end = (datetime.fromisoformat(query[name]) for name in ("startDate", "endDate"))
        assert end - start <= timedelta(days=31, hours=1)
        asked = [one for one in self.published if start <= datetime.fromisoformat(one["startTime"]) <= end]
        area = {"name": "NO5", "productionPerGroupMbaHour": asked}
        return answer(200, {"data": [{"type": "price-areas", "id": "NO5", "attributes": area}]})

    def rounds(self) -> Rounds:
        patience = Patience(attempts=2, read_timeout_s=0.5, answer_timeout_s=1)
        session = Session(self.server.url, patience=patience, sleep=lambda _: None, now=self.clock.now)
        return Rounds(ElhubSpans(Elhub(session)), STREAM, self.kept, self.cursor, self.clock, self.heard, HOUR)

    def sent(self) -> list[dict[str, Any]]:
        """What has gone out since the last look."""
        found = [one for _, one in self.kept.readings("production")]
        self.kept.messages = [one for one in self.kept.messages if one[1].topic != "production"]
        return found

    def dead_letters(self) -> list[dict[str, Any]]:
        return [one for _, one in self.kept.readings("dead-letters")]

    def later(self, duration: timedelta) -> None:
        self.clock.time += duration


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as server:
        yield server


@pytest.fixture
def scene(server: MisbehavingServer, clock: TurnedClock, kept: Kept, heard: Heard) -> Scene:
    return Scene(server, clock, kept, heard)


def test_what_was_published_before_the_first_round_is_a_backfill_and_what_comes_then_is_live(scene: Scene) -> None:
    assert scene.rounds().round().sent == 3
    assert {one["mode"] for one in scene.sent()} == {"backfill"}
    scene.later(HOUR)
    scene.published.append(record(FIRST + 3 * HOUR, 7.5))
    scene.rounds().round()
    assert scene.sent() == [
        {
            "source": "elhub",
            "mode": "live",
            "price_area": "NO5",
            "production_group": "hydro",
            "start_time": "2026-11-22T03:00:00Z",
            "quantity_kwh": 7.5,
        }
    ]


def test_a_window_that_is_fetched_again_sends_only_what_changed_also_after_a_restart(scene: Scene) -> None:
    scene.rounds().round()
    scene.sent()
    scene.later(HOUR)
    assert scene.rounds().round().sent == 0
    scene.published[1]["quantityKwh"] = 1234.5
    scene.later(HOUR)
    scene.rounds().round()
    assert [(one["start_time"], one["quantity_kwh"]) for one in scene.sent()] == [("2026-11-22T01:00:00Z", 1234.5)]


@pytest.mark.parametrize("days", [1, 14])
def test_a_value_is_followed_for_two_weeks(scene: Scene, days: int) -> None:
    scene.rounds().round()
    scene.sent()
    for _ in range(days):
        scene.later(DAY)
        scene.rounds().round()
    assert scene.sent() == []
    scene.published[0]["quantityKwh"] = 5.0
    scene.rounds().round()
    assert len(scene.sent()) == 1
    hours = scene.cursor.facts["values"]["NO5/hydro"]
    assert set(hours) == {f"2026-11-22T0{hour}:00" for hour in range(3)}


def test_a_gap_of_months_is_fetched_month_by_month_oldest_first_as_a_backfill(scene: Scene) -> None:
    scene.rounds().round()
    scene.sent()
    scene.published = [record(FIRST + number * DAY, number) for number in range(100)]
    scene.later(100 * DAY)
    scene.rounds().round()
    sent = scene.sent()
    assert len(sent) == 100
    assert [one["start_time"] for one in sent] == sorted(one["start_time"] for one in sent)
    assert {one["mode"] for one in sent} == {"backfill"}
    kept = scene.cursor.facts["values"]["NO5/hydro"]
    oldest = datetime.fromisoformat(sent[-1]["start_time"]) - 17 * DAY
    assert 16 <= len(kept) <= 18, "what is not asked for again is forgotten"
    assert min(kept) >= f"{oldest:%Y-%m-%dT%H:%M}"


@pytest.mark.parametrize(
    "bad",
    [
        answer(500),
        answer(429, b"", Retry_After="1"),
        answer(200, b"<html>closed</html>"),
        answer(200, {"data": None}),
        half(b'{"data": []}' * 10),
        reset(b'{"data": []}' * 10),
    ],
    ids=["500", "429", "html", "changed", "half", "reset"],
)
def test_while_elhub_misbehaves_nothing_moves_and_what_was_missed_comes_when_it_is_back(scene: Scene, bad: Any) -> None:
    scene.rounds().round()
    scene.sent()
    before = scene.cursor.facts["last_round_at"]
    scene.later(HOUR)
    scene.server.choose = lambda _: bad
    assert scene.rounds().round().failed is not None
    assert scene.cursor.facts["last_round_at"] == before
    assert scene.heard.state == "waiting"
    scene.published.append(record(FIRST + 5 * HOUR, 9.0))
    scene.server.choose = scene.good
    scene.rounds().round()
    assert [one["quantity_kwh"] for one in scene.sent()] == [9.0]
    assert scene.heard.state == "running"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"quantityKwh": None}, "quantity_kwh"),
        ({"quantityKwh": "1000"}, "quantity_kwh"),
        ({"quantityKwh": -1.0}, "quantity_kwh"),
        ({"priceArea": "NO9"}, "price_area: read 'NO9'"),
        ({"productionGroup": "nuclear"}, "production_group: read 'nuclear'"),
        ({"startTime": "2026-11-22T03:00:00"}, "with an offset"),
        ({"endTime": "2026-11-22T08:00:00+01:00"}, "expected an hour after"),
        ({"startTime": "2026-11-24T20:00:00+01:00", "endTime": "2026-11-24T21:00:00+01:00"}, "start_time"),
        ({"startTime": "2027-01-01T00:00:00+01:00", "endTime": "2027-01-01T01:00:00+01:00"}, "expected the days asked"),
        ({"startTime": "2026-10-31T23:00:00+01:00", "endTime": "2026-11-01T00:00:00+01:00"}, "expected the days asked"),
    ],
)
def test_a_bad_record_is_one_dead_letter_with_its_reason_and_the_others_go_on(
    scene: Scene, fields: dict[str, object], said: str
) -> None:
    bad = {**record(FIRST + 3 * HOUR, 1.0), **fields}
    area = {"name": "NO5", "productionPerGroupMbaHour": [bad, *scene.published]}
    with_bad = answer(200, {"data": [{"attributes": area}]})
    scene.server.choose = lambda query: with_bad if "2026-11" in query["endDate"] else scene.good(query)
    scene.rounds().round()
    scene.rounds().round()
    assert len(scene.sent()) == 3
    [letter] = scene.dead_letters()
    assert said in letter["reason"]
    kept = orjson.loads(letter["message"])
    if said == "start_time":  # a reading, but of the future: kept as we spell it, so that it can be sent again
        assert (kept["start_time"], kept["quantity_kwh"]) == ("2026-11-24T19:00:00Z", 1.0)
    else:
        assert kept == bad


@pytest.mark.parametrize("token", ["t0ken-of-elhub", None])
def test_elhub_is_told_who_asks_and_for_what(server: MisbehavingServer, clock: TurnedClock, token: str | None) -> None:
    settings = Settings(elhub_api_base=server.url, elhub_api_token=token)
    server.answers = [answer(200, {"data": []})]
    spans = source(STREAM, settings, clock)
    list(spans.fetch(FIRST, FIRST, "live"))
    (headers,) = server.headers
    assert headers["Accept"] == "application/json"
    assert headers["User-Agent"].startswith("skywatt/")
    assert headers.get("Authorization") == (f"Bearer {token}" if token else None)


def test_elhub_is_asked_five_times_a_second_at_most(server: MisbehavingServer, clock: TurnedClock) -> None:
    server.answers = [answer(200, {"data": []})]
    spans = source(STREAM, Settings(elhub_api_base=server.url), clock)
    for _ in range(11):
        list(spans.fetch(FIRST, FIRST, "live"))
    assert clock.now() - NOW >= timedelta(seconds=2)


def test_a_repeated_call_is_spaced_too(server: MisbehavingServer, clock: TurnedClock) -> None:
    server.answers = [answer(500, b"")] * 3 + [answer(200, {"data": []})]
    session = session_of(server.url, clock, 0.01)
    assert session.get_json("/", {})[0] == {"data": []}
    assert clock.now() - NOW >= timedelta(seconds=300)


def test_the_recorded_answer_is_a_reading_of_each_group_and_hour(server: MisbehavingServer, clock: TurnedClock) -> None:
    body = (ROOT / "tests" / "apis" / "data" / "elhub_price_areas.json").read_bytes()
    server.answers = [answer(200, body)]
    spans = source(STREAM, Settings(elhub_api_base=server.url), clock)
    day = datetime(2025, 9, 16, 12, tzinfo=UTC)
    found = list(spans.fetch(day, day, "backfill"))
    assert all(isinstance(one, Production) for one in found)
    first = datetime(2025, 9, 16, 16, tzinfo=UTC)
    assert sorted({one.event_time for one in found}) == [first + number * HOUR for number in range(6)]
    assert len({(one.series, one.event_time) for one in found}) == len(found) == 25 * 6
    areas = orjson.loads(body)["data"]
    recorded = {
        (record["priceArea"], record["productionGroup"], record["startTime"]): record["quantityKwh"]
        for area in areas
        for record in area["attributes"]["productionPerGroupMbaHour"]
    }
    hydro = next(one for one in found if one.series == "NO1/hydro" and one.event_time == first)
    assert hydro.quantity_kwh == recorded["NO1", "hydro", "2025-09-16T18:00:00+02:00"]


def test_both_clock_changes_keep_every_hour(scene: Scene) -> None:
    autumn, spring = datetime(2026, 10, 24, 20, tzinfo=UTC), datetime(2026, 3, 28, 20, tzinfo=UTC)
    for start in (autumn, spring):
        readings = [read_production(record(start + number * HOUR, 1.0), "live") for number in range(12)]
        assert [one.start_time for one in readings] == [start + number * HOUR for number in range(12)]


@given(
    st.dictionaries(
        st.sampled_from(list(record(FIRST, 1.0))),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()),
    )
)
def test_a_mutated_record_is_a_reading_or_a_reason(fields: dict[str, object]) -> None:
    try:
        reading = read_production({**record(FIRST, 1.0), **fields}, "live")
    except ValueError:
        return
    assert reading.series == "NO5/hydro"
