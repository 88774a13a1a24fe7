import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apis.errors import OutOfCalls, RateLimited, Unauthorized
from apis.openweathermap import OpenWeatherMap
from apis.session import Patience, Session
from producer.cursor import UnkeptCursor
from producer.pacing import Pace, pace
from producer.sources.openweathermap_rounds import Round, Rounds
from readings.stream import Stream
from tests.apis.misbehaving_server import Answer, MisbehavingServer, answer, half, reset, silent
from tests.producer.conftest import NOW, Heard, Kept, TurnedClock

KEY = "k3y-that-no-one-may-see"
INTERVAL = timedelta(minutes=19)
HASTY = Patience(attempts=3, read_timeout_s=0.3, answer_timeout_s=0.5)
ONE_ATTEMPT = Patience(attempts=1)


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer(choose=good) as server:
        yield server


def good(query: dict[str, str]) -> Answer:
    return answer(200, body(query))


def body(query: dict[str, str], **fields: object) -> dict[str, object]:
    return {
        "lat": float(query["lat"]),
        "lon": float(query["lon"]),
        "data": [{"dt": int(query["dt"]), "temp": 4.5, **fields}],
    }


def only_hobart(bad: Answer) -> Callable[[dict[str, str]], Answer]:
    return lambda query: bad if query["lat"] == "-42.8821" else good(query)


class Owm:
    """Rounds against the server, on a turned clock."""

    def __init__(
        self, server: MisbehavingServer, weather: Stream, clock: TurnedClock, kept: Kept, heard: Heard
    ) -> None:
        self.server, self.stream, self.clock, self.kept, self.heard = server, weather, clock, kept, heard
        self.cursor = UnkeptCursor()
        self.calls_left = 10_000
        self.spare_calls_left = 10_000
        self.lock = threading.Lock()

    def rounds(self, with_earlier: bool = False, patience: Patience = HASTY, pace: Pace | None = None) -> Rounds:
        session = Session(
            self.server.url,
            keys={"appid": KEY},
            patience=patience,
            before_call=self.before_call,
            sleep=lambda seconds: None,
            now=self.clock.now,
        )
        places = self.stream.config.places()
        paced = pace or Pace(len(places), INTERVAL, with_earlier)
        return Rounds(
            OpenWeatherMap(session), places, paced, self.stream, self.kept, self.cursor, self.clock, self.heard
        )

    def before_call(self, spare: bool) -> None:
        with self.lock:
            self.calls_left -= 1
            self.spare_calls_left -= spare
            if self.calls_left < 0 or (spare and self.spare_calls_left < 0):
                raise OutOfCalls("none left")

    def round(self, **options: bool | Patience) -> Round:
        done = self.rounds(**options).round()  # type: ignore[arg-type]
        assert done is not None
        return done

    def pass_time(self, time: timedelta = INTERVAL) -> None:
        self.clock.time += time


@pytest.fixture
def owm(server: MisbehavingServer, weather: Stream, clock: TurnedClock, kept: Kept, heard: Heard) -> Owm:
    return Owm(server, weather, clock, kept, heard)


def test_a_round_sends_each_place_for_now(owm: Owm) -> None:
    assert owm.round() == Round(13, 0, ())
    assert {one["region"] for _, one in owm.kept.readings()} == set(owm.stream.config.series_names())
    assert {one["timestamp"] for _, one in owm.kept.readings()} == {"2026-11-24T12:34:20Z"}
    assert {one["mode"] for _, one in owm.kept.readings()} == {"live"}
    assert {query["units"] for query in owm.server.requests} == {"metric"}


def test_the_first_round_is_at_once_whatever_the_fraction_of_the_second(owm: Owm) -> None:
    owm.clock.time += timedelta(microseconds=999_999)
    assert owm.round().sent == 13


def test_within_the_pace_the_reading_of_660_s_ago_is_fetched_too(owm: Owm) -> None:
    assert owm.round(with_earlier=True).sent == 26
    bergen = sorted(one["timestamp"] for _, one in owm.kept.readings() if one["region"] == "Bergen")
    assert bergen == ["2026-11-24T12:23:20Z", "2026-11-24T12:34:20Z"]


