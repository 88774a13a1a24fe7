import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from producer.errors import RecordingError
from producer.recordings import read_recording, recording_files
from readings.config import load_config
from readings.facility import Facility
from readings.stream import Stream
from readings.weather import Weather
from tests.producer.conftest import ROOT

HEADER = "region,timestamp,temperature_c,wind_deg,location.lat,location.lon\n"
GOOD = "Bergen,2021-01-01T01:00:00+01:00,1.5,,60.4,5.3\n"


@pytest.mark.slow
def test_the_shipped_weather_is_of_eight_declared_places_and_has_no_bad_line(weather: Stream) -> None:
    recordings = [read_recording(file, Weather) for file in recording_files(ROOT / "recordings" / "weather")]
    assert [recording.bad_lines for recording in recordings] == [[], []]
    names = {name for recording in recordings for name in recording.series}
    assert len(names) == 8
    assert names <= set(weather.config.series_names())
    assert sum(len(series) for recording in recordings for series in recording.series.values()) == 69_914


@pytest.mark.slow
def test_the_shipped_batteries_charge_and_give_no_more_than_they_can() -> None:
    [file] = recording_files(ROOT / "recordings" / "facility")
    recorded = read_recording(file, Facility).series
    places = load_config(ROOT / "skywatt.yml").streams["facility"].places()
    used = 0
    for place in (one for one in places if one.fuel_groups == ("battery",)):
        series = recorded[place.name]
        readings = [series.reading(number) for number in range(len(series))]
        power = [one.power_mw for one in readings if isinstance(one, Facility) and one.power_mw is not None]
        assert place.capacity_mw is not None
        assert max(power) < 1.05 * place.capacity_mw, place.name
        if max(map(abs, power)) > 1:
            used += 1
            assert min(power) < 0, place.name
    assert used > 30


def test_cells_become_fields_and_empty_ones_are_absent(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\ufeff" + HEADER + GOOD)
    series = read_recording(path, Weather).series["Bergen"]
    assert series.reading(0).model_dump(exclude_none=True, exclude={"mode"}) == {
        "source": "replay",
        "region": "Bergen",
        "timestamp": datetime(2021, 1, 1, tzinfo=UTC),
        "temperature_c": 1.5,
        "location": {"lat": 60.4, "lon": 5.3},
    }


def test_readings_are_ordered_and_the_later_line_of_a_time_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "region,timestamp,temperature_c\n"
        "Bergen,2021-01-01T02:00:00Z,2\nBergen,2021-01-01T01:00:00Z,1\nBergen,2021-01-01T03:00:00+01:00,3\n"
    )
    series = read_recording(path, Weather).series["Bergen"]
    assert [getattr(series.reading(number), "temperature_c") for number in range(len(series))] == [1, 3]  # noqa: B009


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Bergen,2021-01-01T01:00:00Z,warm,,60.4,5.3", "temperature_c: read 'warm'"),
        ("Bergen,2021-01-01T01:00:00Z,,,60.4,5.3", "temperature_c"),
        ("Bergen,2021-01-01T01:00:00Z,99,,60.4,5.3", "temperature_c: read '99'"),
        ("Bergen,2021-01-01T01:00:00,1,,60.4,5.3", "timestamp"),
        ("Bergen,yesterday,1,,60.4,5.3", "yesterday"),
        (",2021-01-01T01:00:00Z,1,,60.4,5.3", "region"),
        ("Bergen,2021-01-01T01:00:00Z,1", "read 3 values, expected 6"),
        ("Bergen,2021-01-01T01:00:00Z,nan,,60.4,5.3", "temperature_c"),
    ],
)
def test_a_bad_line_is_kept_with_its_number_and_reason(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + GOOD + line + "\n\n" + GOOD.replace("01:00:00", "05:00:00"))
    recording = read_recording(path, Weather)
    assert len(recording.series["Bergen"]) == 2
    (bad,) = recording.bad_lines
    assert (bad.line, bad.text) == (3, line)
    assert reason in bad.reason


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b"", "no column region, timestamp"),
        ("a.csv", b"region,timestamp,temperature\nBergen,2021-01-01T01:00:00Z,1\n", "unknown columns temperature"),
        ("a.csv", b"timestamp,temperature_c\n", "no column region"),
        ("a.csv", HEADER.encode(), "holds no reading"),
        ("a.csv", HEADER.encode() + b"Bergen,2021-01-01T01:00:00Z,warm,,,\n", "line 2: temperature_c"),
        ("a.csv", b"\xff\xfe\x00", "cannot be read as CSV"),
        ("a.csv.gz", b"region,timestamp\n", "cannot be read as CSV"),
        ("a.csv.gz", gzip.compress(HEADER.encode() * 500)[:-20], "cannot be read as CSV"),
        ("a.csv.gz", gzip.compress(HEADER.encode(), mtime=0)[:10] + b"\xff" * 40, "cannot be read as CSV"),
    ],
)
def test_what_is_no_recording_is_refused_in_one_line(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=expected) as raised:
        read_recording(path, Weather)
    assert "\n" not in str(raised.value)


def test_a_missing_file_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="there is no such file"):
        recording_files(tmp_path / "a.csv")
    with pytest.raises(RecordingError, match="holds no recording"):
        recording_files(tmp_path)
