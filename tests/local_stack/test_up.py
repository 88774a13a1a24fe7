"""What ``up`` looks at before it starts anything, and what it starts again."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from kafka.errors import TopicAuthorizationFailedError

from local_stack import changes, outside, processes, up
from local_stack.console import make_console
from local_stack.down import stop
from local_stack.errors import StackError
from local_stack.layout import Layout
from local_stack.parts import SERVERS
from local_stack.programs import Program
from local_stack.supervisor import Supervisor
from readings.settings import Settings, load_settings

SLEEPER = (sys.executable, "-c", "import signal; signal.pause()")
NOWHERE = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "MONGODB_URI": "mongodb://somebody:their-password@127.0.0.1:2/?appname=secret-name",
    "ELASTICSEARCH_URL": "http://127.0.0.1:3",
    "ELASTICSEARCH_USERNAME": "somebody",
    "ELASTICSEARCH_PASSWORD": "their-password",
    "FORECASTER_URL": "http://127.0.0.1:4",
    "MQTT_URL": "mqtt://127.0.0.1:5",
}


@pytest.fixture
def supervisor(layout: Layout) -> Iterator[Supervisor]:
    """Runs a server and two of our parts, of which one was stopped."""
    supervisor = Supervisor(layout)
    supervisor.start([Program(name, SLEEPER, layout.root) for name in ("kafka", "producer", "alerts")])
    try:
        for name in ("kafka", "producer"):
            supervisor.start_program(name)
        yield supervisor
    finally:
        stop(supervisor, layout)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What ``up`` would have started."""
    names: list[str] = []

    def start(*arguments: Sequence[str]) -> list[str]:
        names.extend(arguments[-1])
        return names

    monkeypatch.setattr(up, "_start", start)
    return names


@pytest.mark.slow
@pytest.mark.usefixtures("supervisor")
def test_what_had_to_be_stopped_is_started_again_where_only_servers_are_asked_for(
    settings: Settings, layout: Layout, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes.remember(settings, layout)
    monkeypatch.setenv("SKYWATT_LOG_LEVEL", "DEBUG")
    assert up.up(make_console(), SERVERS) == 0
    assert started == ["kafka", "mongodb", "elasticsearch", "producer"]


@pytest.mark.slow
def test_after_a_pull_our_parts_that_ran_are_started_again_and_servers_stay(
    settings: Settings,
    layout: Layout,
    supervisor: Supervisor,
    started: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    changes.remember(settings, layout)
    server = supervisor.states()["kafka"].pid
    assert up.up(make_console(), SERVERS) == 0
    assert started == ["kafka", "mongodb", "elasticsearch"]
    started.clear()
    monkeypatch.setattr(changes, "_code", str)
    assert up.up(make_console(), SERVERS) == 0
    assert started == ["kafka", "mongodb", "elasticsearch", "producer"]
    assert supervisor.states()["producer"].state == "STOPPED"
    assert supervisor.states()["kafka"].pid == server
    assert "this version is another than the one that runs" in capsys.readouterr().out


@pytest.mark.slow
def test_what_a_killed_supervisor_left_is_started_again_where_only_servers_are_asked_for(
    layout: Layout, supervisor: Supervisor, started: list[str]
) -> None:
    pid = supervisor.pid()
    assert pid
    until(lambda: {"kafka", "producer"} == processes.programs(processes.of_stack(layout)))
    os.kill(pid, signal.SIGKILL)
    until(lambda: supervisor.pid() is None)
    assert up.up(make_console(), SERVERS) == 0
    assert started == ["kafka", "mongodb", "elasticsearch", "producer"]


@pytest.mark.slow
def test_a_server_that_runs_and_whose_command_is_another_by_now_is_started_anew(
    settings: Settings, layout: Layout, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("kafka", "mongodb", "alerts")
    programs = [Program(name, (*SLEEPER, "another"), layout.root) for name in names]
    monkeypatch.setattr(up.doctor, "examine", str)
    monkeypatch.setattr(up, "fetch", lambda *_: None)
    monkeypatch.setattr(up, "find_java", lambda: None)
    monkeypatch.setattr(up.parts, "prepare", lambda *_: programs)
    monkeypatch.setattr(up, "wait_ready", lambda *_: None)
    before = supervisor.states()["kafka"].pid
    assert up._start(make_console(), supervisor, settings, layout, ["mongodb"]) == ["kafka", "mongodb"]
    until(lambda: all(supervisor.states()[name].pid for name in ("kafka", "mongodb")))
    assert supervisor.states()["kafka"].pid != before
    assert supervisor.states()["alerts"].state == "STOPPED"


@pytest.mark.slow
@pytest.mark.usefixtures("supervisor")
def test_a_server_elsewhere_that_does_not_answer_is_told_before_anything_is_stopped(
    settings: Settings, layout: Layout, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes.remember(settings, layout)
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StackError) as refused:
        up.up(make_console())
    told = str(refused.value)
    read = ["127.0.0.1:1", "mongodb://127.0.0.1:2", "http://127.0.0.1:3", "mqtt://127.0.0.1:5", "http://127.0.0.1:4"]
    variables = [name for name in NOWHERE if name.endswith(("SERVERS", "URI", "URL"))]
    for variable in variables:
        assert f"\n{variable}: read " in f"\n{told}"
    for one in read:
        assert f": read {one}, and " in told
    assert "their-password" not in told
    assert "secret" not in told
    assert not started
    assert Supervisor(layout).states()["producer"].pid


def test_a_server_that_is_here_is_not_asked(settings: Settings) -> None:
    outside.examine(settings, SERVERS)


def test_only_the_named_parts_are_asked(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORECASTER_URL", "http://127.0.0.1:4")
    outside.examine(load_settings(), SERVERS)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("mongodb://u:p%40w@a:1,b:2/admin?authSource=x", "mongodb://a:1,b:2"),
        ("mongodb+srv://u:pw@cluster.example", "mongodb+srv://cluster.example"),
        ("mongodb://a:1/?authMechanismProperties=AWS_SESSION_TOKEN:x@y", "mongodb://…"),
    ],
)
def test_of_mongodbs_address_its_servers_are_shown(settings: Settings, uri: str, shown: str) -> None:
    elsewhere = Settings.model_validate({**settings.model_dump(), "mongodb_uri": uri})
    assert outside.address("mongodb", elsewhere) == shown


def test_topics_that_may_not_be_made_are_told(
    settings: Settings, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise TopicAuthorizationFailedError("openweathermap")

    monkeypatch.setattr(up, "make_topics", refuse)
    with pytest.raises(StackError, match="topics could not be made: TopicAuthorizationFailedError"):
        up._start_in_order(make_console(), Supervisor(layout), settings, layout, ["producer"])


def test_a_module_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "_MODULE_S", 0.01)
    with pytest.raises(StackError, match=r"python -m elk.setup did not end within 0 s; bash run.sh status"):
        up._run_module(make_console(), "elk.setup")


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
