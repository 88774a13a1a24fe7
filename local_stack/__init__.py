"""Local mode: Kafka, Elasticsearch and a MongoDB-wire server as plain processes, and Skywatt's own parts beside them.

``python -m local_stack up`` starts them under supervisord; ``run.sh`` is the front door.
"""