@pytest.mark.parametrize(
    "bad", [answer(500, b"oops"), answer(404, b"nowhere"), half(b"{" * 99), reset(b"{" * 99), silent(threading.Event())]
)
def test_one_failing_place_never_holds_back_the_other_twelve(
    owm: Owm, bad: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    owm.server.choose = only_hobart(bad)
    assert owm.round() == Round(12, 0, ("Hobart",))
    assert len(list(owm.kept.readings())) == 12
    assert owm.heard.counts == {"sent": 12, "failed": 1, "dead_letters": 0}
    assert owm.heard.state == "running"
    assert "sent 12 readings, 1 of 13 places failed: Hobart" in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"temp": None}, "Hobart: temp: read null"),
        ({"temp": "4.5"}, "Hobart: temp (temperature_c): read '4.5'"),
        ({"temp": 277.6}, "Hobart: temp (temperature_c): read 277.6"),
        (
            {"dt": int(NOW.timestamp()) + 3600},
            "Hobart: timestamp: read 2026-11-24T13:34:20+00:00, expected at most 5 min",
        ),
        ({"dt": 0}, "Hobart: timestamp: read 1970-01-01T00:00:00+00:00, expected 2010-01-01 or later"),
    ],
)
def test_what_cannot_become_a_reading_is_a_dead_letter_and_the_others_go_on(
    owm: Owm, fields: dict[str, object], reason: str
) -> None:
    owm.server.choose = lambda query: only_hobart(answer(200, body(query, **fields)))(query)
    assert owm.round() == Round(12, 1, ())
    ((_, letter),) = owm.kept.readings("dead-letters")
    assert letter["reason"].startswith(reason)
    assert (letter["stream"], letter["topic"], letter["source"]) == ("weather", "openweathermap", "openweathermap")
    assert orjson.loads(letter["message"])["data"][0] | fields == orjson.loads(letter["message"])["data"][0]
    assert owm.heard.counts == {"sent": 12, "failed": 0, "dead_letters": 1}


def test_html_instead_of_json_is_a_dead_letter_and_a_gap_to_be_fetched(owm: Owm) -> None:
    owm.round()
    owm.pass_time()
    page = f"<html>{KEY}</html>".encode()
    owm.server.choose = only_hobart(answer(200, page, Content_Type="text/html"))
    assert owm.round() == Round(12, 1, ("Hobart",))
    ((_, letter),) = owm.kept.readings("dead-letters")
    assert letter["message"] == "<html>[redacted]</html>"
    assert owm.cursor.until["Hobart"] == NOW


def test_a_gap_is_fetched_when_the_api_is_back(owm: Owm) -> None:
    owm.round()
    owm.server.choose = lambda _: answer(503, b"")
    for _ in range(3):
        owm.pass_time()
        assert owm.round(patience=ONE_ATTEMPT).sent == 0
        assert owm.heard.state == "waiting"
        assert owm.heard.why == "openweathermap"
    owm.server.choose = good
    owm.pass_time()
    assert owm.round() == Round(13 + 3 * 13, 0, ())
    bergen = [(one["timestamp"][11:], one["mode"]) for _, one in owm.kept.readings() if one["region"] == "Bergen"]
    assert sorted(bergen) == [
        ("12:34:20Z", "live"),
        ("12:53:20Z", "backfill"),
        ("13:12:20Z", "backfill"),
        ("13:31:20Z", "backfill"),
        ("13:50:20Z", "live"),
    ]
    owm.pass_time()
    assert owm.round().sent == 13
    assert owm.heard.state == "running"


def test_a_gap_takes_only_calls_that_can_be_spared_and_goes_on_later(owm: Owm) -> None:
    owm.round()
    owm.pass_time(4 * INTERVAL)
    owm.spare_calls_left = 2
    assert owm.round().sent == 13 + 2
    owm.spare_calls_left = 10_000
    owm.pass_time()
    owm.round()
    timestamps = {
        place: {one["timestamp"] for _, one in owm.kept.readings() if one["region"] == place}
        for place in owm.stream.config.series_names()
    }
    assert {len(instants) for instants in timestamps.values()} == {6}


