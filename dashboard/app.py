"""The dashboard's frame: its pages and what is the same on each. Run by ``python -m dashboard``."""

import streamlit as st

from dashboard.look import guarded, style
from dashboard.views import arrivals, market, meters, production, weather

PAGES = (
    (arrivals.page, "Arrivals", ":material/schedule:", "arrivals"),
    (weather.page, "Weather", ":material/partly_cloudy_day:", "weather"),
    (production.page, "Production", ":material/factory:", "production"),
    (meters.page, "Meters", ":material/electric_meter:", "meters"),
    (market.page, "Market", ":material/bolt:", "market"),
)


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
