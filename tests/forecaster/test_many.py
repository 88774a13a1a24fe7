import asyncio
import codecs
import json
import threading
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient

from forecaster import service
from forecaster.limits import MAX_BODY_BYTES, MAX_MANY_BYTES
from forecaster.many import MOST_SERIES, answered
from forecaster.service import app

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
client = TestClient(app, raise_server_exceptions=False)


def series(name: str = "Bergen", kind: str = "temperature", days: float = 3, **fields: object) -> dict[str, Any]:
    hours = range(int(days * 24))
    data = [{"ds": (NOON - timedelta(hours=h)).isoformat(), "y": 10 + 5 * np.sin(h / 24 * 2 * np.pi)} for h in hours]
    return {"series": name, "kind": kind, "data": data, **fields}


def answers(*of: object) -> list[dict[str, Any]]:
    answer = client.post("/forecast/", json=list(of))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def test_each_kind_is_forecast_in_the_order_sent() -> None:
    kinds = ("production", "temperature", "demand", "price", "power", "temperature")
    found = answers(*(series(str(i), kind, horizon=24 + i) for i, kind in enumerate(kinds)))
    assert [(one["series"], one["kind"]) for one in found] == [(str(i), kind) for i, kind in enumerate(kinds)]
    for i, one in enumerate(found):
        times = [datetime.fromisoformat(hour["timestamp"]) for hour in one["predictions"]]
        assert times == [NOON + timedelta(hours=h) for h in range(1, 25 + i)]
        assert all(hour["lower"] <= hour["value"] <= hour["upper"] for hour in one["predictions"])
        assert (one["used"], one["filled"]) == (72, 0)


def test_a_place_is_forecast_alike_alone_and_among_many() -> None:
    place = series(latitude=60.4, longitude=5.3, days=30)
    among = answers(series("other", "price", 20), place, series(days=4))[1]
    alone = client.post("/predict/", json={key: place[key] for key in ("latitude", "longitude", "data")}).json()
    assert [hour["value"] for hour in among["predictions"]] == [one["temperature"] for one in alone["predictions"]]
    assert (among["used"], among["filled"]) == (alone["used"], alone["filled"])


@pytest.mark.parametrize(
    ("wrong", "problem", "said"),
    [
        (series(days=1 / 24), "too_short", "at least 2"),
        (series(kind="demand", days=1.5), "too_short", "at least 2 days"),
        (series(data=[{"ds": NOON.isoformat(), "y": 1}, {"ds": "2026-11-24T11:00Z", "y": 1}]), "constant", "changes"),
        (series(data=[{"ds": NOON.isoformat(), "y": "cold"}]), "not_a_number", "data.0.y"),
        (
            series(data=[{"ds": NOON.isoformat(), "y": True}]),
            "not_a_number",
            "data.0.y: Input should be a valid number",
        ),
        (series(kind="price", data=[{"ds": NOON.isoformat(), "y": "1_0"}]), "not_a_number", "data.0.y"),
        (series(latitude=True), "not_a_number", "latitude: Input should be a valid number"),
        (series(longitude=False), "not_a_number", "longitude"),
        (series(horizon=True), "not_a_number", "horizon"),
        (series(horizon="1_0"), "not_a_number", "horizon"),
        (series(horizon="soon"), "not_a_number", "horizon"),
        (series(data=[{"ds": NOON.isoformat(), "y": 61}]), "out_of_bounds", "data.0.y: read 61, expected -90 to 60"),
        (series(kind="price", data=[{"ds": NOON.isoformat(), "y": 1e6}]), "out_of_bounds", "data.0.y"),
        (series(latitude=91), "out_of_bounds", "latitude"),
        (series(horizon=169), "out_of_bounds", "horizon"),
        (series(horizon=0), "out_of_bounds", "horizon"),
        (series(kind="rain"), "invalid", "kind"),
        ({"series": "nothing"}, "invalid", "kind"),
        (7, "invalid", "dictionary"),
    ],
)
def test_a_series_with_a_problem_is_named_and_leaves_the_others(wrong: object, problem: str, said: str) -> None:
    first, bad, last = answers(series("a"), wrong, series("b"))
    assert bad["problem"] == problem
    assert said in bad["detail"]
    assert bad["series"] == (wrong["series"] if isinstance(wrong, dict) else None)
    assert len(first["predictions"]) == len(last["predictions"]) == 48