def test_what_came_live_behind_a_gap_is_not_fetched_again_and_places_are_filled_in_turn(owm: Owm) -> None:
    owm.round()
    owm.spare_calls_left = 0
    owm.server.choose = lambda _: answer(503, b"")
    for _ in range(2):
        owm.pass_time()
        owm.round(patience=ONE_ATTEMPT)
    owm.server.choose = good
    for _ in range(5):
        owm.pass_time()
        owm.round()
    owm.spare_calls_left = 13
    owm.pass_time()
    owm.round()
    filled = [one["region"] for _, one in owm.kept.readings() if one["mode"] == "backfill"]
    assert sorted(filled) == sorted(owm.stream.config.series_names()), "each place's first missing instant"
    owm.spare_calls_left = 10_000
    for _ in range(2):
        owm.pass_time()
        owm.round()
    sent = [(one["region"], one["timestamp"]) for _, one in owm.kept.readings()]
    assert len(sent) == len(set(sent)) == 13 * 11
    assert owm.spare_calls_left == 10_000 - 13
    assert owm.cursor.facts["ahead"] == {}


def test_after_months_away_the_last_28_days_are_fetched(owm: Owm) -> None:
    """Each call is paid for."""
    owm.cursor.move(dict.fromkeys(owm.stream.config.series_names(), NOW - timedelta(days=100)))
    owm.spare_calls_left = 1
    owm.round()
    oldest = min(int(query["dt"]) for query in owm.server.requests)
    assert datetime.fromtimestamp(oldest, UTC) == NOW - timedelta(days=28) + INTERVAL


def test_what_a_gap_cannot_be_told_of_is_a_dead_letter_and_the_rest_of_it_is_fetched(owm: Owm) -> None:
    owm.round()
    owm.pass_time(4 * INTERVAL)
    missing = int((NOW + INTERVAL).timestamp())
    owm.server.choose = lambda query: answer(200, {"data": []}) if int(query["dt"]) == missing else good(query)
    assert owm.round() == Round(13 + 2 * 13, 13, ())
    owm.pass_time()
    assert owm.round() == Round(13, 0, ())


