"""The dashboard's frame: its pages and what is the same on each. Run by ``python -m dashboard``."""

import streamlit as st

from dashboard.look import guarded, style
from dashboard.pages import arrivals

PAGES = ((arrivals.page, "Arrivals", ":material/schedule:", "arrivals"),)


def main() -> None:
    """One run for one reader."""
    st.set_page_config(page_title="Skywatt", page_icon="⚡", layout="wide", initial_sidebar_state="auto")
    style()
    pages = [
        st.Page(show, title=title, icon=icon, url_path=path, default=number == 0)
        for number, (show, title, icon, path) in enumerate(PAGES)
    ]
    chosen = st.navigation(pages, position="top")
    with guarded(chosen.title):
        chosen.run()


main()