@pytest.mark.parametrize("kind", ["temperature", "demand"])
@pytest.mark.parametrize("level", [0.0, 0.1, 1.0, -3.0])
def test_what_changed_before_the_days_that_are_used_is_constant(kind: str, level: float) -> None:
    times = [NOON - timedelta(minutes=20 * i) for i in range(38 * 72) if i != 100]
    data = [{"ds": when.isoformat(), "y": level if when > NOON - timedelta(days=28, hours=1) else 5} for when in times]
    stuck, moved = answers(series(kind=kind, data=data), series(kind=kind, data=[{**data[0], "y": 5}, *data[1:]]))
    assert stuck["problem"] == "constant"
    assert f"the newest 28 days have the value {level:g} throughout" in stuck["detail"]
    assert "predictions" in moved


@pytest.mark.parametrize(("kind", "read"), [("temperature", "read 1 points"), ("demand", "read 2 hours of demand")])
def test_a_history_that_a_point_of_the_future_makes_too_old_is_told(kind: str, read: str) -> None:
    future = [{"ds": "2027-11-24T12:00:00Z", "y": 3}, {"ds": "2027-11-24T11:00:00+00:00", "y": 4}]
    of = series(kind=kind, days=10)
    (found,) = answers({**of, "data": [*of["data"], *future[: int(read.split()[1])]]})
    assert found["problem"] == "too_short"
    assert found["detail"].startswith(f"data: {read}")
    assert found["detail"].endswith(
        "; only the 60 days before the newest point, 2027-11-24T12:00:00Z, count, 240 points are older"
    )


def test_not_a_number_as_python_spells_it_is_refused() -> None:
    sent = json.dumps([series(data=[{"ds": NOON.isoformat(), "y": float("nan")}])])
    assert client.post("/forecast/", content=sent).json()[0]["problem"] == "not_a_number"


def test_what_is_never_negative_is_not_forecast_negative() -> None:
    data = [{**point, "y": abs(point["y"] - 12) * (i % 5 == 0)} for i, point in enumerate(series(days=10)["data"])]
    for kind in ("production", "price"):
        found = answers(series(kind=kind, data=data))[0]["predictions"]
        assert min(hour["lower"] for hour in found) == 0
        assert max(hour["upper"] for hour in found) > 1


def test_a_price_that_was_negative_may_be_so_again() -> None:
    below = [{**point, "y": point["y"] - 12} for point in series(days=10)["data"]]
    assert min(hour["value"] for hour in answers(series(kind="price", data=below))[0]["predictions"]) < -5


@pytest.mark.parametrize("kind", ["demand", "production", "price", "power"])
@pytest.mark.parametrize("size", [1e-4, 0.004, 1000.0])
def test_a_forecast_is_as_fine_as_its_series_whatever_the_unit(kind: str, size: float) -> None:
    usual = [{**point, "y": point["y"] * (1 + i % 5)} for i, point in enumerate(series(days=10)["data"])]
    other = [{**point, "y": point["y"] * size} for point in usual]
    one, scaled = (
        found["predictions"] for found in answers(series("a", kind, data=usual), series("b", kind, data=other))
    )
    assert all(hour["lower"] < hour["value"] < hour["upper"] for hour in scaled)
    for field in ("lower", "value", "upper"):
        assert [hour[field] / size for hour in scaled] == pytest.approx([hour[field] for hour in one], abs=1e-3)


def test_temperature_has_two_decimals() -> None:
    for hour in answers(series(days=10))[0]["predictions"]:
        assert all(hour[field] == round(hour[field], 2) for field in ("lower", "value", "upper"))


def test_a_byte_order_mark_changes_nothing() -> None:
    of = series()
    place = {"data": of["data"]}
    many, one = (codecs.BOM_UTF8 + json.dumps(sent).encode() for sent in ([of], place))
    assert client.post("/forecast/", content=many).json() == answers(of)
    assert client.post("/predict/", content=one).json() == client.post("/predict/", json=place).json()


def test_a_name_that_is_half_a_character_is_answered_all_the_same() -> None:
    sent = json.dumps([series("\ud800"), series("Bodø")])
    broken, whole = client.post("/forecast/", content=sent).json()
    assert broken["problem"] == "invalid"
    assert whole["series"] == "Bodø"


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"[", b"[{}", b"[{},", b"[{}]x", b"\xff", b"[" * 100_000, b"null"])
def test_what_is_no_list_of_series_is_refused_with_a_sentence(body: bytes) -> None:
    answer = client.post("/forecast/", content=body)
    assert answer.status_code == 422
    assert isinstance(answer.json()["detail"], str)