def test_an_hour_of_errors_is_made_up_for_within_the_day_at_the_usual_pace(owm: Owm) -> None:
    usual = pace(13, 1000, timedelta(minutes=15))
    calls: Counter[date] = Counter()

    def counted(spare: bool) -> None:
        with owm.lock:
            now = owm.clock.now()
            keep = usual.needed_until_midnight(now) if spare else 0
            if calls[now.date()] >= 1000 - keep:
                raise OutOfCalls("none left")
            calls[now.date()] += 1

    owm.before_call = counted  # type: ignore[method-assign]
    owm.clock.time = datetime(2026, 11, 24, 16, 1, tzinfo=UTC)
    calls[owm.clock.time.date()] = usual.calls_a_round * -(-timedelta(hours=16) // usual.interval)
    rounds = owm.rounds(patience=ONE_ATTEMPT, pace=usual)
    for number in range(24):
        owm.server.choose = (lambda _: answer(503, b"")) if number in (2, 3, 4) else good
        rounds.round()
        owm.pass_time(usual.interval)
    bergen = sorted(one["timestamp"] for _, one in owm.kept.readings() if one["region"] == "Bergen")
    assert len(bergen) == len(set(bergen)) == 24
    assert max(calls.values()) <= 1000


def test_a_wrong_key_ends_the_round_and_is_said_without_showing_it(owm: Owm, caplog: pytest.LogCaptureFixture) -> None:
    owm.server.choose = lambda _: answer(401, {"message": f"Invalid API key {KEY}"})
    done = owm.round()
    assert isinstance(done.ended_by, Unauthorized)
    assert done.sent == 0
    assert len(owm.server.requests) <= 4  # those that were under way at the same time
    assert owm.heard.state == "failed"
    assert owm.heard.why is not None
    assert "OPENWEATHERMAP_API_KEY" in owm.heard.why
    assert KEY not in owm.heard.why + caplog.text


@pytest.mark.parametrize(("status", "body"), [(429, b""), (503, b""), (429, b"come back later " * 40)])
def test_a_long_retry_after_leaves_the_api_alone_for_so_long(owm: Owm, status: int, body: bytes) -> None:
    owm.server.choose = lambda _: answer(status, body, Retry_After="3600")
    rounds = owm.rounds()
    done = rounds.round()
    assert done is not None
    assert isinstance(done.ended_by, RateLimited)
    host = owm.server.url.removeprefix("http://")
    asked_for = f"GET {host}/data/3.0/onecall/timemachine"
    said = f"openweathermap ({asked_for}: {status}, Retry-After 3600 s"
    assert owm.heard.why == (f"{said}: {body.decode()}"[:200] if body else f"{said})")
    asked = len(owm.server.requests)
    owm.pass_time(timedelta(minutes=59))
    assert rounds.round() is None
    assert len(owm.server.requests) == asked
    owm.server.choose = good
    owm.pass_time(timedelta(minutes=2))
    done = rounds.round()
    assert done is not None
    assert done.sent >= 13


def test_when_the_calls_of_the_day_are_made_the_next_round_waits_for_midnight(owm: Owm) -> None:
    owm.calls_left = 5
    rounds = owm.rounds()
    done = rounds.round()
    assert done is not None
    assert isinstance(done.ended_by, OutOfCalls)
    assert done.sent == 5
    assert owm.heard.state == "waiting"
    owm.calls_left = 10_000
    owm.clock.time = datetime.fromisoformat("2026-11-24T23:59:59+00:00")
    assert rounds.round() is None
    owm.pass_time(timedelta(seconds=2))
    assert rounds.round() is not None


def test_a_restart_waits_for_the_next_round(owm: Owm) -> None:
    assert owm.rounds().first_round() == NOW
    owm.round()
    owm.pass_time(timedelta(minutes=4))
    assert owm.rounds().first_round() == NOW + INTERVAL
    owm.pass_time(timedelta(hours=4))
    assert owm.rounds().first_round() == owm.clock.now()


def test_where_the_clock_was_put_back_the_first_round_is_not_later_than_after_an_interval(owm: Owm) -> None:
    owm.round()
    owm.pass_time(timedelta(days=-3))
    assert owm.rounds().first_round() == owm.clock.now() + INTERVAL


@pytest.mark.parametrize("ended_by", [Unauthorized, OutOfCalls])
def test_a_restart_asks_at_once_where_the_key_was_refused_or_no_calls_were_left(
    owm: Owm, ended_by: type[Exception]
) -> None:
    if ended_by is Unauthorized:
        owm.server.choose = lambda _: answer(401, b"")
    else:
        owm.calls_left = 5
    assert isinstance(owm.round().ended_by, ended_by)
    owm.pass_time(timedelta(minutes=4))
    assert owm.rounds().first_round() == owm.clock.now()
    owm.server.choose, owm.calls_left = good, 10_000  # another key, another limit
    assert owm.round().sent == 13
    assert owm.rounds().first_round() == owm.clock.now() + INTERVAL


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(["data", "dt", "temp", "weather", "rain", "humidity", "whole"]), junk=JSON)
def test_whatever_one_place_answers_the_other_twelve_arrive(owm: Owm, name: str, junk: object) -> None:
    owm.kept.messages.clear()

    def mutated(query: dict[str, str]) -> Answer:
        whole = body(query)
        if name == "whole":
            return answer(200, junk)
        if name == "data":
            return answer(200, whole | {"data": junk})
        return answer(200, body(query, **{name: junk}))

    owm.server.choose = lambda query: only_hobart(mutated(query))(query)
    owm.round(patience=ONE_ATTEMPT)
    arrived = {one["region"] for _, one in owm.kept.readings()}
    assert arrived >= set(owm.stream.config.series_names()) - {"Hobart"}
    assert ("Hobart" in arrived) != bool(list(owm.kept.readings("dead-letters")))
