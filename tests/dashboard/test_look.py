"""What every page has: a choice in the address, and that an error stays in its place."""

from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import look

NAMES = {"a": "the first", "b": "the second"}


def choice() -> None:
    import streamlit as st

    from dashboard.look import one_of
    from tests.dashboard.test_look import NAMES

    st.text(one_of("Which", NAMES, "which"))


@pytest.mark.parametrize(("asked", "shown"), [(None, "a"), ("the second", "b"), ("", "a"), ("zzz", "a")])
def test_a_choice_is_the_addresss_and_the_first_where_that_names_none(asked: str | None, shown: str) -> None:
    page = AppTest.from_function(choice)
    if asked is not None:
        page.query_params["which"] = asked
    page.run()
    assert [one.value for one in page.text] == [shown]
    assert not page.exception


def broken() -> None:
    import streamlit as st

    from dashboard.look import refreshed

    def show(what: int) -> None:
        st.text(f"{1 / what}")

    refreshed("The first", 5, show, 0)
    refreshed("The second", 5, show, 1)


def test_an_error_of_a_part_is_told_in_its_place_and_the_next_part_goes_on() -> None:
    page = AppTest.from_function(broken).run()
    (told,) = page.error
    assert "**The first** cannot be shown (ZeroDivisionError)" in told.value
    assert [one.value for one in page.text] == ["1.0"]
    assert not page.exception


def mapped() -> None:
    import streamlit as st

    from dashboard.look import head_start

    st.text("map")
    head_start()
    st.text("charts")


def test_a_map_has_a_head_start_once_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(look, "time", SimpleNamespace(sleep=waited.append))
    page = AppTest.from_function(mapped).run()
    page.run()
    assert waited == [look.HEAD_START_S]
    assert [one.value for one in page.text] == ["map", "charts"]
