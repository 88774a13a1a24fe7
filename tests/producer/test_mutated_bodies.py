"""Whatever a service answers, or a file holds, becomes readings, dead letters with a reason, or one bad answer."""

import copy
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apis.elhub import Elhub
from apis.errors import BadAnswer
from apis.open_meteo import OpenMeteo
from apis.openelectricity import OpenElectricity
from producer.sources.elhub import ElhubSpans
from producer.sources.meters_csv import MeterLines
from producer.sources.open_meteo import OpenMeteoSpans
from producer.sources.openelectricity import FacilitySpans, MarketSpans
from producer.span_source import SpanSource, Unreadable
from readings.config import Place
from readings.reading import Reading
from tests.apis.misbehaving_server import body_of
from tests.producer import stand_ins
from tests.producer.conftest import TurnedClock
from tests.producer.stand_ins import KEY

NOW = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)
SINCE = NOW - timedelta(hours=2)
BERGEN, BAYSW = Place(name="Bergen", latitude=60.4, longitude=5.3), Place(name="BAYSW", latitude=-32.4, longitude=150.9)


class Answers:
    """Stands where a session does: the service's answer, changed."""

    def __init__(self, service: Callable[[Mapping[str, str]], Any], change: Callable[[Any], Any]) -> None:
        self._service = service
        self._change = change

    def get_json(self, path: str, parameters: Mapping[str, Any], _spare: bool = False) -> tuple[Any, bytes]:
        query = {name: ",".join(value) if isinstance(value, list) else str(value) for name, value in parameters.items()}
        answer = orjson.loads(body_of(self._service({**query, "path": path, "authorization": f"Bearer {KEY}"})))
        changed = self._change(answer)
        return changed, orjson.dumps(changed, default=str)


def source_of(name: str, change: Callable[[Any], Any]) -> SpanSource:
    clock = TurnedClock(NOW)
    match name:
        case "elhub":
            return ElhubSpans(Elhub(Answers(stand_ins.elhub, change)))  # type: ignore[arg-type]
        case "open_meteo":
            session: Any = Answers(partial(stand_ins.open_meteo, now=NOW), change)
            return OpenMeteoSpans(OpenMeteo(session, session), [BERGEN], clock)
        case "facility":
            client = OpenElectricity(Answers(stand_ins.openelectricity, change))  # type: ignore[arg-type]
            return FacilitySpans(client, [BAYSW], clock)
        case _:
            client = OpenElectricity(Answers(stand_ins.openelectricity, change))  # type: ignore[arg-type]
            return MarketSpans(client, stand_ins.REGIONS)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in an answer."""
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield from places(one, (*at, name))


def with_change(answer: Any, pick: int, value: object) -> Any:
    """The answer with another value at one of its places."""
    where = list(places(answer))
    at = where[pick % len(where)]
    if not at:
        return value
    changed = copy.deepcopy(answer)
    holder = changed
    for name in at[:-1]:
        holder = holder[name]
    holder[at[-1]] = value
    return changed


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=4,
)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["elhub", "open_meteo", "facility", "market"])
@settings(max_examples=150)
@given(pick=st.integers(0, 10**9), value=VALUES)
def test_a_changed_answer_never_breaks_a_source(name: str, pick: int, value: object) -> None:
    good = list(source_of(name, lambda answer: answer).fetch(SINCE, NOW, "live"))
    assert good
    assert all(isinstance(one, Reading) for one in good)
    try:
        found = list(source_of(name, lambda answer: with_change(answer, pick, value)).fetch(SINCE, NOW, "live"))
    except BadAnswer as error:
        assert str(error)  # noqa: PT017 - both ends are good ones
        return
    assert all(isinstance(one, Reading) or (isinstance(one, Unreadable) and one.reason) for one in found)


LINE = "2026-02-01T12:00:00;A;10.5"


@given(first=st.text() | st.just(LINE), line=st.text() | st.builds(lambda a, b: a + b, st.just(LINE), st.text()))
def test_a_changed_line_is_a_reading_or_refused(first: str, line: str) -> None:
    try:
        lines = MeterLines.of(first)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - both ends are good ones
    else:
        (found,) = lines.read([line], "live")
        assert found if isinstance(found, str) else found.sensor_id
