"""What is the same of a stored reading in every store: its version, by which the later one wins."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def version(document: Mapping[str, Any]) -> int:
    """A number that grows with each message about a reading: the document's version in Elasticsearch.

    Of its ``kafka``: 41 bits of the arrival, in milliseconds, and 20 of the offset, for those within a millisecond.
    """
    kafka = document["kafka"]
    arrived_at: datetime = kafka["arrived_at"]
    offset: int = kafka["offset"]
    return int(arrived_at.timestamp() * 1000) << 20 | offset & 0xFFFFF
