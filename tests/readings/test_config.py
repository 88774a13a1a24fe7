import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from readings.config import ROOT, SCHEMA_FILE, json_schema, load_config
from readings.durations import format_duration, parse_duration
from readings.errors import ConfigError
from readings.settings import Settings
from readings.stream import load_streams

WEATHER = """
streams:
  weather:
    topic: openweathermap
    sources: [openweathermap]
    cadence: 15min
    allowed_delay: 30min
    series: [Oslo]
"""


def test_the_schema_for_editors_is_that_of_the_model() -> None:
    assert SCHEMA_FILE.read_text() == json_schema(), "run python -m readings.config"


def test_the_shipped_file_declares_thirteen_places_with_their_areas() -> None:
    weather = load_config(ROOT / "skywatt.yml").streams["weather"]
    assert weather.cadence == timedelta(minutes=15)
    assert weather.allowed_delay == timedelta(minutes=30)
    assert len(weather.series_names()) == len(set(weather.series_names())) == 13
    assert {place.area for place in weather.places()} == {
        *("NO1", "NO2", "NO3", "NO4", "NO5"),
        "NYISO",
        *("NSW1", "QLD1", "SA1", "TAS1", "VIC1"),
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("15min", "15 fortnights"), "streams.weather.cadence: Value error, read '15 fortnights', expected a number"),
        (("topic: openweathermap", "topic: 'open weather'"), "streams.weather.topic"),
        (("cadence", "cadense"), "streams.weather.cadense"),
        (("cadence", "mongodb_days: 27\n    cadence"), ": streams.weather.mongodb_days: read 27, expected at least 28"),
        (("streams:", "streams: ["), "is not YAML"),
    ],
)
def test_a_wrong_entry_is_refused_by_its_key(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    path = tmp_path / "skywatt.yml"
    path.write_text(WEATHER.replace(*change))
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    assert str(path) in str(refused.value)
    assert said in str(refused.value)


def test_it_is_read_as_utf_8_whatever_the_terminal_speaks(tmp_path: Path) -> None:
    path = tmp_path / "skywatt.yml"
    path.write_text(WEATHER.replace("Oslo", "Tromsø"), encoding="utf-8")
    read = "import sys, pathlib, readings.config as c; print(ascii(c.load_config(pathlib.Path(sys.argv[1]))))"
    answer = subprocess.run(
        [sys.executable, "-c", read, str(path)],
        cwd=ROOT,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Troms\\xf8" in answer.stdout, answer.stderr
    path.write_text(WEATHER.replace("Oslo", "Tromsø"), encoding="latin-1")
    with pytest.raises(ConfigError, match="is not YAML"):
        load_config(path)


def test_a_stream_without_a_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "skywatt.yml"
    path.write_text(WEATHER.replace("weather:", "tides:"))
    with pytest.raises(ConfigError, match=r"streams\.tides: unknown stream, expected one of weather"):
        load_streams(Settings(_env_file=None, skywatt_config=path))


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="SKYWATT_CONFIG"):
        load_config(Path("/nowhere/skywatt.yml"))


@pytest.mark.parametrize("text", ["5s", "15min", "72h", "28d", "1.5s"])
def test_durations_are_written_as_they_are_read(text: str) -> None:
    assert parse_duration(format_duration(parse_duration(text))) == parse_duration(text)


def test_a_duration_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="read '99999999999999999d', expected 999999999 days at most"):
        parse_duration("99999999999999999d")
