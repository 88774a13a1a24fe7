"""benchmarks/bring_up.py: when the first reading is there."""

from collections import defaultdict
from typing import Any

from pymongo.errors import PyMongoError

from benchmarks.bring_up import _is_in_both
from readings.settings import Settings
from readings.stream import load_streams
from tests.stand_in import Collection


class View:
    """Elasticsearch, as far as it is asked."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def count(self, index: str) -> dict[str, int]:
        return {"count": self.counts.get(index, 0)}


class Away:
    def __getitem__(self, _name: str) -> Any:
        raise PyMongoError


def test_the_first_reading_is_there_when_both_stores_have_one_of_a_stream(settings: Settings) -> None:
    streams = load_streams(settings)
    assert len(streams) > 1
    database: Any = defaultdict(Collection)
    view: Any = View()
    away: Any = Away()
    assert not _is_in_both(streams.values(), away, view)
    assert not _is_in_both(streams.values(), database, view)
    database["market"].documents["one"] = {"_id": "one"}
    view.counts["readings-weather-*"] = 1
    assert not _is_in_both(streams.values(), database, view), "each has one, of different streams"
    view.counts["readings-market-*"] = 1
    assert _is_in_both(streams.values(), database, view)
