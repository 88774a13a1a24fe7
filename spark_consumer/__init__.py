"""Kafka → readings → MongoDB and Elasticsearch, with forecasts: one Spark Structured Streaming application."""
