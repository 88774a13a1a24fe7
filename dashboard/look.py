"""What every page has: its heading, its style, and that an error on it stays on it."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from pymongo.errors import OperationFailure, PyMongoError

from dashboard.theme import BLUE, SKY
from readings.errors import ConfigError

log = logging.getLogger(__name__)

HEAD_START_S = 1.5
"""So long a browser without a graphics card takes from a map's data to its canvas, on two cores; a chart takes less."""
STYLE = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
SHADES = {"light": ("#EEF2F6", "#FFFFFF", BLUE), "dark": ("#1A232C", "#151D25", SKY)}
"""The background of a table's head and of a card, and the colour of a small hill."""


def is_dark() -> bool:
    """Whether the reader's page is dark."""
    return st.context.theme.type == "dark"


def style() -> None:
    """The pages' style, once a run.

    A style by itself would be put behind all that it is for, which would be seen without it for a moment.
    """
    head, card, hill = SHADES["dark" if is_dark() else "light"]
    shades = f".stApp {{--sw-head: {head}; --sw-card: {card}; --sw-hill: {hill}}}"
    st.html(f'<div class="sw-style"><style>{shades}\n{STYLE}</style></div>')


@contextmanager
def guarded(what: str) -> Iterator[None]:
    """What goes wrong within is shown in its place, with what to do; the rest of the page and the others go on."""
    try:
        yield
    except OperationFailure as error:
        log.warning("%s: %s", what, error, extra={"page": what})
        st.error(f"MongoDB refuses what **{what}** asks (code {error.code}). `bash run.sh logs dashboard` says more.")
    except (PyMongoError, TimeoutError) as error:
        log.warning("%s: %s", what, type(error).__name__, extra={"page": what})
        st.error(f"MongoDB does not answer, so **{what}** cannot be shown. `bash run.sh status` says how it is.")
    except ConfigError as error:
        st.error(f"A setting is wrong: {error}")
    except Exception as error:  # it must not take the page down; Streamlit's own are no Exception
        log.exception("%s", what, extra={"page": what})
        st.error(f"**{what}** cannot be shown ({type(error).__name__}). `bash run.sh logs dashboard` says why.")


def refreshed(what: str, every_s: float, show: Callable[..., None], *arguments: Any) -> None:
    """Shows a part of a page, and again every so many seconds: this part alone, so that nothing else moves."""

    @st.fragment(run_every=every_s)
    def part() -> None:
        began, busy = time.perf_counter(), time.thread_time()
        with guarded(what):
            show(*arguments)
        took_ms, busy_ms = 1000 * (time.perf_counter() - began), 1000 * (time.thread_time() - busy)
        log.debug("shown", extra={"part": what, "refresh_ms": took_ms, "refresh_cpu_ms": busy_ms})

    part()


def when_opened(label: str, key: str, show: Callable[..., None], *arguments: Any) -> None:
    """What is closed at first, and made only where a reader opened it; the address keeps that."""
    box = st.expander(label, key=key, bind="query-params")
    if box.open:
        with box:
            show(*arguments)


def head_start() -> None:
    """Stands between what is to be seen first and the rest, and waits where a reader has just come.

    A browser that is given a map and charts at once shows neither before it has loaded and drawn both.
    """
    if "had-head-start" in st.session_state:
        return
    time.sleep(HEAD_START_S)
    st.session_state["had-head-start"] = True


def one_of(label: str, names: Mapping[str, str], key: str, told: str | None = None) -> str:
    """One of the names, the first at first, kept in the address; `told` is seen on hover of its question mark."""
    if st.session_state.get(key) not in names:  # it was one of other names
        st.session_state.pop(key, None)
    first = next(iter(names))
    chosen_name = st.segmented_control(
        label,
        list(names),
        default=first,
        format_func=names.__getitem__,
        key=key,
        help=told,
        bind="query-params",
        required=True,
    )
    return chosen_name or first  # an empty one in the address is a choice of nothing


def empty(what: str, then: str) -> None:
    """That there is nothing, and what to do."""
    st.info(f"{what} {then}", icon=":material/hourglass_empty:")


def cards(*told: tuple[str, str, str, str]) -> None:
    """Numbers side by side: each a name, a value, its unit and a line below (HTML that is safe already)."""
    st.html(
        '<div class="sw-cards">'
        + "".join(
            f'<div class="sw-card"><span class="sw-name">{name}</span><span class="sw-value">{value}</span> '
            f'<span class="sw-unit">{unit}</span><span class="sw-more">{more}</span></div>'
            for name, value, unit, more in told
        )
        + "</div>"
    )
