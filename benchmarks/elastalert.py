"""ElastAlert2 for ``benchmarks.alerts``: in a virtual environment of its own, with rules that ask for the same.

It asks a server for ``GET /`` first, which the local Elasticsearch does not answer: `root_answered` stands in front of
it, answers that itself, and hands everything else on.
"""

import json
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

VERSION = "2.19.0"
INDEX = "elastalert-alerts-state"
"""Where it writes what it did: under a name that the local server's user may write."""
ROOT_ANSWER = {
    "name": "local",
    "cluster_name": "skywatt",
    "cluster_uuid": "local",
    "version": {"number": "8.19.21", "build_flavor": "default"},
    "tagline": "You Know, for Search",
}


def installed(folder: Path) -> Path | None:
    """A Python with ElastAlert2, made where it is not there yet; None where it cannot be installed."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    command = [str(python), "-m", "pip", "install", "--quiet", f"elastalert2=={VERSION}", "setuptools<81", "pytz"]
    answer = subprocess.run(command, check=False, stdout=sys.stderr)
    return python if answer.returncode == 0 else None


@contextmanager
def root_answered(elasticsearch: str) -> Iterator[int]:
    """The port of a server that answers ``GET /`` and hands the rest on to an Elasticsearch."""
    target = urlsplit(elasticsearch)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are written apart: else the body waits 40 ms

        def do_GET(self) -> None:
            """Answers, or hands on."""
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            if self.path == "/" and self.command == "GET":
                self._answer(200, json.dumps(ROOT_ANSWER).encode(), "application/json")
                return
            onward = HTTPConnection(str(target.hostname), target.port, timeout=60)
            names = ("Authorization", "Content-Type", "Accept")
            headers = {name: self.headers[name] for name in names if self.headers.get(name)}
            onward.request(self.command, self.path, body, headers)
            answer = onward.getresponse()
            content = answer.read()
            onward.close()
            self._answer(answer.status, content, answer.headers.get("Content-Type") or "application/json")

        do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

        def _answer(self, status: int, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def write_rules(folder: Path, port: int, password: str, every_s: float, rules: list[dict[str, Any]]) -> Path:
    """A configuration with its rules; gives its path."""
    rules_folder = folder / "rules"
    rules_folder.mkdir(parents=True, exist_ok=True)
    for old in rules_folder.glob("*.yaml"):
        old.unlink()
    for rule in rules:
        (rules_folder / f"{rule['name']}.yaml").write_text(yaml.safe_dump(rule))
    config = {
        "rules_folder": str(rules_folder),
        "run_every": {"seconds": every_s},
        "buffer_time": {"minutes": 60},
        "es_host": "127.0.0.1",
        "es_port": port,
        "es_username": "skywatt",
        "es_password": password,
        "writeback_index": INDEX,
        "alert_time_limit": {"days": 2},
        "max_threads": 1,
        "misfire_grace_time": 600,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    path.chmod(0o600)
    return path


def make_indices(python: Path, config: Path) -> None:
    """The indices it keeps its state in. Raises CalledProcessError."""
    command = [str(python), "-m", "elastalert.create_index", "--config", str(config), "--recreate", "True"]
    subprocess.run(command, check=True, stdout=sys.stderr, stderr=subprocess.DEVNULL, cwd=config.parent)


def late_rule(index: str, hook: str) -> dict[str, Any]:
    """Tells of each late reading, each series once a minute."""
    return {
        "name": "late",
        "type": "any",
        "index": index,
        "timestamp_field": "arrived_at",
        "filter": [{"term": {"late": True}}, {"term": {"mode": "live"}}],
        "query_key": "series",
        "realert": {"minutes": 60},
        "alert": ["slack"],
        "slack_webhook_url": hook,
        "alert_text_type": "alert_text_only",
        "alert_text": "{0} late",
        "alert_text_args": ["series"],
    }
