import logging
import threading
import time
import traceback

import orjson
import pytest

from apis.errors import ApiError, BadAnswer, OutOfCalls, RateLimited, Refused, Unauthorized, Unreachable
from apis.session import Patience, Session
from tests.apis.conftest import TestClock
from tests.apis.misbehaving_server import Answer, MisbehavingServer, answer, half, reset, silent, trickle

KEY = "k3y+with/odd&signs"
GOOD = {"fine": True}
BODY = b'{"fine": true, "much": "' + b"x" * 5000 + b'"}'


def session(server: MisbehavingServer, clock: TestClock, **options: object) -> Session:
    patience = Patience(read_timeout_s=0.3, answer_timeout_s=0.3)
    return Session(
        server.url,
        keys={"appid": KEY},
        sleep=clock.sleep,
        now=clock.now,
        **{"patience": patience, "jitter": lambda least, most: most, **options},
    )


def test_the_key_travels_and_connections_are_used_again(server: MisbehavingServer, clock: TestClock) -> None:
    server.answers = [answer(200, GOOD)]
    one = session(server, clock)
    for _ in range(3):
        assert one.get_json("/a", {"q": 1})[0] == GOOD
    assert server.requests == [{"path": "/a", "q": "1", "appid": KEY}] * 3
    assert len(server.connections) == 1


@pytest.mark.parametrize(
    ("bad", "slept"),
    [
        (answer(429, b"slow down", Retry_After="7"), 7),
        (answer(429, b"slow down", Retry_After="Tue, 24 Nov 2026 12:00:09 GMT"), 9),
        (answer(503, b"", Retry_After="2"), 2),
        (answer(500, b"oops"), 1),
        (answer(200, b"<html>gateway</html>", Content_Type="text/html"), 1),
        (answer(200, b'{"cut": '), 1),
        (answer(200, b'{"no": NaN}'), 1),
        (answer(200, b""), 1),
        (half(BODY), 1),
        (reset(BODY), 1),
    ],
)
def test_what_may_go_well_the_next_time_is_tried_again(
    server: MisbehavingServer, clock: TestClock, bad: Answer, slept: float
) -> None:
    server.answers = [bad, answer(200, GOOD)]
    assert session(server, clock).get_json("/a", {})[0] == GOOD
    assert clock.slept == [slept]


@pytest.mark.parametrize("depth", [253, 300, 1000])
def test_what_is_nested_too_deeply_to_be_written_again_is_cut(
    server: MisbehavingServer, clock: TestClock, depth: int
) -> None:
    body = b'{"fine": 1, "deep": [{"more": ' + b"[" * (depth - 2) + b"]" * (depth - 2) + b"}]}"
    server.answers = [answer(200, body)]
    found, whole = session(server, clock).get_json("/a", {})
    assert orjson.loads(orjson.dumps(found)) == found
    assert repr(found)
    assert found["fine"] == 1
    assert ("nested too deeply" in str(found)) == (depth > 253)
    assert whole == body


@pytest.mark.parametrize("kind", [trickle, silent])
def test_an_answer_that_does_not_end_is_given_up(
    server: MisbehavingServer, clock: TestClock, stop: threading.Event, kind: object
) -> None:
    server.answers = [kind(stop), answer(200, GOOD)]  # type: ignore[operator]
    began = time.monotonic()
    assert session(server, clock).get_json("/a", {})[0] == GOOD
    assert time.monotonic() - began < 5


def test_an_answer_without_measure_is_given_up(server: MisbehavingServer, clock: TestClock) -> None:
    server.answers = [answer(200, b"[" + b" " * 100_000 + b"]")]
    with pytest.raises(Unreachable, match="TooLong"):
        session(server, clock, patience=Patience(attempts=1, largest_body_bytes=50_000)).get_json("/a", {})


