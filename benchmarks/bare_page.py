"""A Streamlit page with a number and a map of one point: what Streamlit and deck.gl take by themselves."""

import pydeck as pdk
import streamlit as st

from dashboard.map import AUSTRALIA, NO_MAP

st.html('<div class="sw-card">1</div>')
point = pdk.Layer("ScatterplotLayer", [{"place": [145, -30]}], get_position="place", get_radius=50_000)
st.pydeck_chart(pdk.Deck(layers=[point], initial_view_state=AUSTRALIA, map_style=NO_MAP), height=600)
