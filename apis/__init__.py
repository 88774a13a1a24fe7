"""Clients of outside APIs: one HTTP session helper, one module an API. Knows no other room."""