def test_pauses_grow_with_full_jitter_and_end_with_the_last_attempt(
    server: MisbehavingServer, clock: TestClock
) -> None:
    server.answers = [answer(500, b"")]
    asked: list[tuple[float, float]] = []

    def jitter(least: float, most: float) -> float:
        asked.append((least, most))
        return most / 2

    with pytest.raises(Unreachable, match="500"):
        session(
            server, clock, jitter=jitter, patience=Patience(attempts=5, first_backoff_s=2, longest_backoff_s=10)
        ).get_json("/a", {})
    assert asked == [(0, 2), (0, 4), (0, 8), (0, 10)]
    assert clock.slept == [1, 2, 4, 5]
    assert len(server.requests) == 5


def test_a_long_retry_after_is_left_to_the_caller(server: MisbehavingServer, clock: TestClock) -> None:
    server.answers = [answer(429, b"", Retry_After="3600")]
    with pytest.raises(RateLimited) as raised:
        session(server, clock).get_json("/a", {})
    assert raised.value.retry_after_s == 3600
    assert clock.slept == []


@pytest.mark.parametrize(
    ("status", "error"), [(401, Unauthorized), (403, Unauthorized), (400, Refused), (404, Refused), (302, Refused)]
)
def test_what_will_not_mend_itself_is_not_tried_again(
    server: MisbehavingServer, clock: TestClock, status: int, error: type[ApiError]
) -> None:
    server.answers = [answer(status, {"message": "no"}, Location=f"{server.url}/elsewhere")]
    with pytest.raises(error, match=str(status)):
        session(server, clock).get_json("/a", {})
    assert len(server.requests) == 1


def test_every_call_is_counted_and_a_repeat_can_be_forbidden(server: MisbehavingServer, clock: TestClock) -> None:
    server.answers = [answer(500, b"")]
    counted: list[bool] = []

    def before_call(spare: bool) -> None:
        counted.append(spare)
        if len(counted) > 2:
            raise OutOfCalls("none left")

    one = session(server, clock, before_call=before_call)
    with pytest.raises(Unreachable):  # the failure, not the limit, is what is to be known of this call
        one.get_json("/a", {})
    assert counted == [False, True, True]
    assert len(server.requests) == 2
    with pytest.raises(OutOfCalls):
        one.get_json("/a", {})
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "bad",
    [
        answer(500, f"no such page /a?appid={KEY}".encode()),
        answer(401, b"bad key k3y%2Bwith%2Fodd%26signs"),
        answer(400, f"bad key {KEY}".encode()),
        answer(200, f"<html>{KEY}</html>".encode()),
        half(BODY),
        reset(BODY),
        None,
    ],
)
def test_no_error_nor_log_holds_the_key(
    server: MisbehavingServer, clock: TestClock, bad: Answer | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    one = session(server, clock)
    if bad is None:
        one = Session("http://127.0.0.1:9", keys={"appid": KEY}, sleep=clock.sleep)
    else:
        server.answers = [bad]
    with pytest.raises(ApiError) as raised:
        one.get_json("/a", {"q": "visible"})
    written = "".join(traceback.format_exception(raised.value)) + repr(raised.value) + caplog.text
    if isinstance(raised.value, BadAnswer):
        written += raised.value.body.decode()
    assert "k3y" not in written
    assert "appid" not in written.replace("/a?appid=[redacted]", "")  # that is what the server itself said
    assert raised.value.__context__ is None or "k3y" not in repr(raised.value.__context__)


def test_a_bearer_token_that_a_server_repeats_is_taken_out(server: MisbehavingServer, clock: TestClock) -> None:
    server.answers = [answer(403, f"the token {KEY} may not do this".encode())]
    one = Session(server.url, headers={"Authorization": f"Bearer {KEY}"}, sleep=clock.sleep)
    with pytest.raises(Unauthorized, match=r"the token \[redacted\] may not do this"):
        one.get_json("/a", {})
    assert server.requests == [{"path": "/a", "authorization": f"Bearer {KEY}"}]
