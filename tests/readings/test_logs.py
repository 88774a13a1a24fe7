import json
import logging
from pathlib import Path

import pytest

from readings.logs import set_up_logs
from readings.settings import Settings


@pytest.fixture(autouse=True)
def _handlers_as_before() -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


def test_a_line_goes_to_standard_error_and_to_the_parts_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(_env_file=None, skywatt_logs=tmp_path, kafka_password="hunter22")
    set_up_logs(settings, "producer")
    logging.getLogger("producer.publisher").info("sent with hunter22", extra={"stream": "weather"})
    shown = capsys.readouterr().err
    assert (tmp_path / "producer.log").read_text() == shown
    line = json.loads(shown)
    assert line["message"] == "sent with [redacted]"
    assert line["service"]["name"] == "skywatt-producer"
    assert line["stream"] == "weather"


@pytest.mark.parametrize("spelt", ["a+b/c=%d", "a%2Bb%2Fc%3D%25d"])
def test_a_key_is_taken_out_as_a_url_spells_it_too(spelt: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(Settings(_env_file=None, openweathermap_api_key="a+b/c=%d"), "producer")
    logging.getLogger("producer").warning("Failed to parse headers (url=http://a/?appid=%s)", spelt)
    shown = capsys.readouterr().err
    assert spelt not in shown
    assert "[redacted]" in shown


def test_without_a_folder_there_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(Settings(_env_file=None), "producer")
    logging.getLogger("producer").info("hello")
    assert "hello" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
