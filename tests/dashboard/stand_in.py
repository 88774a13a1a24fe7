"""The store's stand-in for tests of what the dashboard reads."""

from collections import defaultdict
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

from dashboard.store import Store
from readings.config import ROOT, load_config
from readings.reading import reading_key
from readings.stream import MODELS, Stream
from tests import stand_in as shared
from tests.stand_in import Document


class Collection(shared.Collection):
    """A collection that documents are put into."""

    def put(self, *documents: Document) -> None:
        self.documents |= {one["_id"]: one for one in documents}


def stand_in() -> Store:
    """A store with nothing in it, and the streams of `skywatt.yml`."""
    config = load_config(ROOT / "skywatt.yml")
    streams = {name: Stream(name, MODELS[name], one, "") for name, one in config.streams.items()}
    return Store(Mock(mqtt_url=None), defaultdict(Collection), streams)


def reading(series: str, at: Any, *, late: bool = False, delay_s: float = 1.0, **values: Any) -> Document:
    """What the consumer stores of a reading, without the names of its series."""
    facts = {"source": "test", "mode": "live", "arrived_at": at + timedelta(seconds=delay_s)}
    key = reading_key([series], at)
    return {"_id": key, "series": series, "timestamp": at, "late": late, "delay_s": delay_s, **facts, **values}
