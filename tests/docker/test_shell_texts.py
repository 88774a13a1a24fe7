"""Texts that a shell runs in a container, with stand-ins for programs: what it makes of quotes and dollar signs."""

import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.docker.test_compose import PLAIN, Stack

pytestmark = pytest.mark.slow

STAND_IN = """\
#!{python}
import json, pathlib, sys
with pathlib.Path(sys.argv[0] + ".asked").open("a") as asked:
    asked.write(json.dumps(sys.argv[1:]) + "\\n")
"""
MONGOD = ["--replSet", "rs0", "--keyFile", "TMP/members-key", "--bind_ip_all", "--wiredTigerCacheSizeGB", "0.25"]
SHELL_TEXTS: dict[str, dict[str, list[str]]] = {
    "kafka": {"bash": ["-c", "exec 3<>/dev/tcp/127.0.0.1/9092"]},
    "mongodb": {"mongosh": ["--quiet", "--host", "127.0.0.1", "--eval", "ANY"]},
    "elasticsearch": {
        "curl": [
            "-fsS",
            "-o",
            "/dev/null",
            "-K",
            "-",
            "http://127.0.0.1:9200/_cluster/health?wait_for_status=yellow&timeout=3s",
        ]
    },
    "mosquitto": {"mosquitto_sub": ["-h", "127.0.0.1", "-t", "$SYS/broker/uptime", "-C", "1", "-W", "15"]},
    "kibana": {"curl": ["-fsS", "http://127.0.0.1:5601/api/status"], "grep": ["-q", '"level":"available"']},
    "cassandra": {"cqlsh": ["-e", "DESCRIBE CLUSTER"]},
    "mongodb's start": {"docker-entrypoint.sh": ["mongod", *MONGOD]},
    "mosquitto's start": {
        "mosquitto_passwd": ["-U", "TMP/passwords"],
        "mosquitto": ["-c", "/mosquitto/config/mosquitto.conf"],
    },
}
"""By the service whose health a shell asks, or that a shell starts: the programs that it runs, with their words."""

WRITTEN = {
    "mongodb's start": {"members-key": "the-DOCKER_MONGODB_KEY"},
    "mosquitto's start": {
        "passwords": "skywatt:the-LOCAL_MQTT_PASSWORD\n",
        "mosquitto_sub": "-u skywatt\n-P the-LOCAL_MQTT_PASSWORD\n",
    },
}
"""The files that a start writes first, for nobody else to read."""


@pytest.mark.parametrize("what", SHELL_TEXTS)
def test_a_shell_runs_the_programs_that_are_meant(stack: Stack, what: str, tmp_path: Path) -> None:
    service = stack["services"][what.removesuffix("'s start")]
    command = _shell_command(service["healthcheck"]["test"] if what in PLAIN else _start(service))
    for program in SHELL_TEXTS[what]:
        stand_in = tmp_path / program
        stand_in.write_text(STAND_IN.format(python=sys.executable))
        stand_in.chmod(0o755)
    here = [word.replace("/tmp/", f"{tmp_path}/") for word in command[1:]]  # noqa: S108 - the container's own
    shell = subprocess.run(
        [f"/bin/{command[0]}", *here],
        env={**service["environment"], "PATH": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shell.returncode == 0, shell.stderr
    for file, written in WRITTEN.get(what, {}).items():
        assert (tmp_path / file).read_text() == written
        assert (tmp_path / file).stat().st_mode & 0o777 == 0o600
    for program, words in SHELL_TEXTS[what].items():
        (asked,) = [json.loads(line) for line in (tmp_path / f"{program}.asked").read_text().splitlines()]
        expected = [word.replace("TMP/", f"{tmp_path}/") for word in words]
        assert [word if meant != "ANY" else meant for word, meant in zip(asked, expected, strict=True)] == expected


@pytest.mark.parametrize(("pipelines", "well"), [(["arrivals", "logs"], True), (["arrivals"], False), ([], False)])
def test_logstash_is_well_when_it_runs_both_pipelines(stack: Stack, pipelines: list[str], well: bool) -> None:
    class Node(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/_node/pipelines"
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"pipelines": {name: {"workers": 1} for name in pipelines}}).encode())

        def log_message(self, *_: object) -> None:
            pass

    command = _shell_command(stack["services"]["logstash"]["healthcheck"]["test"])
    with ThreadingHTTPServer(("127.0.0.1", 0), Node) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        here = [word.replace("127.0.0.1/9600", f"127.0.0.1/{server.server_port}") for word in command]
        asked = subprocess.run(here, capture_output=True, timeout=20, check=False)
        server.shutdown()
        thread.join()
    assert (asked.returncode == 0) is well


def test_every_text_for_a_shell_is_tried(stack: Stack) -> None:
    asked = {
        name for name, one in stack["services"].items() if (one["healthcheck"].get("test") or [""])[0] == "CMD-SHELL"
    }
    started = {f"{name}'s start" for name, one in stack["services"].items() if {"sh", "bash"} & set(_start(one))}
    assert asked | started == SHELL_TEXTS.keys()


def _start(service: dict[str, Any]) -> list[str]:
    return [*(service.get("entrypoint") or []), *(service.get("command") or [])]


def _shell_command(words: list[str]) -> list[str]:
    """As the engine runs it; ``config`` doubles each dollar sign."""
    words = [word.replace("$$", "$") for word in words if word != "CMD"]
    return ["sh", "-c", words[1]] if words[0] == "CMD-SHELL" else words
