"""No body makes the service fail: bodies from its own description, from JSON of any form, and series of any form."""

import json
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from forecaster.service import app

pytestmark = pytest.mark.slow

client = TestClient(app, raise_server_exceptions=False)
description = schemathesis.openapi.from_asgi("/openapi.json", app)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
POINTS = st.lists(
    st.fixed_dictionaries(
        {"ds": st.datetimes().map(lambda when: when.isoformat()) | JSON, "y": st.floats(-90, 60) | st.none() | JSON}
    ),
    max_size=8,
)
KINDS = st.sampled_from(["temperature", "demand", "production", "price", "power"])


@st.composite
def well_formed(draw: st.DrawFn) -> dict[str, Any]:
    """Series that can nearly always be forecast: any spacing, gaps, nulls, repeated times, any order, any size."""
    seconds = draw(st.sampled_from([300, 660, 900, 3600, 10_800, 40_000]))
    count = draw(st.integers(2, 400))
    size = draw(st.sampled_from([1e-6, 1.0, 20.0]))
    values = draw(st.lists(st.floats(-1, 1) | st.none(), min_size=2, max_size=60))
    start = draw(st.integers(0, 4_000_000_000))
    steps = draw(st.lists(st.integers(0, 5), min_size=1, max_size=20))
    at, points = start, []
    for i in range(count):
        value = values[i % len(values)]
        points.append({"ds": at, "y": None if value is None else round(value * size, 9)})
        at += seconds * steps[i % len(steps)]
    where = st.none() | st.floats(-90, 90)
    return {
        "series": "any",
        "kind": draw(KINDS),
        "latitude": draw(where),
        "longitude": draw(where),
        "horizon": draw(st.integers(1, 168)),
        "data": draw(st.permutations(points)) if count < 50 else points,
    }


def never_fails(case: schemathesis.Case) -> None:
    assert case.call().status_code < 500


# one test each: schemathesis gives the operations of one test the same id, and of these pytest-xdist runs one alone
@description.include(path="/predict/").parametrize()
@settings(max_examples=60)
def test_no_body_of_predict_that_is_described_makes_it_fail(case: schemathesis.Case) -> None:
    never_fails(case)


@description.include(path="/forecast/").parametrize()
@settings(max_examples=60)
def test_no_body_of_forecast_that_is_described_makes_it_fail(case: schemathesis.Case) -> None:
    never_fails(case)


@description.include(path="/health").parametrize()
@settings(max_examples=60)
def test_no_question_about_its_health_makes_it_fail(case: schemathesis.Case) -> None:
    never_fails(case)


@description.include(path="/metrics").parametrize()
@settings(max_examples=60)
def test_no_question_about_its_metrics_makes_it_fail(case: schemathesis.Case) -> None:
    never_fails(case)


def test_each_operation_has_a_test_above() -> None:
    described = {path: list(methods) for path, methods in app.openapi()["paths"].items()}
    assert described == {"/predict/": ["post"], "/forecast/": ["post"], "/health": ["get"], "/metrics": ["get"]}


@settings(max_examples=300)
@given(data=POINTS | JSON, latitude=JSON, horizon=st.just(48) | JSON, whole=st.none() | JSON)
def test_no_json_makes_predict_fail(data: object, latitude: object, horizon: object, whole: object) -> None:
    of = {"latitude": latitude, "longitude": 1, "horizon": horizon, "data": data} if whole is None else whole
    answer = client.post("/predict/", content=json.dumps(of).encode())
    assert answer.status_code in (200, 422), answer.text
    assert answer.status_code == 200 or isinstance(answer.json()["detail"], str)


@settings(max_examples=300)
@given(data=POINTS | JSON, name=JSON, kind=KINDS | JSON, whole=st.none() | JSON)
def test_no_json_makes_forecast_fail(data: object, name: object, kind: object, whole: object) -> None:
    of = [{"series": name, "kind": kind, "data": data}] if whole is None else whole
    answer = client.post("/forecast/", content=json.dumps(of).encode())
    assert answer.status_code in (200, 422), answer.text


@settings(max_examples=200)
@given(content=st.binary(max_size=40))
def test_no_bytes_make_it_fail(content: bytes) -> None:
    for path in ("/predict/", "/forecast/"):
        answer = client.post(path, content=content)
        assert answer.status_code == 422, answer.text
        assert isinstance(answer.json()["detail"], str)


@settings(max_examples=200)
@given(of=well_formed())
def test_every_series_is_forecast_within_its_interval_or_named(of: dict[str, Any]) -> None:
    answer = client.post("/forecast/", content=json.dumps([of]).encode())
    assert answer.status_code == 200, answer.text
    one = answer.json()[0]
    if "problem" in one:
        assert one["problem"] in ("too_short", "constant"), one
        return
    assert len(one["predictions"]) == of["horizon"]
    for hour in one["predictions"]:
        assert hour["lower"] <= hour["value"] <= hour["upper"]


@pytest.mark.parametrize("path", ["/predict/", "/forecast/"])
def test_a_body_nested_without_end_is_refused(path: str) -> None:
    assert client.post(path, content=b'{"data":' + b"[" * 1_000_000).status_code == 422
