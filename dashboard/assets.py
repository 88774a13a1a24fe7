"""Streamlit's own page, scripts and styles on their way to the browser.

Scripts and styles are compressed once, and kept: Streamlit sends them as they are, 6 MB for the first view of a map.
Their names have a hash of what is in them, so that a browser which has one never asks for it again.

A page is told where its server is, and which large scripts it will want. Streamlit's would ask for its health in two
places first, and for the map's script when it has a map to draw: a second on a line of 10 Mbit/s.
"""

import gzip
import json
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
MAP, CHART, VEGA = "DeckGlJsonChart", "ArrowVegaLiteChart", "embed"
"""How the names of the largest scripts of our pages begin."""
WANTED = {
    "/": (),
    "/market": (MAP,),
    "/weather": (CHART, VEGA),
    "/production": (CHART, VEGA),
    "/meters": (CHART, VEGA),
}
"""By the page's path: what it shows first needs them."""
BEGINNING = """<script>
      window.__streamlit = {
        BACKEND_BASE_URL: new URL(".", location.href).href,
        HOST_CONFIG: { allowedOrigins: [location.origin], useExternalAuthToken: false },
      };
      (window.requestIdleCallback ?? setTimeout)(() => {
        for (const path of SCRIPTS)
          document.head.append(Object.assign(document.createElement("link"), {
            rel: "modulepreload", crossOrigin: "", href: path,
          }))
      })
    </script>
    """
"""Streamlit's own settings for who serves its page (1.67); a browser that is busy asks for the scripts later."""
MAIN_SCRIPT = '<script type="module"'
REFUSED = re.compile(r"gzip\s*;\s*q=0(\.0*)?\s*(,|$)")
HEADERS = {
    "Cache-Control": "public, immutable, max-age=31536000",
    "Content-Encoding": "gzip",
    "Vary": "Accept-Encoding",
}


class Assets:
    """ASGI middleware that answers for pages, scripts and styles; whatever else is asked, Streamlit answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        paths = (path for path in (STATIC / "static").rglob("*") if path.suffix in COMPRESSED)
        self._files = {f"/{path.relative_to(STATIC).as_posix()}": path for path in paths}
        self._page = (STATIC / "index.html").read_text(encoding="utf-8")
        self._pages = {path: self._beginning(*names) for path, names in WANTED.items()}
        self._compressed: dict[str, bytes] = {}
        threading.Thread(target=self._compress_all, name="assets", daemon=True).start()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or hands on."""
        answer = self._answer(scope) if scope["type"] == "http" and scope["method"] == "GET" else None
        await (answer or self._app)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response | None:
        if page := self._pages.get(scope["path"]):
            return Response(page, media_type="text/html", headers={"Cache-Control": "no-cache"})
        body = self._compressed.get(scope["path"])
        if body is None or not takes_gzip(Headers(scope=scope)):
            return None
        return Response(body, media_type=mimetypes.guess_type(scope["path"])[0], headers=HEADERS)

    def _beginning(self, *names: str) -> str:
        """Streamlit's page for one that will want the scripts whose names begin so."""
        scripts = [
            f".{path}"
            for path, file in sorted(self._files.items())
            if file.suffix == ".js" and file.name.startswith(names)
        ]
        return self._page.replace(MAIN_SCRIPT, BEGINNING.replace("SCRIPTS", json.dumps(scripts)) + MAIN_SCRIPT, 1)

    def _compress_all(self) -> None:
        """What each page needs first; until it has come to a file, Streamlit answers."""
        for name in sorted(self._files, key=lambda name: (name not in self._page, MAP not in name)):
            self._compressed[name] = gzip.compress(self._files[name].read_bytes(), 6)


def takes_gzip(headers: Headers) -> bool:
    """Whether a browser says that it takes gzip."""
    wanted = ", ".join(headers.getlist("accept-encoding")).lower()
    return "gzip" in wanted and not REFUSED.search(wanted)
