"""Streamlit's own scripts and styles on their way to the browser: compressed once, and kept.

Streamlit sends them as they are, 6 MB for the first view of a map. Their names have a hash of what is in them, so that
a browser which has one never asks for it again.
"""

import gzip
import mimetypes
import re
import threading
from pathlib import Path

import streamlit as st
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

STATIC = Path(st.__file__).parent / "static"
COMPRESSED = (".js", ".css")
MAP = "DeckGlJsonChart"
"""How the name of the largest script of our pages begins."""
REFUSED = re.compile(r"gzip\s*;\s*q=0(\.0*)?\s*(,|$)")
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
        self._compressed: dict[str, bytes] = {}
        threading.Thread(target=self._compress_all, name="assets", daemon=True).start()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or hands on."""
        body = self._compressed.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        if body is None or not takes_gzip(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        media_type = mimetypes.guess_type(scope["path"])[0]
        await Response(body, media_type=media_type, headers=HEADERS)(scope, receive, send)

    def _compress_all(self) -> None:
        """What each page needs first; until it has come to a file, Streamlit answers."""
        page = (STATIC / "index.html").read_text(encoding="utf-8")
        for name in sorted(self._files, key=lambda name: (name not in page, MAP not in name)):
            self._compressed[name] = gzip.compress(self._files[name].read_bytes(), 6)


def takes_gzip(headers: Headers) -> bool:
    """Whether a browser says that it takes gzip."""
    wanted = ", ".join(headers.getlist("accept-encoding")).lower()
    return "gzip" in wanted and not REFUSED.search(wanted)
