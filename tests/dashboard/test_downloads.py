"""The link below a table: what it answers, and for how long."""

import gc

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from dashboard.downloads import IN_SESSION, OFFERS, ROUTES, Offers


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=ROUTES))


def shown() -> None:
    from dashboard.downloads import offer

    offer("meters", lambda: "\ufeffmeter,kwh\r\nhome-A,1.5\r\n")


def test_the_link_leads_to_the_rows(client: TestClient) -> None:
    page = AppTest.from_function(shown).run()
    (link,) = page.get("html")
    address = f"download/{page.session_state[IN_SESSION].token}/skywatt-meters.csv"
    assert f'href="{address}"' in link.proto.body
    answer = client.get(f"/{address}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert answer.text == "\ufeffmeter,kwh\r\nhome-A,1.5\r\n"


def test_it_stays_the_same_from_refresh_to_refresh_and_gives_what_is_newest(client: TestClient) -> None:
    page = AppTest.from_function(shown).run()
    before = page.get("html")[0].proto.body
    offers: Offers = page.session_state[IN_SESSION]
    page.run()
    assert page.get("html")[0].proto.body == before
    offers.written_by["meters"] = lambda: "newer"
    assert client.get(f"/download/{offers.token}/skywatt-meters.csv").text == "newer"


def test_where_the_page_is_gone_it_says_what_to_do(client: TestClient) -> None:
    offers = Offers()
    address = f"/download/{offers.token}/skywatt-meters.csv"
    assert client.get(address).status_code == 404, "no such table"
    offers.written_by["meters"] = str
    assert client.get(address).status_code == 200
    token = offers.token
    del offers
    gc.collect()
    assert token not in OFFERS
    answer = client.get(address)
    assert (answer.status_code, answer.text) == (
        404,
        "The page of this table is not open any more: open it again and ask there.",
    )
