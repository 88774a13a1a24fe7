"""A table's rows as a file: a link below it, which is answered with what the reader's page shows at that moment.

Streamlit's button for what is written only when it is asked for has another name after each refresh, and a click on the
one before does nothing. This link stays as it is.
"""

import secrets
from collections.abc import Callable
from weakref import WeakValueDictionary

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

IN_SESSION = "offers"


class Offers:
    """What one reader can have: by the table's key what writes it. It is gone with the reader's session."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(16)
        self.written_by: dict[str, Callable[[], str]] = {}
        OFFERS[self.token] = self


OFFERS: WeakValueDictionary[str, Offers] = WeakValueDictionary()
"""Of all readers, by their tokens."""


def offer(key: str, write: Callable[[], str]) -> None:
    """Shows the link to the CSV that `write` gives."""
    if IN_SESSION not in st.session_state:
        st.session_state[IN_SESSION] = Offers()
    offers: Offers = st.session_state[IN_SESSION]
    offers.written_by[key] = write
    address = f"download/{offers.token}/skywatt-{key}.csv"
    st.html(f'<a class="sw-csv" href="{address}" title="All rows; times in UTC" download>↓ CSV</a>')


async def answer(request: Request) -> Response:
    """The file, or 404 where the reader's page is not open any more."""
    offers = OFFERS.get(request.path_params["token"])
    write = offers.written_by.get(request.path_params["key"]) if offers else None
    if write is None:
        return PlainTextResponse("The page of this table is not open any more: open it again and ask there.", 404)
    return Response(await run_in_threadpool(write), media_type="text/csv")


ROUTES = (Route("/download/{token}/skywatt-{key}.csv", answer),)
