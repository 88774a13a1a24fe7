"""Docker mode with a stand-in for the docker command: what it is asked, and what is made of its answers."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_stack import docker, engine
from local_stack.__main__ import main
from local_stack.console import make_console
from local_stack.errors import NotReadyError, StackError
from local_stack.status import Status, StreamStatus
from readings import env_file
from readings.config import ROOT
from readings.errors import ConfigError
from readings.settings import Settings, load_settings
from tests.docker.conftest import SECRETS
from tests.docker.test_compose import OURS, SERVERS

STAND_IN = """\
#!/usr/bin/env python3
import json, os, pathlib, sys
folder = pathlib.Path(__file__).parent
with (folder / "asked").open("a") as asked:
    asked.write(json.dumps(sys.argv[1:]) + "\\n")
words = sys.argv[1:]
if words[0] == "compose":
    given = {name: value for name, value in os.environ.items() if name.startswith(("LOCAL_", "DOCKER_", "SKYWATT_"))}
    (folder / "passwords").write_text(json.dumps(given))
if words[0] == "info":
    print("28.2" if "{{.ServerVersion}}" in words else json.dumps({"MemTotal": 16 * 2**30}))
elif words[:2] == ["compose", "version"]:
    print("Docker Compose version v2.40.3")
elif words[0] == "stats":
    print(json.dumps({"Name": "skywatt-kafka-1", "MemUsage": "300MiB / 1GiB"}))
    print(json.dumps({"Name": "--", "MemUsage": "-- / --"}))
elif "build" in words:
    sys.exit((folder / "build-fails").exists())
elif words[:2] == ["image", "inspect"]:
    sys.exit((folder / "no-images").exists())
elif "ps" in words and (folder / "containers").exists():
    print((folder / "containers").read_text(), end="")
"""


def container(service: str, state: str = "running", health: str = "healthy", code: int = 0, port: int = 0) -> dict:
    return {
        "Service": service,
        "Name": f"skywatt-{service}-1",
        "State": state,
        "Health": health,
        "ExitCode": code,
        "Publishers": [{"URL": "127.0.0.1", "PublishedPort": port}] if port else None,
    }


@pytest.fixture
def stand_in(fake_bin: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A docker that answers, its folder: ``asked`` has what it was asked, ``containers`` what ``ps`` says."""
    assert settings
    program = fake_bin / "docker"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    monkeypatch.delenv("SKYWATT_MODE", raising=False)
    engine.engine_problem.cache_clear()
    yield fake_bin
    engine.engine_problem.cache_clear()


def asked(folder: Path) -> list[list[str]]:
    return [json.loads(line) for line in (folder / "asked").read_text().splitlines()]


