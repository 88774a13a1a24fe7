"""What a person without Kibana looks at: is everything arriving, and what the readings say. Streamlit, on :8501."""
