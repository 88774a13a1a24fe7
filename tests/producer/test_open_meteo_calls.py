"""Open-Meteo's free calls of a minute, an hour and a day are kept to."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from apis.errors import RateLimited
from apis.open_meteo import FREE, cost
from producer.clock import Clock
from producer.free_calls import FreeCalls
from producer.sources.open_meteo import LIVE, OpenMeteoSpans, source
from readings.config import Place
from readings.settings import Settings
from readings.stream import Stream
from tests.apis.misbehaving_server import MisbehavingServer
from tests.producer import stand_ins
from tests.producer.conftest import NOW, TurnedClock

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SETTINGS = Settings(open_meteo_base_url="http://127.0.0.1:9", open_meteo_archive_url="http://127.0.0.1:9")
PLACES = [Place(name=f"P{number}", latitude=60.4, longitude=number / 100) for number in range(13)]


class Counted:
    """A client that notes what its calls cost, and when."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.made: list[tuple[datetime, float]] = []

    def archived(self, points: Sequence[tuple[float, float]], first: date, last: date) -> Iterator[object]:
        self.made.append((self._clock.now(), len(points) * 1.3 * max(1, (last - first + DAY) / timedelta(weeks=2))))
        return iter(())


def call(spans: OpenMeteoSpans, begin: datetime, end: datetime, clock: TurnedClock) -> None:
    while True:
        try:
            list(spans.fetch(begin, end, "backfill"))
        except RateLimited as error:
            clock.time += timedelta(seconds=error.retry_after_s)
        else:
            return


def backfill(clock: TurnedClock, years: int) -> Counted:
    client = Counted(clock)
    spans = OpenMeteoSpans(client, PLACES, clock, spend=FreeCalls(FREE, clock).spend)  # type: ignore[arg-type]
    for begin, end in spans.pieces(datetime(2025 - years, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)):
        call(spans, begin, end, clock)
    return client


def test_a_backfill_of_decades_takes_no_more_than_is_free_in_any_minute_hour_or_day(clock: TurnedClock) -> None:
    made = backfill(clock, 30).made
    for span, free in ((MINUTE, 600), (HOUR, 5_000), (DAY, 10_000)):
        assert max(sum(paid for at, paid in made if begin <= at < begin + span) for begin, _ in made) <= free
    assert sum(paid for _, paid in made) > 10_000
    assert clock.now() - NOW < 1.2 * DAY, "what is free is made use of"


def test_a_backfill_of_a_year_does_not_wait(clock: TurnedClock) -> None:
    assert len(backfill(clock, 1).made) == 14
    assert clock.now() - NOW <= MINUTE


def test_a_call_that_costs_more_than_a_minute_has_is_made_alone(clock: TurnedClock) -> None:
    calls = FreeCalls(FREE, clock)
    calls.spend(858)
    assert clock.now() == NOW
    calls.spend(858)
    assert clock.now() == NOW + MINUTE


def test_a_longer_wait_is_left_to_the_caller(clock: TurnedClock) -> None:
    calls = FreeCalls(FREE, clock)
    for _ in range(8):
        calls.spend(600)
    with pytest.raises(RateLimited, match="the next is free in 3180 s") as limited:
        calls.spend(600)
    clock.time += timedelta(seconds=limited.value.retry_after_s)
    calls.spend(600)


def test_what_is_asked_of_the_service_is_counted(clock: TurnedClock, weather: Stream) -> None:
    with MisbehavingServer() as server:
        server.choose = lambda query: stand_ins.open_meteo(query, clock.now())
        spans = source(weather, Settings(open_meteo_base_url=server.url), clock)
        list(spans.fetch(NOW - 28 * DAY, NOW, "live"))
        paid = cost(13, 29 * DAY)
        for _ in range(int(5000 / paid) - 1):
            clock.time += MINUTE / 5
            spans.spend(paid)
        clock.time += MINUTE
        with pytest.raises(RateLimited):
            list(spans.fetch(NOW - 28 * DAY, NOW, "live"))
        assert len(server.requests) == 1


@pytest.mark.parametrize(("places", "widened"), [(13, False), (300, False), (330, True), (700, True)])
def test_where_a_day_of_rounds_costs_more_than_is_free_they_are_made_less_often_and_the_start_says_so(
    places: int, widened: bool, weather: Stream, clock: TurnedClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "places.json"
    file.write_bytes(orjson.dumps([{"name": f"P{one}", "latitude": 60.4, "longitude": 5.3} for one in range(places)]))
    stream = replace(weather, config=weather.config.model_copy(update={"series": file}))
    _, cadence = LIVE.declaration(stream, SETTINGS)
    assert (cadence > HOUR) == widened
    assert cost(places, 3 * DAY) * (DAY / cadence) <= FREE[DAY]
    source(stream, SETTINGS, clock)
    assert (f"{places} places are asked every " in caplog.text) == widened
