"""Documents of every family of indices, made of the recordings as the parts would make them, up to now."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson

from producer.messages import reading_message
from readings.dead_letters import DeadLetter, encode_message
from readings.facility import Facility
from readings.meter import Meter
from readings.reading import Reading
from readings.stream import Stream
from readings.weather import Weather
from spark_consumer.documents import make_document
from spark_consumer.messages import Problem, read_message
from spark_consumer.meters.state import Meters
from spark_consumer.meters.state import Reading as Shown
from spark_consumer.meters.store import documents_of
from spark_consumer.meters.tariff import DEFAULT_FILE, Calendar, load_tariff
from spark_consumer.sums.market import _fuel_document, _region_documents
from tests.elk.conftest import Arrivals
from tests.elk.recorded import event, recorded

Documents = Iterator[tuple[str, dict[str, Any]]]
"""Index and document."""

EACH = {"weather": 72, "production": 240, "meter": 60, "facility": 12, "market": 250}
"""How many of the newest readings of each series."""
BROKEN = [b"", b"{half", b'{"source": "x", "temperature_c": 1.0}', b"\xff\xfe"]


def documents(streams: Mapping[str, Stream], now: datetime, arrivals: Arrivals) -> Documents:
    """Everything that the dashboards show."""
    for stream in streams.values():
        for number, reading in enumerate(recorded(stream, EACH[stream.name], now)):
            yield from _reading(stream, reading, number, now)
    yield from _forecasts(list(recorded(streams["weather"], 72, now)), now)
    yield from meter_totals(list(recorded(streams["meter"], 60, now)))
    yield from _market_totals(streams, now)
    yield from _dead_letters(streams["weather"], now)
    yield from _arrivals(streams, now, arrivals)


def _reading(stream: Stream, reading: Reading, number: int, now: datetime) -> Documents:
    late = number % 7 == 0
    delay = stream.config.allowed_delay * (1.5 if late else 0.1)
    arrived_at = reading.event_time + stream.model.interval + delay
    if arrived_at > now:
        return
    document = make_document(stream, reading, arrived_at, 0, number)
    if stream.name == "facility":
        place = next(place for place in stream.config.places() if place.name == reading.series)
        document |= {"location": {"lat": place.latitude, "lon": place.longitude}, "network_region": place.area}
        document["fuel_group"] = place.fuel_groups[0]
    if stream.name == "production" and number % 20 == 0:
        document |= {"revision": 1, "revised_at": now, "previous_kwh": 1.0, "first_seen_at": arrived_at}
    yield stream.index(reading.event_time), document


def _forecasts(readings: list[Reading], now: datetime) -> Documents:
    """An issue two days ago and one now, of each place."""
    of_place: dict[str, list[Weather]] = defaultdict(list)
    for reading in readings:
        assert isinstance(reading, Weather)
        of_place[reading.region].append(reading)
    for region, known in of_place.items():
        by_time = {reading.timestamp: reading.temperature_c for reading in known}
        for issued_at in (max(by_time) - timedelta(hours=48), max(by_time)):
            for horizon in range(1, 49):
                timestamp = issued_at + timedelta(hours=horizon)
                forecast = known[horizon].temperature_c
                document: dict[str, Any] = {
                    "_id": f"{region}|{timestamp}|{issued_at}",
                    "region": region,
                    "timestamp": timestamp,
                    "issued_at": issued_at,
                    "horizon_h": horizon,
                    "temperature_c": forecast,
                    "lower_c": forecast - 2,
                    "upper_c": forecast + 2,
                }
                if timestamp in by_time:
                    error = forecast - by_time[timestamp]
                    document |= {
                        "actual": by_time[timestamp],
                        "error": error,
                        "off": abs(error),
                        "inside": abs(error) <= 2,
                    }
                yield f"forecasts-weather-{timestamp:%Y.%m}", document


def meter_totals(readings: list[Reading]) -> Documents:
    """As Spark's query makes them, midnight's marks too."""
    meters = Meters(Calendar(load_tariff(DEFAULT_FILE)))
    shown: dict[str, list[Shown]] = defaultdict(list)
    for reading in readings:
        assert isinstance(reading, Meter)
        shown[reading.sensor_id].append(Shown(round(reading.timestamp.timestamp() * 1000), reading.energy_kwh))
    for sensor, of_meter in shown.items():
        begun = meters.begun([], meters.calendar.month_start_ms(min(one.at_ms for one in of_meter)))
        _, rows = meters.updated(begun, of_meter)
        for document in documents_of(sensor, rows):
            yield f"totals-meter-{document['timestamp']:%Y.%m}", document


def _market_totals(streams: Mapping[str, Stream], now: datetime) -> Documents:
    facilities = streams["facility"]
    areas = {place.name: place.area for place in facilities.config.places()}
    sums: dict[tuple[Any, str, datetime], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for reading in recorded(facilities, EACH["facility"], now):
        assert isinstance(reading, Facility)
        both = sums[areas[reading.facility_code], "coal" if reading.emissions_t else "wind", reading.timestamp]
        both[0] += reading.power_mw or 0
        both[1] += reading.emissions_t or 0
    for (region, fuel, timestamp), (power, emissions) in sums.items():
        document = _fuel_document(timestamp, region, fuel, [{"power_mw": power, "emissions_t": emissions}])
        yield f"totals-market-{timestamp:%Y.%m}", document
    prices = defaultdict(list)
    for reading in recorded(streams["market"], 600, now):
        prices[reading.series].append(reading.model_dump(exclude_none=True))
    for region, rows in prices.items():
        rows.sort(key=lambda row: row["timestamp"])
        for document in _region_documents(region, rows, [place >= 300 for place in range(len(rows))]):
            yield f"totals-market-{document['timestamp']:%Y.%m}", document


def _dead_letters(stream: Stream, now: datetime) -> Documents:
    for offset, value in enumerate(BROKEN):
        for problem in read_message(stream, value, now):
            assert isinstance(problem, Problem)
            text, encoding = encode_message(problem.message)
            letter = DeadLetter(
                stream=stream.name,
                topic=stream.topic,
                partition=0,
                offset=offset,
                reason=problem.reason,
                message=text,
                encoding=encoding,
                arrived_at=now - timedelta(minutes=offset),
            )
            yield f"dead-letters-{letter.arrived_at:%Y.%m}", {"_id": letter.key, **letter.model_dump(exclude_none=True)}


def _arrivals(streams: Mapping[str, Stream], now: datetime, arrivals: Arrivals) -> Documents:
    events = []
    for stream in streams.values():
        for number, reading in enumerate(recorded(stream, 4, now)):
            delay = stream.config.allowed_delay * (1.5 if number % 3 == 0 else 0.1)
            at = now - timedelta(minutes=number % 60) - stream.model.interval - delay
            moved = reading.model_copy(update={stream.model.time_field: at})
            arrived_at = at + stream.model.interval + delay
            events.append(event(stream, reading_message(moved, stream.topic).value, arrived_at, number))
    weather = streams["weather"]
    events += [event(weather, value, now, offset, 1) for offset, value in enumerate(BROKEN)]
    for made in arrivals(events):
        for one in made:
            yield one["metadata"]["index"], {"_id": one["metadata"]["id"], **one["fields"]}


def operations(made: Documents) -> Iterator[bytes]:
    """``_bulk`` bodies of some megabytes."""
    lines: list[bytes] = []
    for index, document in made:
        lines.append(orjson.dumps({"index": {"_index": index, "_id": document.pop("_id")}}))
        lines.append(orjson.dumps(document, option=orjson.OPT_UTC_Z))
        if len(lines) >= 10_000:
            yield b"\n".join([*lines, b""])
            lines = []
    if lines:
        yield b"\n".join([*lines, b""])
