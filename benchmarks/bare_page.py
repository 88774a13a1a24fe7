"""A Streamlit page with a number and a map of one point: what Streamlit and deck.gl take by themselves.

It imports nothing of ours: Streamlit puts this folder first, whose ``dashboard`` is the benchmark.
"""

import pydeck as pdk
import streamlit as st

NO_MAP = 'data:application/json,{"version":8,"sources":{},"layers":[]}'

st.html('<div class="sw-card">1</div>')
point = pdk.Layer("ScatterplotLayer", [{"place": [145, -30]}], get_position="place", get_radius=50_000)
view = pdk.ViewState(latitude=-30, longitude=145, zoom=3.6)
st.pydeck_chart(pdk.Deck(layers=[point], initial_view_state=view, map_style=NO_MAP), height=600)
