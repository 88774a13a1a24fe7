"""OpenWeatherMap, One Call API 3.0, "timemachine": the weather of a point at an instant.

``GET {base}/data/3.0/onecall/timemachine?lat&lon&dt&units=metric&appid`` →
``{"lat", "lon", "timezone", "timezone_offset", "data": [{"dt", "temp", …}]}``
(openweathermap.org, One Call API 3.0, "Weather data for timestamp").
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apis.errors import BadAnswer
from apis.session import Session

PATH = "/data/3.0/onecall/timemachine"


@dataclass(frozen=True)
class Observation:
    """One answer: the record of the asked instant as the API spells it (°C, m/s, hPa, mm), and the whole body."""

    latitude: Any
    longitude: Any
    record: dict[str, Any]
    body: bytes


class OpenWeatherMap:
    """The One Call API behind a session whose keys hold ``appid``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def timemachine(self, latitude: float, longitude: float, at: datetime, spare: bool = False) -> Observation:
        """The weather of a point at an aware instant; `spare` says that the call may be forbidden to save calls.

        Raises the errors of `apis.errors`: `BadAnswer` where the answer is not of the documented form.
        """
        parameters = {"lat": latitude, "lon": longitude, "dt": int(at.timestamp()), "units": "metric"}
        answer, body = self._session.get_json(PATH, parameters, spare)
        if not isinstance(answer, dict):
            raise BadAnswer(f"read {_kind(answer)}, expected an object with the list 'data'", body)
        records = answer.get("data")
        if not isinstance(records, list) or not records or not isinstance(records[0], dict):
            raise BadAnswer(f"data: read {_kind(records)}, expected a list with one record", body)
        return Observation(answer.get("lat"), answer.get("lon"), records[0], body)


def _kind(value: object) -> str:
    return "nothing" if value is None else "an empty list" if value == [] else type(value).__name__
