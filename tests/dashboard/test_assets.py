"""Streamlit's page says first what it needs, its scripts and styles come compressed; Streamlit answers the rest."""

import re
import threading
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from dashboard.assets import CHART, MAIN_SCRIPT, MAP, STATIC, VEGA, Assets

PAGE = (STATIC / "index.html").read_text()
SCRIPTS = [f"/{path}" for path in re.findall(r'"\./(static/[^"]+\.(?:js|css))"', PAGE)]


@pytest.fixture(scope="module")
def client() -> TestClient:
    async def streamlit(_request: object) -> PlainTextResponse:
        return PlainTextResponse("Streamlit's answer")

    routes = [Route("/{path:path}", streamlit, methods=["GET", "POST"])]
    client = TestClient(Starlette(routes=routes, middleware=[Middleware(Assets)]))
    client.get("/")  # it is made when first asked
    for thread in threading.enumerate():
        if thread.name == "assets":
            thread.join(60)
    return client


def test_what_a_page_begins_with_is_a_third_of_its_size_on_the_way_and_the_same_after(client: TestClient) -> None:
    assert len(SCRIPTS) > 10
    whole, on_the_way = 0, 0
    for path in SCRIPTS:
        told = client.get(path, headers={"Accept-Encoding": "gzip, deflate, br"})
        assert told.content == (STATIC / path[1:]).read_bytes()
        assert told.headers["content-encoding"] == "gzip"
        assert told.headers["content-type"].startswith("text/css" if path.endswith("css") else "text/javascript")
        assert "immutable" in told.headers["cache-control"]
        whole += len(told.content)
        on_the_way += int(told.headers["content-length"])
    assert on_the_way < whole / 2.5


@pytest.mark.parametrize(
    ("method", "path", "takes"),
    [
        ("GET", SCRIPTS[0], "identity"),
        ("GET", SCRIPTS[0], "br, gzip;q=0"),
        ("GET", SCRIPTS[0], "gzip; q=0.000, identity"),
        ("POST", SCRIPTS[0], "gzip"),
        ("POST", "/market", "gzip"),
        ("GET", "/there-is-none", "gzip"),
        ("GET", "/static/js/../index.html", "gzip"),
        ("GET", "/static/js/there-is-none.js", "gzip"),
    ],
)
def test_streamlit_answers_the_rest(client: TestClient, method: str, path: str, takes: str) -> None:
    told = client.request(method, path, headers={"Accept-Encoding": takes})
    assert told.text == "Streamlit's answer"


@pytest.mark.parametrize(
    ("path", "wanted"),
    [("/", ()), ("/market", (MAP,)), ("/weather", (CHART, VEGA)), ("/meters", (CHART, VEGA))],
)
def test_a_page_is_streamlits_and_says_first_where_its_server_is_and_which_scripts_it_will_want(
    client: TestClient, path: str, wanted: tuple[str, ...]
) -> None:
    told = client.get(path)
    assert told.headers["content-type"].startswith("text/html")
    assert told.headers["cache-control"] == "no-cache"
    before, ours, after = re.split(r"(<script>\s*window\.__streamlit.*?</script>\s*)", told.text, flags=re.DOTALL)
    assert before + after == PAGE
    assert after.startswith(MAIN_SCRIPT)
    scripts = re.findall(r'"\.(/static/[^"]+)"', ours)
    assert [Path(script).name.split(".")[0] for script in scripts] == sorted(wanted)
    for script in scripts:
        assert client.get(script).content == (STATIC / script[1:]).read_bytes()
