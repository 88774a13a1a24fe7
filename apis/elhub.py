"""Elhub's Energy Data API v0: what Norway's production groups fed in, by price area and hour.

``GET {base}/energy-data/v0/price-areas?dataset=PRODUCTION_PER_GROUP_MBA_HOUR&startDate&endDate`` → JSON:API:
``{"data": [{"type": "price-areas", "attributes": {"name": "NO1", "productionPerGroupMbaHour": [{"startTime",
"endTime", "priceArea", "productionGroup", "quantityKwh", "lastUpdatedTime"}, …]}}]}`` (api.elhub.no, "Energy Data").
Both dates are inclusive, a call spans at most a month, unknown parameters are ignored without a word.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apis.errors import BadAnswer
from apis.session import Patience, Session

PATH = "/energy-data/v0/price-areas"
DATASET = "PRODUCTION_PER_GROUP_MBA_HOUR"
LIST = "productionPerGroupMbaHour"
ZONE = ZoneInfo("Europe/Oslo")
"""A day of Elhub's is a day in Norway."""
CALLS_PER_S = 5
"""More are answered with 429."""
PATIENCE = Patience(read_timeout_s=60, answer_timeout_s=120, largest_body_bytes=64 * 1024 * 1024)
"""A month of all areas and groups is about 5 MB."""
UNASSIGNED = "*"
"""The name of the empty price area and of the empty group."""


class Elhub:
    """The Energy Data API behind a session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def production(self, first: date, last: date) -> list[Any]:
        """The records of Norwegian days, both inclusive, at most a month, without the empty area and group.

        An area without its list is given as it is, in the place of its records.
        Raises the errors of `apis.errors`: `BadAnswer` where the answer is not of the documented form, or of other
        days alone.
        """
        start = datetime.combine(first, time(), ZONE)
        end = datetime.combine(last, time(23, 59, 59), ZONE)
        parameters = {"dataset": DATASET, "startDate": start.isoformat(), "endDate": end.isoformat()}
        answer, body = self._session.get_json(PATH, parameters)
        records = list(_records(answer, body))
        days = {day for day in map(_day, records) if day is not None}
        if days and not any(first <= day <= last for day in days):
            raise BadAnswer(f"startTime: read days from {min(days)} to {max(days)}, expected {first} to {last}", body)
        return records


def months(first: date, last: date) -> Iterator[tuple[date, date]]:
    """The days from `first` to `last`, both inclusive, cut where a month ends."""
    while first <= last:
        next_month = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        yield first, min(last, next_month - timedelta(days=1))
        first = next_month


def _records(answer: Any, body: bytes) -> Iterator[Any]:
    areas = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(areas, list):
        raise BadAnswer("expected an object with the list 'data' of price areas", body)
    lists = [_list(area) for area in areas]
    if areas and all(records is None for records in lists):
        raise BadAnswer(f"expected the list {LIST!r} in the attributes of the price areas", body)
    for area, records in zip(areas, lists, strict=True):
        if records is None:
            yield area
        elif area["attributes"].get("name") != UNASSIGNED:
            yield from (one for one in records if not isinstance(one, dict) or one.get("productionGroup") != UNASSIGNED)


def _day(record: Any) -> date | None:
    """The Norwegian day of a record; None where it says none."""
    try:
        return datetime.fromisoformat(record["startTime"]).astimezone(ZONE).date()
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _list(area: Any) -> list[Any] | None:
    attributes = area.get("attributes") if isinstance(area, dict) else None
    records = attributes.get(LIST) if isinstance(attributes, dict) else None
    return records if isinstance(records, list) else None
