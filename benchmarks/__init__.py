"""Measurements of Skywatt beside what a user would take instead: ``python -m benchmarks.NAME --json``."""
