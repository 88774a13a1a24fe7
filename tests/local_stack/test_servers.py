"""How each server is configured and run."""

import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import bcrypt
import pytest

from local_stack import elasticsearch, kafka, mongodb, mosquitto, processes
from local_stack.layout import Layout
from local_stack.setpriv import setpriv
from readings.config import ROOT
from readings.settings import Settings

JAVA = Path("/usr/bin/java")


@pytest.fixture
def formatted(layout: Layout) -> None:
    """Kafka's storage, so that no Java is run to format it."""
    data = layout.server("kafka") / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").touch()


@pytest.mark.usefixtures("formatted")
def test_kafka_listens_here_alone_and_asks_for_a_password(settings: Settings, layout: Layout) -> None:
    kafka.prepare(settings, layout, JAVA)
    file = layout.server("kafka") / "server.properties"
    properties = dict(line.split("=", 1) for line in file.read_text().splitlines() if not line.startswith("#"))
    assert properties["listeners"] == "CLIENT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
    assert properties["listener.security.protocol.map"] == "CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT"
    assert 'user_skywatt="secret-of-kafka"' in properties["listener.name.client.plain.sasl.jaas.config"]
    assert properties["auto.create.topics.enable"] == "false"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.usefixtures("formatted")
def test_kafkas_command_holds_no_password(settings: Settings, layout: Layout) -> None:
    program = kafka.prepare(settings, layout, JAVA)
    assert "secret" not in " ".join(program.command) + str(program.environment)
    assert program.clean, "it must not inherit the keys in our environment"


def test_elasticsearchs_users_are_those_of_the_file_realm(settings: Settings, layout: Layout) -> None:
    program = elasticsearch.prepare(settings, layout, JAVA)
    config = layout.server("elasticsearch") / "config"
    name, _, hashed = (config / "users").read_text().strip().partition(":")
    assert name == "skywatt"
    assert bcrypt.checkpw(b"secret-of-elasticsearch", hashed.encode())
    assert "reserved_realm.enabled: false" in (config / "elasticsearch.yml").read_text()
    assert "network.host: 127.0.0.1" in (config / "elasticsearch.yml").read_text()
    assert "secret" not in " ".join(program.command) + str(program.environment)
    assert stat.S_IMODE((config / "users").stat().st_mode) == 0o600


def test_elasticsearchs_user_stays_while_the_password_does(
    settings: Settings, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = layout.server("elasticsearch") / "config" / "users"
    elasticsearch.prepare(settings, layout, JAVA)
    before = users.read_text()
    elasticsearch.prepare(settings, layout, JAVA)
    assert users.read_text() == before
    changed = settings.model_copy(update={"local_elasticsearch_password": settings.local_kafka_password})
    elasticsearch.prepare(changed, layout, JAVA)
    assert users.read_text() != before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives its rights up")
def test_elasticsearch_is_started_as_nobody_by_root(settings: Settings, layout: Layout) -> None:
    program = elasticsearch.prepare(settings, layout, JAVA)
    assert program.command[0].endswith("setpriv")
    assert "--no-new-privs" in program.command
    assert (layout.server("elasticsearch") / "data").stat().st_uid != 0


READS = """
import subprocess
import sys

from local_stack.elasticsearch import _dropped

sys.exit(subprocess.run([*_dropped(65534, 65534), "cat", sys.argv[1]], check=False).returncode)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives its rights up")
@pytest.mark.parametrize("without", [(), ("-dac_read_search",)], ids=["all of root's rights", "Docker's"])
def test_who_elasticsearch_runs_as_reads_below_a_closed_home(tmp_path: Path, without: tuple[str, ...]) -> None:
    answer = read_as_nobody(tmp_path, *without)
    assert (answer.returncode, answer.stdout) == (0, "read"), answer.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives its rights up")
def test_where_root_has_no_such_right_it_is_told_what_to_do(tmp_path: Path) -> None:
    answer = read_as_nobody(tmp_path, "-dac_read_search", "-dac_override")
    assert "use an ordinary user, or give the container that capability" in answer.stderr


def read_as_nobody(folder: Path, *without: str) -> "subprocess.CompletedProcess[str]":
    """What reading a file that is root's alone answers, of a process whose root lacks these capabilities."""
    closed = folder / "home" / "of" / "root"
    closed.mkdir(mode=0o700, parents=True)
    closed.parent.chmod(0o700)
    (closed / "file").write_text("read")
    fewer = ("setpriv", f"--bounding-set={','.join(without)}") if without else ()
    command = [*fewer, sys.executable, "-c", READS, str(closed / "file")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_mongodb_server_is_the_best_there_is(fake_bin: Path) -> None:
    assert mongodb.find_server().name == "secantusd-py"
    for name in ("secantusd-rs", "mongod"):  # each better than those before
        (fake_bin / name).write_text("#!/bin/sh\n")
        (fake_bin / name).chmod(0o755)
        assert mongodb.find_server() == fake_bin / name


def test_mongodb_is_run_with_authentication(
    settings: Settings, layout: Layout, fake_bin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = layout.server("mongodb")
    folder.mkdir()
    (folder / "provisioned").write_bytes(bcrypt.hashpw(b"secret-of-mongodb", bcrypt.gensalt(rounds=4)))
    program = mongodb.prepare(settings, layout)
    assert "--auth" in program.command
    assert "127.0.0.1" in program.command
    assert "--sync-on-commit" in program.command
    (fake_bin / "mongod").write_text("#!/bin/sh\n")
    (fake_bin / "mongod").chmod(0o755)
    program = mongodb.prepare(settings, layout)
    assert "--auth" in program.command
    assert "127.0.0.1" in program.command
    assert "secret" not in " ".join(program.command)


PREPARE = """
from local_stack import mongodb
from local_stack.layout import layout
from readings.settings import load_settings

settings = load_settings()
mongodb.prepare(settings, layout(settings))
"""


@pytest.mark.slow
def test_the_server_without_passwords_is_known_as_the_stacks_and_ends_with_who_started_it(
    layout: Layout, fake_bin: Path
) -> None:
    (fake_bin / "mongod").write_text("#!/bin/sh\nexec sleep 100\n")
    (fake_bin / "mongod").chmod(0o755)
    preparing = subprocess.Popen([sys.executable, "-c", PREPARE], cwd=ROOT)
    try:
        until(lambda: [one.name() for one in processes.of_stack(layout)] == ["sleep"])
        preparing.kill()
        preparing.wait()
        if setpriv("--pdeathsig", "TERM"):
            until(lambda: not processes.of_stack(layout))
    finally:
        preparing.kill()
        processes.end(processes.of_stack(layout))


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


OF_THE_PLACE = {"user", "listener", "password_file", "persistence_location", "log_dest", "log_type"}


def test_both_brokers_keep_as_much(layout: Layout) -> None:
    local = broker_settings(mosquitto.configured(1883, layout.server("mosquitto")))
    assert local == broker_settings((ROOT / "docker" / "mosquitto.conf").read_text())
    assert local["persistence"] == "true"


def broker_settings(configuration: str) -> dict[str, str]:
    """What a broker is told but for where it is."""
    lines = [line.partition(" ") for line in configuration.splitlines() if not line.startswith("#")]
    return {name: value for name, _, value in lines if name not in OF_THE_PLACE}
