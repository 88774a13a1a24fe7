from datetime import date
from pathlib import Path

import orjson
import pytest

from apis.elhub import Elhub, months
from apis.errors import BadAnswer
from apis.session import Patience, Session
from tests.apis.conftest import TestClock
from tests.apis.misbehaving_server import MisbehavingServer, answer

BODY = (Path(__file__).parent / "data" / "elhub_price_areas.json").read_bytes()


def client(server: MisbehavingServer, clock: TestClock, attempts: int = 1) -> Elhub:
    return Elhub(Session(server.url, patience=Patience(attempts=attempts), sleep=clock.sleep))


def test_the_documented_request_is_made_with_norways_offsets(server: MisbehavingServer, clock: TestClock) -> None:
    server.answers = [answer(200, {"data": []})]
    client(server, clock).production(date(2025, 10, 26), date(2025, 10, 26))
    assert server.requests == [
        {
            "path": "/energy-data/v0/price-areas",
            "dataset": "PRODUCTION_PER_GROUP_MBA_HOUR",
            "startDate": "2025-10-26T00:00:00+02:00",
            "endDate": "2025-10-26T23:59:59+01:00",
        }
    ]


def test_a_recorded_body_is_read_without_the_empty_area_and_group(server: MisbehavingServer, clock: TestClock) -> None:
    server.answers = [answer(200, BODY)]
    records = client(server, clock).production(date(2025, 9, 16), date(2025, 9, 16))
    assert len(records) == 5 * 5 * 6
    assert {(one["priceArea"], one["productionGroup"]) for one in records} == {
        (f"NO{number}", group) for number in range(1, 6) for group in ("hydro", "other", "solar", "thermal", "wind")
    }


@pytest.mark.parametrize(
    "body",
    [[], None, {}, {"data": None}, {"data": [1]}, {"data": [{"attributes": None}]}, {"data": [{"attributes": {}}]}],
)
def test_another_shape_is_a_bad_answer_with_the_body(server: MisbehavingServer, clock: TestClock, body: object) -> None:
    server.answers = [answer(200, body)]
    with pytest.raises(BadAnswer, match="expected") as raised:
        client(server, clock).production(date(2025, 9, 16), date(2025, 9, 16))
    assert raised.value.body


def test_days_are_cut_where_a_month_ends() -> None:
    assert list(months(date(2021, 1, 20), date(2021, 3, 2))) == [
        (date(2021, 1, 20), date(2021, 1, 31)),
        (date(2021, 2, 1), date(2021, 2, 28)),
        (date(2021, 3, 1), date(2021, 3, 2)),
    ]
    assert len(list(months(date(2021, 1, 1), date(2021, 12, 31)))) == 12
    assert list(months(date(2021, 1, 2), date(2021, 1, 1))) == []


def test_an_area_without_its_list_is_given_whole_and_the_others_are_read(
    server: MisbehavingServer, clock: TestClock
) -> None:
    body = orjson.loads(BODY)
    body["data"][2]["attributes"] = None
    server.answers = [answer(200, body)]
    records = client(server, clock).production(date(2025, 9, 16), date(2025, 9, 16))
    assert [one for one in records if "priceArea" not in one] == [body["data"][2]]
    assert len(records) > 3 * 5 * 6


@pytest.mark.parametrize("day", [date(2025, 9, 15), date(2025, 10, 16), date(2021, 1, 1)])
def test_records_of_other_days_alone_are_a_bad_answer(server: MisbehavingServer, clock: TestClock, day: date) -> None:
    """Elhub ignores a parameter that it does not know, and answers for days of its own choice."""
    server.answers = [answer(200, BODY)]
    with pytest.raises(BadAnswer, match=f"expected {day} to {day}"):
        client(server, clock).production(day, day)


def test_a_record_of_another_day_among_others_is_given(server: MisbehavingServer, clock: TestClock) -> None:
    body = orjson.loads(BODY)
    record = body["data"][1]["attributes"]["productionPerGroupMbaHour"][0]
    record["startTime"], record["endTime"] = "2024-09-16T00:00:00+02:00", "2024-09-16T01:00:00+02:00"
    server.answers = [answer(200, body)]
    assert record in client(server, clock).production(date(2025, 9, 16), date(2025, 9, 16))
