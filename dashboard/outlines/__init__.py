"""Outlines that the maps are drawn on, as GeoJSON: no map server is asked. README.md says where they come from."""