def test_many_series_may_be_longer_than_five_megabytes_together_but_not_one() -> None:
    place = json.dumps(series(days=28))
    many = f"[{','.join([place] * (MAX_BODY_BYTES // len(place) + 2))}]"
    assert len(many) > MAX_BODY_BYTES
    answer = client.post("/forecast/", content=many)
    assert answer.status_code == 200
    assert all(len(one["predictions"]) == 48 for one in answer.json())
    long = json.dumps([{**series(), "pad": "x" * MAX_BODY_BYTES}])
    assert client.post("/forecast/", content=long).status_code == 413
    assert client.post("/forecast/", content=b"x" * (MAX_BODY_BYTES + 1)).status_code == 413
    assert client.post("/forecast/", content=b" " * (MAX_MANY_BYTES + 1)).status_code == 413
    assert client.post("/forecast/", content=iter([b"[]"])).status_code == 413, "its length is not known"


def test_a_call_may_have_ten_thousand_series_and_no_more() -> None:
    assert len(client.post("/forecast/", json=[1] * MOST_SERIES).json()) == MOST_SERIES
    answer = client.post("/forecast/", json=[1] * (MOST_SERIES + 1))
    assert answer.status_code == 422
    assert "more than 10000 series" in answer.json()["detail"]


@pytest.mark.slow
def test_a_long_answer_takes_little_more_memory_than_itself() -> None:
    body = json.dumps([series(str(i), days=1 / 12, horizon=168) for i in range(1000)]).encode()
    tracemalloc.start()
    pieces, results = answered(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    answer = b"".join(pieces)
    assert [one["series"] for one in json.loads(answer)] == [str(i) for i in range(1000)]
    assert len(results) == 1000
    assert peak < 3 * len(answer)


def test_calls_take_turns_and_others_are_answered_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    sent = json.dumps([series()]).encode()
    read: list[str] = []

    def slow(body: bytearray) -> tuple[list[bytes], list[tuple[str, str]]]:
        begun.set()
        assert go_on.wait(30)
        return answered(body)

    async def content(name: str) -> AsyncIterator[bytes]:
        read.append(name)
        yield sent

    async def call() -> list[int]:
        length = {"content-length": str(len(sent))}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as http:
            first = asyncio.create_task(http.post("/forecast/", content=content("first"), headers=length))
            assert await asyncio.to_thread(begun.wait, 30)
            second = asyncio.create_task(http.post("/forecast/", content=content("second"), headers=length))
            place = {"data": series()["data"]}
            others = [await http.get("/health"), await http.post("/predict/", json=place)]
            assert read == ["first"], "a body is read when its turn has come"
            go_on.set()
            return [one.status_code for one in (*others, await first, await second)]

    monkeypatch.setattr(service, "answered", slow)
    assert asyncio.run(call()) == [200, 200, 200, 200]
    assert read == ["first", "second"]


def test_who_does_not_send_the_body_loses_the_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"["
        await asyncio.Event().wait()

    async def call() -> list[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as http:
            stalled = await http.post("/forecast/", content=content(), headers={"content-length": "2"})
            return [stalled.status_code, (await http.post("/forecast/", json=[series()])).status_code]

    monkeypatch.setattr(service, "BODY_S", 0.1)
    assert asyncio.run(call()) == [408, 200]
    assert "408" in client.get("/openapi.json").json()["paths"]["/forecast/"]["post"]["responses"]


def test_prometheus_is_told_of_requests_and_of_what_became_of_each_series() -> None:
    answers(series(), series(data=[]))
    client.get("/nowhere")
    text = client.get("/metrics").text
    assert 'forecaster_requests_total{method="POST",path="/forecast",status="200"}' in text
    assert 'forecaster_requests_total{method="GET",path="other",status="404"}' in text
    assert 'forecaster_series_total{kind="temperature",result="forecast"}' in text
    assert 'forecaster_series_total{kind="temperature",result="too_short"}' in text
    assert 'forecaster_request_seconds_bucket{le="0.1",path="/forecast"}' in text
