"""The pipelines as far as they can be tried without Logstash: syntax, options, scripts, dictionary."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from logstash_pipeline_parser import Pipeline

from elk import dictionary
from elk.templates import SERVICE_LOG
from readings.config import ROOT
from readings.settings import Settings
from readings.stream import load_streams
from spark_consumer.streams import meter, weather
from tests.elk.conftest import SCRIPTS

FOLDER = ROOT / "elk" / "logstash"
PIPELINES = sorted(FOLDER.glob("*.conf"))
KNOWN = json.loads(Path(__file__).with_name("logstash_options.json").read_text())
IN_CONTAINER = "/usr/share/logstash/skywatt"


def plugins(pipeline: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Section, name and options of each plugin; a codec as one of its own."""
    for section, found in Pipeline(pipeline.read_text()).parse():
        for name, options in found:
            yield section, name, {option: value for option, (value,) in options}
            for option, (value,) in options:
                if option == "codec" and isinstance(value, list):
                    codec, inner = value
                    yield "codec", codec, {name: one for name, (one,) in inner}


def test_there_are_two_pipelines_and_each_file_is_one() -> None:
    listed = yaml.safe_load((FOLDER / "pipelines.yml").read_text())
    assert {one["pipeline.id"]: one["path.config"] for one in listed} == {
        path.stem: f"{IN_CONTAINER}/{path.name}" for path in PIPELINES
    }
    assert set(one["pipeline.id"] for one in listed) == {"arrivals", "logs"}
    for one in listed:
        assert one["queue.type"] == "persisted"
        assert one["dead_letter_queue.enable"] is True


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda path: path.stem)
def test_every_plugin_and_option_is_documented(pipeline: Path) -> None:
    found = list(plugins(pipeline))
    assert {"input", "filter", "output", "codec"} == {section for section, _, _ in found}
    for section, name, options in found:
        assert name in KNOWN[section]
        assert set(options) <= set(KNOWN[section][name])


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda path: path.stem)
def test_what_a_pipeline_names_is_there(pipeline: Path) -> None:
    text = pipeline.read_text()
    files = re.findall(rf"\$\{{SKYWATT_LOGSTASH:{IN_CONTAINER}\}}/([\w./]+)", text)
    assert files
    assert [name for name in files if not (FOLDER / name).exists()] == []
    for section, _, options in plugins(pipeline):
        if section == "output":
            assert options["index"] == "%{[@metadata][index]}"
            assert options["document_id"] == "%{[@metadata][id]}"
            assert options["manage_template"] is options["ilm_enabled"] is False
            assert options["data_stream"] == "false"


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda path: path.stem)
def test_no_string_needs_an_escape(pipeline: Path) -> None:
    """Logstash leaves a backslash in a string as it is."""
    lines = [line for line in pipeline.read_text().splitlines() if not line.lstrip().startswith("#")]
    assert [line for line in lines if "\\" in line] == []


def test_arrivals_are_read_from_the_beginning_of_every_stream() -> None:
    (options,) = [options for section, _, options in plugins(FOLDER / "arrivals.conf") if section == "input"]
    streams = load_streams(Settings(_env_file=None))
    assert options["topics"] == [stream.topic for stream in streams.values()]
    assert options["decorate_events"] == "basic"
    assert options["auto_offset_reset"] == "earliest"
    (logs,) = [options for _, name, options in plugins(FOLDER / "logs.conf") if name == "kafka"]
    assert options["group_id"] != logs["group_id"]


def test_the_dictionary_is_the_one_of_the_readings() -> None:
    made = dictionary.as_text(dictionary.dictionary(load_streams(Settings(_env_file=None))))
    assert dictionary.FILE.read_text() == made, "run: python -m elk.dictionary"


def test_the_dictionary_knows_the_shapes_that_spark_knows() -> None:
    assert dictionary.NAIVE_ZONES["meter"] == meter.ZONE.key
    (flat,) = [name for name, field in weather.INSTANTS.items() if field == "timestamp"]
    assert dictionary.FLAT_WEATHER_TIME["field"] == flat


def test_the_logs_script_knows_the_fields_of_the_template() -> None:
    (known,) = re.findall(r"@known = %w\[([^\]]+)\]", (SCRIPTS / "logs.rb").read_text())
    assert set(known.split()) == set(_paths(SERVICE_LOG)) - {"@timestamp", "labels", "tags"}


def _paths(fields: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, field in fields.items():
        if "properties" in field:
            yield from _paths(field["properties"], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


@pytest.mark.slow
@pytest.mark.parametrize("script", ["arrivals.rb", "logs.rb"])
def test_a_scripts_own_tests_pass(ruby: list[str], script: str) -> None:
    answer = subprocess.run([*ruby, "test", str(SCRIPTS / script)], capture_output=True, text=True, check=True)
    results = [json.loads(line) for line in answer.stdout.splitlines()]
    assert len(results) >= 5
    assert [result for result in results if not result["passed"]] == []
