"""``run.sh logs``: where there is none, and how following ends."""

import os
import signal
import subprocess
import sys

import pytest

from local_stack.__main__ import main
from local_stack.layout import Layout
from readings.config import ROOT


@pytest.fixture(autouse=True)
def _here(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYWATT_MODE", "local")
    layout.log("supervisord").write_text("spawned: 'kafka'\n")


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("mosquitto", "mosquitto does not run here and has no log: MQTT_URL=local starts it"),
        ("kafka", "kafka does not run here and has no log: KAFKA_BOOTSTRAP_SERVERS names one elsewhere"),
        ("retention", "retention does not run here and has no log: ELASTICSEARCH_URL names one elsewhere"),
        ("kibana", "kibana does not run here and has no log: it is a part of the stack on Docker"),
        ("mongodb", "there are no logs in "),
    ],
)
def test_where_there_is_no_log_it_is_said_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], part: str, said: str
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka.example:9092")
    monkeypatch.setenv("ELASTICSEARCH_URL", "https://search.example:9200")
    assert main(["logs", part]) == 1
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.slow
def test_following_is_ended_without_a_word() -> None:
    command = [sys.executable, "-m", "local_stack", "logs", "-f", "supervisord"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as logs:
        assert logs.stdout is not None
        assert logs.stdout.readline() == "spawned: 'kafka'\n"
        os.killpg(logs.pid, signal.SIGINT)  # as a terminal does
        assert logs.communicate(timeout=60) == ("", "")
    assert logs.returncode == 130