def test_docker_is_used_where_an_engine_answers(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine.chosen_mode() == "docker"
    monkeypatch.setenv("SKYWATT_MODE", "local")
    assert engine.chosen_mode() == "local"
    monkeypatch.setenv("SKYWATT_MODE", "cloud")
    with pytest.raises(ConfigError, match="cloud"):
        engine.chosen_mode()


def test_a_local_stack_that_runs_stays_local(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_stack.engine.Supervisor.pid", lambda _: 1)
    assert engine.chosen_mode() == "local"


def test_without_an_engine_it_is_local(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (stand_in / "docker").write_text("#!/bin/sh\nexit 1\n")
    assert engine.chosen_mode() == "local"
    monkeypatch.setenv("SKYWATT_MODE", "docker")
    with pytest.raises(StackError, match="no Docker engine answers"):
        engine.chosen_mode()


def test_down_takes_all_profiles_and_the_data_only_when_told(stand_in: Path, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("LOCAL_KAFKA_PASSWORD=a\nDOCKER_KIBANA_KEY=b\nMINE=c\n")
    docker.down(make_console(), data=False)
    assert "DOCKER_KIBANA_KEY" in (tmp_path / "env").read_text()
    docker.down(make_console(), data=True)
    first, second = [words for words in asked(stand_in) if "down" in words]
    assert first[-2:] == ["down", "--remove-orphans"]
    assert second[-1] == "--volumes"
    for words in (first, second):
        assert words[words.index("--env-file") + 1] == os.devnull
        assert {word for at, word in enumerate(words) if words[at - 1] == "--profile"} == {
            "core",
            "elk",
            "ui",
            "cassandra",
        }
    assert (tmp_path / "env").read_text() == "MINE=c\n"


@pytest.fixture
def before_the_first_up(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No passwords are made yet, and there is no file for them."""
    for name in SECRETS:
        monkeypatch.delenv(name, raising=False)
    return stand_in


@pytest.mark.parametrize("as_json", [False, True])
def test_status_before_the_first_up_says_that_nothing_runs(
    before_the_first_up: Path, capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    assert docker.status(make_console(), as_json=as_json) == 1
    said = capsys.readouterr().out
    assert json.loads(said) == {"parts": [], "streams": []} if as_json else "Nothing is running" in said


@pytest.mark.parametrize("data", [False, True])
def test_down_before_the_first_up_says_that_nothing_ran(
    before_the_first_up: Path, capsys: pytest.CaptureFixture[str], *, data: bool
) -> None:
    """Containers whose passwords are lost are stopped all the same: Compose is given words in their place."""
    assert docker.down(make_console(), data=data) == 0
    assert "nothing was running" in capsys.readouterr().out
    (words,) = [words for words in asked(before_the_first_up) if "down" in words]
    assert words[words.index("--env-file") + 1] == os.devnull
    given = json.loads((before_the_first_up / "passwords").read_text())
    assert set(SECRETS) <= given.keys()
    assert all(given.values())


def test_a_port_that_is_none_keeps_nothing_from_being_told_and_stopped(
    stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Compose would refuse its whole file for it."""
    (tmp_path / "env").write_text("SKYWATT_KAFKA_PORT=many\nSKYWATT_MQTT_PORT=1999\n")
    (stand_in / "containers").write_text(json.dumps(container("kafka")) + "\n")
    assert main(["status"]) == 2
    told = capsys.readouterr()
    assert "kafka" in told.out
    assert "SKYWATT_KAFKA_PORT: " in told.err
    assert main(["down"]) == 0
    assert "read 'many' (bash run.sh up refuses it)" in capsys.readouterr().err
    assert "down" in asked(stand_in)[-1]
    given = json.loads((stand_in / "passwords").read_text())
    assert "SKYWATT_KAFKA_PORT" not in given
    assert given["SKYWATT_MQTT_PORT"] == "1999"
    assert main(["up"]) == 2


@pytest.mark.parametrize("flowing", [True, False])
def test_up_makes_passwords_builds_waits_and_shows_what_there_is(
    before_the_first_up: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, flowing: bool
) -> None:
    services = [name for name in docker.SERVICES if name != "cassandra"]
    ended = {"setup", "dashboards"}
    lines = [json.dumps(container(name, *(["exited", ""] if name in ended else []))) + "\n" for name in services]
    (before_the_first_up / "containers").write_text("".join(lines))
    readable: list[Path] = []
    monkeypatch.setattr(docker, "make_readable", readable.append)
    monkeypatch.setattr(docker, "_map_count", lambda: 262_144)
    monkeypatch.setattr(docker, "readings_flow", lambda *_: flowing)
    monkeypatch.setattr(docker, "read_heartbeats", lambda _: {"consumer": {"state": "running", "waiting_for": None}})
    streams = [StreamStatus("weather", "replay", 1000, 1000, 0, 0, 0)]
    monkeypatch.setattr(docker, "gather", lambda _settings, _layout, parts: Status(parts(), streams, 48, 0.5))

    assert docker.up(make_console()) == (0 if flowing else 1)

    built, started = [words for words in asked(before_the_first_up) if {"build", "up"} & set(words)]
    assert built[-1] == "build"
    assert started[-3:] == ["up", "--detach", "--remove-orphans"]
    for words in (built, started):
        assert [word for at, word in enumerate(words) if words[at - 1] == "--profile"] == ["core", "elk", "ui"]
        assert words[words.index("--env-file") + 1] == os.devnull
    file = env_file.path()
    assert file.stat().st_mode & 0o777 == 0o600
    made = dict(line.split("=") for line in file.read_text().splitlines() if "=" in line)
    assert made.keys() == set(SECRETS)
    given = json.loads((before_the_first_up / "passwords").read_text())
    assert made.items() <= given.items()
    assert readable == [ROOT]
    said = capsys.readouterr().out
    for told in (*services, "weather", "1,000 readings so far", "http://127.0.0.1:5601", "http://127.0.0.1:8501"):
        assert told in said
    assert not [name for name, password in made.items() if password in said]


def test_images_that_are_there_are_used_where_none_can_be_built(
    stand_in: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stand_in / "build-fails").touch()
    docker._build(make_console())
    (said,) = capsys.readouterr().out.splitlines()
    assert "our images are used as they are" in said
    assert asked(stand_in)[-1] == ["image", "inspect", *docker.IMAGES]


def test_a_build_that_fails_is_told_where_an_image_is_not_there(stand_in: Path) -> None:
    (stand_in / "build-fails").touch()
    (stand_in / "no-images").touch()
    with pytest.raises(StackError, match="docker compose build failed"):
        docker._build(make_console())


def test_memory_is_asked_of_our_containers_alone_and_is_none_of_one_that_has_gone(stand_in: Path) -> None:
    """Docker tells dashes of a container that goes while it looks."""
    assert docker._memory(["skywatt-kafka-1", "skywatt-producer-1"]) == {"skywatt-kafka-1": pytest.approx(314.5728)}
    (words,) = asked(stand_in)
    assert words[-2:] == ["skywatt-kafka-1", "skywatt-producer-1"]
    assert docker._memory([]) == {}
    assert len(asked(stand_in)) == 1, "asked without names it tells of whatever runs"


@pytest.mark.parametrize("program", ["exec sleep 60", "echo 'No such container' >&2; exit 1"])
def test_there_is_no_memory_where_the_engine_does_not_tell_it(
    stand_in: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    (stand_in / "docker").write_text(f"#!/bin/sh\n{program}\n")
    monkeypatch.setattr(docker, "STATS_S", 0.1)
    assert docker._memory(["skywatt-kafka-1"]) == {}


def test_what_ended_with_an_error_is_not_waited_for(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing depends on the dashboards, so that Compose itself does not tell of them."""
    parts = (container("kafka"), container("dashboards", "exited", "", 1), container("kibana", health="starting"))
    (stand_in / "containers").write_text("".join(json.dumps(one) + "\n" for one in parts))
    monkeypatch.setattr(docker, "_LOOK_S", 0.0)
    monkeypatch.setattr(docker, "READY_S", 5.0)
    with pytest.raises(NotReadyError, match="dashboards ended"):
        docker._wait_well()
    assert len(asked(stand_in)) == docker.ENDED_LOOKS


@pytest.mark.parametrize(
    ("name", "value"),
    {
        "KAFKA_BOOTSTRAP_SERVERS": "a:1",
        "METERS_FILE": "/here/meters.csv",
        "DELTA_PATH": "/here/tables",
        "SKYWATT_NAMESPACE": "mine",
        "SPARK_MASTER": "local[*]",
    }.items(),
)
def test_up_refuses_what_no_container_could_follow(
    stand_in: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"^{name}: .*SKYWATT_MODE=local") as refused:
        docker.up(make_console())
    assert "\n" not in str(refused.value)
    assert not (stand_in / "asked").exists()


@pytest.mark.slow
def test_the_status_command_tells_of_the_containers(stand_in: Path, tmp_path: Path) -> None:
    (stand_in / "containers").write_text(
        "".join(
            json.dumps(one) + "\n"
            for one in (
                container("kafka", port=9092),
                container("consumer", health="unhealthy"),
                container("setup", "exited", ""),
                container("logstash", health="starting"),
                container("producer", "exited", "", 2),
            )
        )
    )
    answer = subprocess.run(
        [sys.executable, "-m", "local_stack", "status", "--json"],
        cwd=ROOT,
        env={**os.environ, "SKYWATT_DATA": str(tmp_path / "data"), "SKYWATT_MODE": "docker"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1, answer.stderr
    told = {part["name"]: part for part in json.loads(answer.stdout)["parts"]}
    assert {name: part["state"] for name, part in told.items()} == {
        "kafka": "running",
        "setup": "running",
        "consumer": "failed",
        "producer": "failed",
        "logstash": "waiting",
    }
    assert told["kafka"]["port"] == 9092
    assert told["kafka"]["rss_mb"] == pytest.approx(314.57, abs=0.01)


def test_containers_can_read_what_was_checked_out_for_one_user_alone(tmp_path: Path) -> None:
    for name in docker.COPIED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if name == "skywatt.yml":
            (tmp_path / name).write_text("")
        else:
            (tmp_path / name / "inner").mkdir(parents=True)
            (tmp_path / name / "inner" / "file").write_text("")
    (tmp_path / ".env").write_text("")
    for path in tmp_path.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    docker.make_readable(tmp_path)
    modes = {path.relative_to(tmp_path).as_posix(): path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes.pop(".env") == 0o600
    assert set(modes.values()) == {0o755, 0o644}
    assert modes["docker/inner/file"] == modes["skywatt.yml"] == 0o644
    docker.make_readable(tmp_path)  # again: it changes nothing


def test_all_that_is_copied_or_mounted_is_made_readable() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = {line.removeprefix("!").split("/")[0] for line in ignored if line.startswith("!")}
    mounted = set(re.findall(r"\./(\w+)/\S+:/", (ROOT / "docker-compose.yml").read_text()))
    assert copied | mounted == set(docker.COPIED)


@pytest.mark.parametrize(
    ("info", "map_count", "said"),
    [
        ({"MemTotal": 4 * 2**30}, 262144, "memory: the Docker engine has 4.0 GiB"),
        ({"MemTotal": 16 * 2**30}, 65530, "vm.max_map_count: read 65530"),
        ({"MemTotal": 16 * 2**30, "ServerVersion": "27.5.1"}, None, "read version 27.5.1, expected 28 or newer"),
    ],
)
def test_an_engine_that_is_too_small_is_told_with_the_way_to_mend_it(
    info: dict[str, Any], map_count: int | None, said: str
) -> None:
    (problem,) = docker.engine_problems(info, map_count)
    assert said in problem
    assert "→" in problem


def test_an_engine_that_is_large_enough_has_no_problem() -> None:
    assert docker.engine_problems({"MemTotal": 10 * 2**30}, 262144) == []
    assert docker.engine_problems({"MemTotal": 10 * 2**30, "ServerVersion": "29.1.3"}, None) == []


def test_the_broker_of_the_stack_is_another_host_for_the_producer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert docker.broker_variables(settings) == {}
    monkeypatch.setenv("MQTT_URL", "local")
    assert docker.broker_variables(load_settings()) == {
        "MQTT_URL": "mqtt://mosquitto:1883",
        "MQTT_USERNAME": "skywatt",
        "MQTT_PASSWORD": "secret-of-mqtt",
    }


def test_a_part_is_what_it_tells_of_itself_while_its_container_is_well() -> None:
    part = docker.part_of(container("alerts"), {"alerts": {"state": "waiting", "waiting_for": "slack"}}, {})
    assert (part.state, part.waiting_for) == ("waiting", "slack")


def test_every_service_has_its_place_in_the_table() -> None:
    assert set(docker.SERVICES) == OURS | SERVERS


def test_kibanas_user_is_told_and_no_password(settings: Settings) -> None:
    line = docker.kibana_line(settings)
    assert "http://127.0.0.1:5601" in line
    assert "user skywatt" in line
    assert "secret" not in line
