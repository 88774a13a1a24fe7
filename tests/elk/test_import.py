"""Putting the dashboards into a Kibana: a stand-in that answers as Kibana's saved objects API does."""

import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from elk.kibana import __main__ as kibana
from readings.errors import ConfigError
from readings.settings import Settings


class StandIn(ThreadingHTTPServer):
    def __init__(self, *answers: tuple[int, object]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, str], bytes]] = []


class Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, dict(self.headers), body))
        status, answer = self.server.answers.pop(0)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setattr(kibana, "RETRY_S", 0.01)
    server = StandIn()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def settings_of(server: StandIn, scheme: str = "http", **others: object) -> Settings:
    return Settings(
        _env_file=None,
        kibana_url=f"{scheme}://127.0.0.1:{server.server_port}/",
        elasticsearch_username="elastic",
        elasticsearch_password="hunter22",
        **others,
    )


def test_the_file_is_put_once_kibana_is_up(stand_in: StandIn) -> None:
    stand_in.answers = [(503, "Kibana server is not ready yet"), (200, {"success": True, "successCount": 17})]
    assert kibana.import_into_kibana(settings_of(stand_in), kibana.FILE, 30) == "17 objects"
    path, headers, body = stand_in.asked[1]
    assert path == "/api/saved_objects/_import?overwrite=true"
    assert headers["kbn-xsrf"]
    assert headers["Authorization"].startswith("Basic ")
    assert headers["Content-Type"].startswith("multipart/form-data")
    assert b'filename="dashboards.ndjson"' in body
    assert kibana.FILE.read_bytes() in body


@pytest.mark.parametrize(
    "answer",
    [(401, {"message": "no"}), (200, {"success": False, "errors": [{"error": {"type": "missing_references"}}]})],
)
def test_a_refusal_is_told_and_not_tried_again(stand_in: StandIn, answer: tuple[int, object]) -> None:
    stand_in.answers = [answer]
    with pytest.raises(ValueError, match="refused") as refused:
        kibana.import_into_kibana(settings_of(stand_in), kibana.FILE, 30)
    assert "hunter22" not in str(refused.value)
    assert len(stand_in.asked) == 1


def test_an_api_key_comes_before_a_user(stand_in: StandIn) -> None:
    """As at Elasticsearch."""
    stand_in.answers = [(200, {"success": True, "successCount": 17})]
    kibana.import_into_kibana(settings_of(stand_in, elasticsearch_api_key="a2V5"), kibana.FILE, 30)
    assert stand_in.asked[0][1]["Authorization"] == "ApiKey a2V5"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="it makes the certificate")
def test_a_certificate_is_trusted_by_the_ca_that_is_named_and_else_refused_at_once(
    stand_in: StandIn, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=kibana"
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*words.split(), *files], capture_output=True, check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    stand_in.socket = context.wrap_socket(stand_in.socket, server_side=True)
    stand_in.answers = [(200, {"success": True, "successCount": 17})]

    with pytest.raises(ConfigError, match=r"certificate verify failed.*\n.*ELASTICSEARCH_CA_FILE") as refused:
        kibana.import_into_kibana(settings_of(stand_in, "https"), kibana.FILE, 30)
    assert "hunter22" not in str(refused.value)
    trusting = settings_of(stand_in, "https", elasticsearch_ca_file=certificate)
    assert kibana.import_into_kibana(trusting, kibana.FILE, 30) == "17 objects"
    absent = settings_of(stand_in, "https", elasticsearch_ca_file=tmp_path / "absent.pem")
    with pytest.raises(ConfigError, match=r"ELASTICSEARCH_CA_FILE: read .*absent\.pem"):
        kibana.import_into_kibana(absent, kibana.FILE, 30)


def test_a_kibana_that_does_not_come_up_is_told(stand_in: StandIn) -> None:
    stand_in.answers = [(503, "not yet")] * 1000
    with pytest.raises(TimeoutError, match="503"):
        kibana.import_into_kibana(settings_of(stand_in), kibana.FILE, 0.1)


def test_where_tls_is_not_up_yet_it_is_waited_for(stand_in: StandIn) -> None:
    """It answers no TLS."""
    with pytest.raises(TimeoutError, match="is not up: SSLError"):
        kibana.import_into_kibana(settings_of(stand_in, "https"), kibana.FILE, 0.1)


def test_without_an_address_there_is_nothing_to_put_it_into() -> None:
    with pytest.raises(ConfigError, match="KIBANA_URL"):
        kibana.import_into_kibana(Settings(_env_file=None), kibana.FILE, 1)
