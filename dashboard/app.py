"""The dashboard's frame: its pages and what is the same on each. Run by ``python -m dashboard``."""

import streamlit as st

from dashboard.look import guarded, style
from dashboard.store import store
from dashboard.views import arrivals, market, meters, production, weather

PAGES = (
    (arrivals.page, (), "Arrivals", ":material/schedule:", "arrivals"),
    (weather.page, ("weather",), "Weather", ":material/partly_cloudy_day:", "weather"),
    (production.page, ("production",), "Production", ":material/factory:", "production"),
    (meters.page, ("meter",), "Meters", ":material/electric_meter:", "meters"),
    (market.page, market.STREAMS, "Market", ":material/bolt:", "market"),
)
"""Each with the streams that it needs: where ``skywatt.yml`` has fewer, it is left out."""


def main() -> None:
    """One run for one reader."""
    st.set_page_config(page_title="Skywatt", page_icon="⚡", layout="wide", initial_sidebar_state="auto")
    style()
    here = store()
    pages = [
        st.Page(show, title=title, icon=icon, url_path=path, default=not needed)
        for show, needed, title, icon, path in PAGES
        if here.has(*needed)
    ]
    chosen = st.navigation(pages, position="top")
    with guarded(chosen.title):
        chosen.run()


main()
