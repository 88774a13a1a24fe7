"""Elasticsearch as code: index templates, and the command that puts them in place."""
