"""Streamlit's own scripts and styles on their way to the browser: compressed once, and kept.

Streamlit sends them as they are, 6 MB for the first view of a map. Their names have a hash of what is in them, so that
a browser which has one never asks for it again.
"""

import functools
import gzip
import mimetypes
import threading
from pathlib import Path

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

STATIC = Path(st.__file__).parent / "static"
COMPRESSED = (".js", ".css")
HEADERS = {
    "Cache-Control": "public, immutable, max-age=31536000",
    "Content-Encoding": "gzip",
    "Vary": "Accept-Encoding",
}


class Assets:
    """ASGI middleware that answers for scripts and styles; whatever else is asked, Streamlit answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        paths = (path for path in (STATIC / "static").rglob("*") if path.suffix in COMPRESSED)
        self._files = {f"/{path.relative_to(STATIC).as_posix()}": path for path in paths}
        threading.Thread(target=self._compress_all, name="assets", daemon=True).start()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or hands on."""
        path = self._files.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        if path is None or "gzip" not in Headers(scope=scope).get("accept-encoding", ""):
            await self._app(scope, receive, send)
            return
        body = await run_in_threadpool(compressed, path)
        await Response(body, media_type=mimetypes.guess_type(path.name)[0], headers=HEADERS)(scope, receive, send)

    def _compress_all(self) -> None:
        """Within two seconds of the start: the first reader should not wait for it."""
        for path in self._files.values():
            compressed(path)


@functools.cache
def compressed(path: Path) -> bytes:
    """What a file holds, as gzip."""
    return gzip.compress(path.read_bytes())
