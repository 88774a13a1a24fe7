from datetime import UTC, datetime

import pytest

from apis.errors import BadAnswer
from apis.openweathermap import OpenWeatherMap
from apis.session import Patience, Session
from tests.apis.conftest import TestClock
from tests.apis.misbehaving_server import MisbehavingServer, answer

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_the_documented_request_is_made_and_the_record_given(server: MisbehavingServer, clock: TestClock) -> None:
    body = {"lat": 60.39, "lon": 5.32, "timezone": "Europe/Oslo", "data": [{"dt": 1795521600, "temp": 4.2}]}
    server.answers = [answer(200, body)]
    client = OpenWeatherMap(Session(server.url, keys={"appid": "secret"}, sleep=clock.sleep))
    observation = client.timemachine(60.3913, 5.3221, AT)
    assert observation.record == {"dt": 1795521600, "temp": 4.2}
    assert server.requests == [
        {
            "path": "/data/3.0/onecall/timemachine",
            "lat": "60.3913",
            "lon": "5.3221",
            "dt": "1795521600",
            "units": "metric",
            "appid": "secret",
        }
    ]


@pytest.mark.parametrize("body", [[], "x", None, {}, {"data": None}, {"data": []}, {"data": {}}, {"data": [1]}])
def test_another_shape_is_a_bad_answer_with_the_body(server: MisbehavingServer, clock: TestClock, body: object) -> None:
    server.answers = [answer(200, body)]
    client = OpenWeatherMap(Session(server.url, patience=Patience(attempts=1), sleep=clock.sleep))
    with pytest.raises(BadAnswer, match="expected") as raised:
        client.timemachine(60.3913, 5.3221, AT)
    assert raised.value.body
