"""Open-Meteo and OpenElectricity against an HTTP server that speaks the recorded bodies."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from apis.errors import BadAnswer
from apis.open_meteo import UNITS, OpenMeteo
from apis.openelectricity import OpenElectricity
from apis.session import Patience, Session
from producer.cursor import UnkeptCursor
from producer.rounds import Rounds
from producer.sources.open_meteo import OpenMeteoSpans
from producer.sources.openelectricity import FacilitySpans, MarketSpans
from producer.span_source import Unreadable
from readings.config import Place
from readings.facility import Facility
from readings.market import Market
from readings.stream import Stream
from readings.weather import Weather
from tests.apis.misbehaving_server import MisbehavingServer, answer
from tests.producer import stand_ins
from tests.producer.conftest import NOW, Heard, Kept, TurnedClock

DATA = Path(__file__).parent / "data"
MARKET = orjson.loads((DATA / "v4_market_network_NEM_by_region_1d.wire-shape.json").read_bytes())
for daily in MARKET["data"][1]["results"]:  # the sum of a day's 288 values of five minutes, in MW
    daily["data"] = [[time, value / 288] for time, value in daily["data"]]
BERGEN = Place(name="Bergen", latitude=60.4, longitude=5.3)


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as server:
        yield server


def session(server: MisbehavingServer) -> Session:
    return Session(server.url, patience=Patience(attempts=2, read_timeout_s=0.5), sleep=lambda _: None)


def weather_answer(**columns: list[Any]) -> dict[str, Any]:
    times = [f"{NOW - timedelta(hours=1):%Y-%m-%dT%H:00}", f"{NOW + timedelta(hours=1):%Y-%m-%dT%H:00}"]
    hourly = {"temperature_2m": [1.5, 2.5], "snowfall": [0.7, 0.0], "weather_code": [73, 0], **columns}
    return {
        "utc_offset_seconds": 0,
        "hourly_units": {"time": "iso8601", **{name: UNITS[name] for name in hourly}},
        "hourly": {"time": times, **hourly},
    }


def weather_of(server: MisbehavingServer, body: object, clock: TurnedClock, until: datetime = NOW) -> list[Any]:
    server.choose = lambda _query: answer(200, body)
    spans = OpenMeteoSpans(OpenMeteo(session(server), session(server)), [BERGEN], clock)
    return list(spans.fetch(NOW - timedelta(days=1), until, "live"))


def test_only_hours_that_have_happened_are_weather(server: MisbehavingServer, clock: TurnedClock) -> None:
    (reading,) = weather_of(server, weather_answer(), clock)
    assert isinstance(reading, Weather)
    assert (reading.temperature_c, reading.snow_mm, reading.condition) == (1.5, 1.0, "Snow")


def test_hours_beyond_the_span_or_to_come_are_no_weather(server: MisbehavingServer, clock: TurnedClock) -> None:
    """The service answers with whole days, those to come included."""
    hour = timedelta(hours=1)
    found = {later: weather_of(server, weather_answer(), clock, NOW + later) for later in (-2 * hour, -hour, 2 * hour)}
    assert {later: [one.temperature_c for one in some] for later, some in found.items()} == {
        -2 * hour: [],
        -hour: [1.5],
        2 * hour: [1.5],
    }


def test_a_string_where_a_number_belongs_is_one_dead_letter(server: MisbehavingServer, clock: TurnedClock) -> None:
    (bad,) = weather_of(server, weather_answer(temperature_2m=["warm", 2.5]), clock)
    assert isinstance(bad, Unreadable)
    assert "temperature_2m (temperature_c): read 'warm'" in bad.reason


def test_km_h_never_pass_for_m_s(server: MisbehavingServer, clock: TurnedClock) -> None:
    body = orjson.loads((DATA / "openmeteo_archive_v1.sample.json").read_bytes())
    with pytest.raises(BadAnswer, match="read 'km/h', expected 'm/s'"):
        weather_of(server, body, clock)


def test_a_point_that_cannot_be_read_takes_no_other_with_it(server: MisbehavingServer, clock: TurnedClock) -> None:
    bad = weather_answer()
    bad["hourly"]["temperature_2m"] = [1.5]
    server.choose = lambda _query: answer(200, [bad, weather_answer()])
    places = [BERGEN, Place(name="Oslo", latitude=59.9, longitude=10.7)]
    spans = OpenMeteoSpans(OpenMeteo(session(server), session(server)), places, clock)
    reading, unreadable = spans.fetch(NOW - timedelta(days=1), NOW, "live")
    assert isinstance(reading, Weather)
    assert reading.region == "Oslo"
    assert isinstance(unreadable, Unreadable)
    assert unreadable.series == "the answer for Bergen"
    assert unreadable.reason == "hourly.temperature_2m: expected 2 values, one for each time"
    assert unreadable.record == bad


def meteo(server: MisbehavingServer, clock: TurnedClock, kept: Kept, cursor: UnkeptCursor, stream: Stream) -> Rounds:
    server.choose = lambda query: stand_ins.open_meteo(query, clock.now())
    spans = OpenMeteoSpans(OpenMeteo(session(server), session(server)), [BERGEN], clock)
    return Rounds(spans, stream, kept, cursor, clock, Heard(), timedelta(hours=1))


def hours(kept: Kept) -> list[str]:
    return [one["timestamp"] for _, one in kept.readings()]


def test_months_of_the_archive_come_without_a_hole(
    server: MisbehavingServer, clock: TurnedClock, kept: Kept, weather: Stream
) -> None:
    rounds = meteo(server, clock, kept, UnkeptCursor(), weather)
    begin, end = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 3, 31, 23, 59, 59, tzinfo=UTC)
    for since, until in rounds.source.pieces(begin, end):
        assert rounds.piece(since, until, "backfill").failed is None
    assert len(hours(kept)) == len(set(hours(kept))) == 90 * 24
    assert {query["path"] for query in server.requests} == {"/v1/archive"}


@pytest.mark.parametrize(
    ("away", "revised"),
    [
        (timedelta(hours=5), 0),
        (timedelta(days=40), 0),
        (timedelta(days=300), 2 * 24 + 14),  # the archive has no showers: what it says of the last days is another rain
    ],
)
def test_weather_missed_while_away_comes_once(
    server: MisbehavingServer, clock: TurnedClock, kept: Kept, weather: Stream, away: timedelta, revised: int
) -> None:
    cursor = UnkeptCursor()
    for pause in (timedelta(hours=1), away, timedelta(hours=1), timedelta(hours=1)):
        meteo(server, clock, kept, cursor, weather).round()
        clock.time += pause
    times = sorted(datetime.fromisoformat(at) for at in hours(kept))
    assert len(set(times)) == (times[-1] - times[0]) / timedelta(hours=1) + 1
    assert len(times) - len(set(times)) == revised
    assert times[-1] == (clock.now() - timedelta(hours=1)).replace(minute=0, second=0)


def test_times_are_asked_for_in_utc_and_read_by_their_offset(server: MisbehavingServer, clock: TurnedClock) -> None:
    found = weather_of(server, {**weather_answer(), "utc_offset_seconds": 7200}, clock)
    assert [one.timestamp for one in found] == [datetime(2026, 11, 24, hour, tzinfo=UTC) for hour in (9, 11)]
    (query,) = server.requests
    assert (query["timezone"], query["wind_speed_unit"]) == ("UTC", "ms")
    assert (query["past_days"], query["forecast_days"]) == ("1", "1")


def test_a_null_among_numbers_is_a_dead_letter(server: MisbehavingServer, clock: TurnedClock) -> None:
    (bad,) = weather_of(server, weather_answer(temperature_2m=[None, 2.5]), clock)
    assert isinstance(bad, Unreadable)
    assert bad.reason == "temperature_2m: read null, expected a number"


def test_what_a_place_has_no_value_of_at_all_is_absent(server: MisbehavingServer, clock: TurnedClock) -> None:
    (reading,) = weather_of(server, weather_answer(wind_gusts_10m=[None, None]), clock)
    assert (reading.temperature_c, reading.wind_gust_ms) == (1.5, None)


def test_an_hour_without_any_value_is_not_there_yet(server: MisbehavingServer, clock: TurnedClock) -> None:
    nothing = {"temperature_2m": [None, 2.5], "snowfall": [None, 0.0], "weather_code": [None, 0]}
    assert weather_of(server, weather_answer(**nothing), clock) == []


def test_the_recorded_archive_is_weather_once_its_wind_is_m_s(server: MisbehavingServer, clock: TurnedClock) -> None:
    body = orjson.loads((DATA / "openmeteo_archive_v1.sample.json").read_bytes())
    units, hourly = body["hourly_units"], body["hourly"]
    for name in ("wind_speed_10m", "wind_gusts_10m"):
        if name in hourly:
            units[name], hourly[name] = "m/s", [round(value / 3.6, 2) for value in hourly[name]]
    server.choose = lambda _query: answer(200, body)
    spans = OpenMeteoSpans(OpenMeteo(session(server), session(server)), [BERGEN], clock)
    first, last = (datetime.fromisoformat(hourly["time"][index]).replace(tzinfo=UTC) for index in (0, -1))
    found = list(spans.fetch(first, last, "backfill"))
    assert all(isinstance(one, Weather) for one in found)
    assert [one.event_time for one in found] == [
        first + timedelta(hours=number) - timedelta(seconds=body["utc_offset_seconds"]) for number in range(len(found))
    ]
    assert [one.temperature_c for one in found] == hourly["temperature_2m"][: len(found)]


def market_of(server: MisbehavingServer, body: object) -> list[Any]:
    server.choose = lambda _query: answer(200, body)
    spans = MarketSpans(OpenElectricity(session(server)), ["NSW1", "QLD1", "SA1", "TAS1", "VIC1"])
    return list(spans.fetch(NOW - timedelta(days=1), NOW, "live"))


def test_both_shapes_of_the_market_are_the_same_readings(server: MisbehavingServer) -> None:
    older = deepcopy(MARKET)
    for metric in older["data"]:
        for result in metric["results"]:
            result["columns"] = {"network_region": result["columns"]["region"]}
            result["data"] = [
                [datetime.fromisoformat(time).astimezone(UTC).isoformat(), value] for time, value in result["data"]
            ]
    new, old = market_of(server, MARKET), market_of(server, older)
    assert [one.model_dump() for one in new] == [one.model_dump() for one in old]
    assert all(isinstance(one, Market) for one in new)
    assert {one.series for one in new} >= {"NSW1", "QLD1"}
    assert new[0].timestamp.tzinfo is UTC


def test_an_unknown_region_and_nulls_alone_are_dead_letters_and_the_rest_goes_on(server: MisbehavingServer) -> None:
    body = deepcopy(MARKET)
    second = body["data"][0]["results"][1]
    for metric in body["data"]:
        metric["results"][0]["data"][0][1] = None
    second["columns"] = {"region": "ATLANTIS"}
    found = market_of(server, body)
    reasons = " ".join(one.reason for one in found if isinstance(one, Unreadable))
    assert "read None, expected a number" in reasons
    assert "ATLANTIS" in reasons
    assert any(isinstance(one, Market) for one in found)


def test_units_are_rolled_up_to_their_facility(server: MisbehavingServer, clock: TurnedClock) -> None:
    units = [
        {"code": "A1", "fueltech_id": "coal_black", "status_id": "operating"},
        {"code": "A2", "fueltech_id": "gas_ccgt", "status_id": "retired"},
    ]
    facilities = {"data": [{"code": "A", "name": "A", "network_region": "NSW1", "units": units, "location": None}]}
    at = "2026-11-24T10:00:00+10:00"

    def series(metric: str, values: dict[str, float]) -> dict[str, Any]:
        results = [{"columns": {"unit_code": unit}, "data": [[at, value]]} for unit, value in values.items()]
        return {"metric": metric, "results": results}

    power = {"data": [series("power", {"A1": 100.0, "A2": 20.5}), series("emissions", {"A1": 7.0, "A2": 1.0})]}
    server.choose = lambda query: answer(200, power if "metrics" in query else facilities)
    spans = FacilitySpans(
        OpenElectricity(session(server)), [Place(name="A", latitude=0, longitude=0, area="NSW1")], clock
    )
    (reading,) = spans.fetch(NOW - timedelta(days=1), NOW, "live")
    assert isinstance(reading, Facility)
    assert (reading.power_mw, reading.emissions_t) == (120.5, 8.0)
    assert reading.timestamp == datetime(2026, 11, 24, 0, tzinfo=UTC)
