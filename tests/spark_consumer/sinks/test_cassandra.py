"""Cassandra's write time: of two versions of a reading the later one stays."""

from datetime import UTC, datetime, timedelta

import pytest

from readings.production import Production
from readings.settings import Settings
from readings.stream import load_streams
from spark_consumer.documents import Document, make_document, merge
from spark_consumer.sinks.cassandra import Cassandra, _values
from spark_consumer.waiting import ServerAway

ARRIVED = datetime(2026, 11, 25, 12, 0, 0, 123_000, tzinfo=UTC)
STREAM = load_streams(Settings(_env_file=None))["production"]


def document(quantity_kwh: float, offset: int, arrived_at: datetime = ARRIVED) -> Document:
    reading = Production(
        source="test",
        price_area="NO5",
        production_group="hydro",
        start_time=datetime(2026, 11, 24, tzinfo=UTC),
        quantity_kwh=quantity_kwh,
    )
    return make_document(STREAM, reading, arrived_at, 0, offset)


def written_at(of: Document) -> int:
    *_, time = _values(of)
    assert isinstance(time, int)
    return time


def test_of_versions_in_one_millisecond_the_later_one_stays_whatever_their_offsets() -> None:
    first = document(1.0, 1999)
    second = merge(first, document(2.0, 2000))
    third = merge(second, document(3.0, 7000))
    assert written_at(first) < written_at(second) < written_at(third)
    assert written_at(third) < written_at(document(4.0, 1, ARRIVED + timedelta(milliseconds=1)))


def test_it_is_the_microsecond_of_the_arrival_so_that_a_row_deleted_later_stays_deleted() -> None:
    assert 0 <= written_at(document(1.0, 1999)) - round(ARRIVED.timestamp() * 1_000_000) < 1000


def test_a_name_without_an_address_is_waited_for_as_a_node_that_is_away() -> None:
    with pytest.raises(ServerAway, match="no name in CASSANDRA_HOSTS has an address"):
        Cassandra(Settings(_env_file=None, cassandra_hosts="nowhere.invalid:9042"))
