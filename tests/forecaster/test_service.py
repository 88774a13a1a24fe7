import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from forecaster.limits import MAX_BODY_BYTES
from forecaster.service import app

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
client = TestClient(app, raise_server_exceptions=False)


def body(*points: tuple[object, object], **fields: object) -> dict[str, Any]:
    data = [{"ds": ds.isoformat() if isinstance(ds, datetime) else ds, "y": y} for ds, y in points]
    return {"latitude": 60.39, "longitude": 5.32, "data": data, **fields}


def predictions(of: dict[str, Any]) -> list[dict[str, Any]]:
    answer = client.post("/predict/", json=of)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["predictions"]
    return found


def test_two_points_eleven_minutes_apart_give_the_next_48_whole_hours() -> None:
    found = predictions(body((NOON - timedelta(minutes=11), 4.1), (NOON, 4.6)))
    times = [datetime.fromisoformat(one["timestamp"]) for one in found]
    assert times == [NOON + timedelta(hours=hour) for hour in range(1, 49)]
    assert all(3.5 < one["temperature"] < 5 for one in found), "no trend is carried on from two points"
    assert all(one["lower"] < one["temperature"] < one["upper"] for one in found)


def test_the_interval_widens_with_the_horizon() -> None:
    found = predictions(body((NOON - timedelta(hours=1), 4.1), (NOON, 4.6)))
    widths = [one["upper"] - one["lower"] for one in found]
    assert widths[0] < widths[11] < widths[47]


def test_a_daily_course_is_found_again() -> None:
    hours = [NOON - timedelta(hours=h) for h in range(240, -1, -1)]
    points = [(hour, 10 + 5 * (abs(hour.hour - 12) < 6)) for hour in hours]
    found = {datetime.fromisoformat(one["timestamp"]).hour: one["temperature"] for one in predictions(body(*points))}
    assert found[13] == pytest.approx(15, abs=0.5)
    assert found[1] == pytest.approx(10, abs=0.5)


def test_order_duplicates_and_nulls_change_nothing() -> None:
    points: list[tuple[object, object]] = [(NOON - timedelta(hours=h), 5 + h % 3) for h in range(100)]
    jumbled = [*points[50:], *points[:50], points[7], (NOON - timedelta(minutes=30), None)]
    assert predictions(body(*jumbled)) == predictions(body(*points))


def test_a_naive_time_is_utc() -> None:
    aware = body((NOON - timedelta(hours=1), 4.0), (NOON, 5.0))
    naive = json.loads(json.dumps(aware).replace("+00:00", ""))
    assert predictions(naive) == predictions(aware)


def test_the_horizon_is_what_was_asked_for() -> None:
    points = [(NOON - timedelta(hours=h), 5 + h % 3) for h in range(100)]
    longest = predictions(body(*points, horizon=168))
    assert len(longest) == 168
    assert longest[:48] == predictions(body(*points))
    assert predictions(body(*points, horizon=1)) == longest[:1]


def test_between_whole_hours_the_next_whole_hours_are_forecast() -> None:
    last = NOON + timedelta(minutes=37)
    points = [(last - timedelta(minutes=15 * i), 5 + i % 7) for i in range(400)]
    found = predictions(body(*points))
    assert [datetime.fromisoformat(one["timestamp"]) for one in found[:2]] == [
        NOON + timedelta(hours=h) for h in (1, 2)
    ]


def test_what_was_made_of_the_readings_is_said() -> None:
    points = [(NOON - timedelta(hours=h), 5 + h % 3) for h in range(100) if h not in (10, 11)]
    answer = client.post("/predict/", json=body(*points, points[0], (NOON - timedelta(hours=10), None))).json()
    assert (answer["used"], answer["filled"]) == (98, 2)


def test_get_with_a_body_and_no_slash_are_answered_alike() -> None:
    of = body((NOON - timedelta(hours=1), 4.0), (NOON, 5.0))
    expected = client.post("/predict/", json=of).json()
    for method in ("GET", "POST"):
        for path in ("/predict", "/predict/"):
            assert client.request(method, path, json=of).json() == expected


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (body((NOON, 4.0)), "read 1 points with a value at different times, at least 2 are needed"),
        (body((NOON, 4.0), (NOON, 5.0)), "at least 2 are needed"),
        (body((NOON, None), (NOON - timedelta(hours=1), None)), "read 0 points"),
        (body((NOON, 4.0), (NOON - timedelta(hours=1), 61)), "data.1.y"),
        (body((NOON, 4.0), ("yesterday", 5.0)), "data.1.ds"),
        (body((NOON, 4.0), ("9999-12-31T23:00:00Z", 5.0)), "expected a time of the years 1900 to 2199"),
        (body((NOON, 4.0), (NOON - timedelta(hours=1), 5.0), latitude=91), "latitude"),
        (body((NOON, 4.0), (NOON - timedelta(hours=1), 4.0)), "all 2 points have the value 4, expected a series that"),
        (body((NOON, 4.0), (NOON - timedelta(hours=1), "cold")), "data.1.y"),
        (body((NOON, 4.0), (NOON - timedelta(hours=1), True)), "data.1.y: Input should be a valid number"),
        (body((NOON, 4.0), (NOON - timedelta(hours=1), "1_0")), "data.1.y: Input should be a valid number"),
        (
            body((NOON, 4.0), (NOON - timedelta(hours=1), 5.0), latitude=True),
            "latitude: Input should be a valid number",
        ),
        (body((NOON, 4.0), (NOON - timedelta(hours=1), 5.0), horizon=True), "horizon: Input should be a valid number"),
        (body((NOON, 4.0), (NOON - timedelta(hours=1), 5.0), horizon=169), "horizon"),
        ({"latitude": 1, "longitude": 1}, "data"),
    ],
)
def test_what_cannot_be_forecast_is_refused_with_a_sentence(wrong: dict[str, Any], said: str) -> None:
    answer = client.post("/predict/", json=wrong)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_a_body_over_5_mb_is_refused() -> None:
    assert client.post("/predict/", content=b"x" * (MAX_BODY_BYTES + 1)).status_code == 413
    assert client.post("/predict/", content=iter([b"x"])).status_code == 413, "its length is not known"


def test_a_body_that_is_no_json_object_is_refused_with_what_was_expected() -> None:
    whole = json.dumps(body((NOON - timedelta(hours=1), 4.0), (NOON, 5.0)))
    form = {"content-type": "application/x-www-form-urlencoded"}
    for answer in (client.post("/predict/", json=[]), client.post("/predict/", content=whole, headers=form)):
        assert answer.status_code == 422
        assert "a JSON object, sent as content-type: application/json" in answer.json()["detail"]
    assert client.post("/predict/", content=whole).status_code == 200, "without a type it is taken as JSON"


def test_the_examples_of_the_description_are_what_is_answered() -> None:
    described = client.get("/openapi.json").json()
    schemas = described["components"]["schemas"]
    answer = client.post("/predict/", json=schemas["Body"]["example"])
    assert answer.json() == schemas["Answer"]["example"]
    many = described["paths"]["/forecast/"]["post"]
    answer = client.post("/forecast/", json=many["requestBody"]["content"]["application/json"]["example"])
    assert answer.json() == many["responses"]["200"]["content"]["application/json"]["example"]
    assert schemas["Series"]["example"]["series"] == "Bergen"


def test_health_description_and_page_need_nothing_from_outside() -> None:
    assert client.get("/health").json() == {"status": "ok"}
    assert "/predict/" in client.get("/openapi.json").json()["paths"]
    page = client.get("/docs").text
    assert "script" not in page
    assert "/openapi.json" in page
