"""A real HTTP server on 127.0.0.1 that answers as it is told, also badly."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class MisbehavingServer:
    """Answers each request with the next of `answers`, the last one for ever; or as `choose` says."""

    answers: list[Answer] = field(default_factory=list)
    choose: Callable[[dict[str, str]], Answer] | None = None
    requests: list[dict[str, str]] = field(default_factory=list)
    """Of each its parameters (several of a name with commas between), its path, and its authorization if it has one."""
    headers: list[Mapping[str, str]] = field(default_factory=list)
    """Of each, in the order of `requests`."""
    connections: set[tuple[str, int]] = field(default_factory=set)

    def __enter__(self) -> "MisbehavingServer":
        outer = self
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are written apart: else the body waits 40 ms

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                query = {name: ",".join(values) for name, values in parse_qs(url.query).items()} | {"path": url.path}
                if "Authorization" in self.headers:
                    query["authorization"] = self.headers["Authorization"]
                with lock:
                    number = len(outer.requests)
                    outer.requests.append(query)
                    outer.headers.append(dict(self.headers))
                    outer.connections.add(self.client_address)
                answer = outer.choose(query) if outer.choose else outer.answers[min(number, len(outer.answers) - 1)]
                answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def answer(status: int = 200, body: object = b"", **headers: str) -> Answer:
    """A whole answer; what is not bytes goes as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return send


def body_of(good: Answer) -> bytes:
    """The bytes that an answer would send."""

    class Sink:
        def __init__(self) -> None:
            self.sent = b""
            self.wfile = self

        def write(self, data: bytes) -> None:
            self.sent += data

        def __getattr__(self, _name: str) -> Callable[..., None]:
            return lambda *_: None

    sink = Sink()
    good(sink)  # type: ignore[arg-type]
    return sink.sent


def half(body: bytes) -> Answer:
    """Half of the body that was promised, then the end of the connection."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2])
        handler.close_connection = True

    return send


def reset(body: bytes) -> Answer:
    """Half of the body, then a reset."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        half(body)(handler)
        handler.wfile.flush()
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()

    return send


def slow(body: bytes) -> Answer:
    """The whole body, in twenty pieces with a pause after each."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        piece = len(body) // 20 + 1
        for begin in range(0, len(body), piece):
            handler.wfile.write(body[begin : begin + piece])
            handler.wfile.flush()
            threading.Event().wait(0.05)

    return send


def trickle(stop: threading.Event) -> Answer:
    """A byte now and then, without an end until `stop`."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not stop.wait(0.02):
            try:
                handler.wfile.write(b" ")
                handler.wfile.flush()
            except OSError:
                break
        handler.close_connection = True

    return send


def silent(stop: threading.Event) -> Answer:
    """Nothing until `stop`."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        stop.wait(30)
        handler.close_connection = True

    return send
