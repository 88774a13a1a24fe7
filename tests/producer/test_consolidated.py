"""The compact cache: written, read, and played as events."""

import gzip
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from producer.arguments import parser
from producer.clock import WallClock
from producer.commands import publish_mqtt
from producer.consolidated import read_events, write_consolidated
from producer.errors import RecordingError, Stopped
from producer.publish_mqtt import again_and_again, publish
from producer.recordings import read_recording, recording_files
from readings.facility import Facility
from readings.market import Market
from readings.settings import Settings
from tests.producer.conftest import NOW, TurnedClock

RECORDINGS = Path(__file__).parents[2] / "recordings"
AT = datetime(2026, 11, 20, 0, 0, tzinfo=UTC)
DELAY, COOLDOWN = timedelta(seconds=0.1), timedelta(seconds=60)


def facility(code: str, minutes: int, power_mw: float | None, emissions_t: float | None = None) -> Facility:
    at = AT + timedelta(minutes=minutes)
    return Facility(
        source="openelectricity", facility_code=code, timestamp=at, power_mw=power_mw, emissions_t=emissions_t
    )


def market(minutes: int, price: float) -> Market:
    at = AT + timedelta(minutes=minutes)
    return Market(source="openelectricity", network_region="NSW1", timestamp=at, price_per_mwh=price, demand_mw=7000.0)


@pytest.mark.slow
def test_a_recorded_day_of_facilities_takes_a_quarter_of_one_row_a_reading(tmp_path: Path) -> None:
    (path,) = recording_files(RECORDINGS / "facility")
    recording = read_recording(path, Facility)
    readings = [series.reading(index) for series in recording.series.values() for index in range(len(series))]
    write_consolidated(tmp_path / "cache.csv", readings)
    one_row_each = len(gzip.decompress(path.read_bytes()))
    assert (tmp_path / "cache.csv").stat().st_size <= 0.25 * one_row_each


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    path = tmp_path / "consolidate.csv"
    readings = [market(0, -12.5), facility("BAYSW", 5, 1300.25, 95.0), facility("BAYSW", 0, 1310.0), market(5, 80.0)]
    assert write_consolidated(path, readings) == (4, 2, 5)
    return path


def test_a_row_a_timestamp_and_a_column_a_code_and_metric(cache: Path) -> None:
    assert cache.read_text().splitlines() == [
        "timestamp,BAYSW.power,BAYSW.emissions,NSW1.price,NSW1.demand",
        "2026-11-20T00:00:00Z,1310,,-12.5,7000",
        "2026-11-20T00:05:00Z,1300.25,95,80,7000",
    ]


def test_what_was_written_is_played_in_order(cache: Path) -> None:
    clock, sent = TurnedClock(), list[tuple[datetime, dict[str, object]]]()
    assert list(publish(cache, collect(clock, sent), clock, DELAY, shift_to_now=False)) == [1, 2, 3, 4]
    assert [at - NOW for at, _ in sent] == [number * DELAY for number in range(4)]
    assert [event for _, event in sent] == [
        {"facility_code": "BAYSW", "timestamp": "2026-11-20T00:00:00Z", "power": 1310.0},
        {"region_code": "NSW1", "timestamp": "2026-11-20T00:00:00Z", "price": -12.5, "demand": 7000.0},
        {"facility_code": "BAYSW", "timestamp": "2026-11-20T00:05:00Z", "power": 1300.25, "emissions": 95.0},
        {"region_code": "NSW1", "timestamp": "2026-11-20T00:05:00Z", "price": 80.0, "demand": 7000.0},
    ]


def test_the_pause_begins_when_the_broker_has_acknowledged(cache: Path) -> None:
    clock, begun = TurnedClock(), list[datetime]()

    def slowly(_payload: bytes) -> None:
        begun.append(clock.now())
        clock.wait_until(clock.now() + 5 * DELAY)

    list(publish(cache, slowly, clock, DELAY, shift_to_now=False))
    assert [at - NOW for at in begun] == [number * 6 * DELAY for number in range(4)]


def test_a_cycle_sends_nothing_twice_and_the_next_one_begins_anew(cache: Path) -> None:
    row = cache.read_text().splitlines()[2]
    cache.write_text(cache.read_text() + row + "\n")
    clock, sent = TurnedClock(end=NOW + timedelta(seconds=90)), list[tuple[datetime, dict[str, object]]]()
    cycles = again_and_again(
        lambda: publish(cache, collect(clock, sent), clock, DELAY, shift_to_now=False), clock, COOLDOWN
    )
    with pytest.raises(Stopped):
        list(cycles)
    assert len(sent) == 8
    assert sent[4][0] - sent[3][0] == COOLDOWN
    assert [event for _, event in sent[:4]] == [event for _, event in sent[4:]]


def test_shifted_by_whole_days_the_last_timestamp_is_the_newest_before_now(cache: Path) -> None:
    clock, sent = TurnedClock(), list[tuple[datetime, dict[str, object]]]()
    list(publish(cache, collect(clock, sent), clock, DELAY, shift_to_now=True))
    assert {event["timestamp"] for _, event in sent} == {"2026-11-24T00:00:00Z", "2026-11-24T00:05:00Z"}


def test_pauses_are_those_documented_where_none_are_given() -> None:
    options = parser().parse_args(["publish-mqtt", "consolidate.csv"])
    assert (options.delay, options.cooldown) == (DELAY, COOLDOWN)


def test_a_dry_run_prints_events_from_cycle_to_cycle_up_to_the_limit(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["publish-mqtt", str(cache), "--dry-run", "--limit", "6", "--delay", "0", "--cooldown", "0"]
    assert publish_mqtt(parser().parse_args(words), Settings(_env_file=None), WallClock()) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 6
    assert printed[:2] == printed[4:], "of four events a cycle"
    assert orjson.loads(printed[0])["facility_code"] == "BAYSW"


def collect(clock: TurnedClock, sent: list[tuple[datetime, dict[str, object]]]):  # type: ignore[no-untyped-def]
    return lambda payload: sent.append((clock.now(), orjson.loads(payload)))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2026-11-20T00:10:00Z,1,2,3", "line 4 is left out: read 4 values, expected 5"),
        ("2026-11-20T00:10:00Z,much,,,", "line 4 is left out: BAYSW.power: read 'much', expected a number"),
        ("2026-11-20T00:10:00Z,nan,,,", "expected a number"),
        ("2026-11-20T00:10:00,1,,,", "expected a time with its offset"),
        ("soon,1,,,", "line 4 is left out"),
    ],
)
def test_a_bad_line_is_left_out_by_its_number(
    cache: Path, caplog: pytest.LogCaptureFixture, line: str, reason: str
) -> None:
    cache.write_text(f"{cache.read_text()}{line}\n")
    with caplog.at_level(logging.WARNING):
        assert len(read_events(cache)) == 4
    assert reason in caplog.text


@pytest.mark.parametrize(
    "text", ["", "<html></html>\n", "timestamp,BAYSW\n", "timestamp,BAYSW.power\n", "time,A.power\n\x00"]
)
def test_what_is_no_compact_cache_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.csv"
    path.write_text(text)
    with pytest.raises(RecordingError, match=r"other\.csv: ") as refused:
        read_events(path)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read"):
        read_events(tmp_path / "none.csv")
