"""A message of MQTT: a reading, or counted as none, whatever is wrong with it."""

from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import orjson
import pytest

from dashboard import live
from dashboard.board import Board
from dashboard.live import LiveMarket, read_event
from tests.dashboard.stand_in import stand_in

NOW = datetime(2026, 11, 27, 1, 5, tzinfo=UTC)
STREAMS = stand_in().streams


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> LiveMarket:
    monkeypatch.setattr(live, "mqtt_client", Mock())
    return LiveMarket(Mock(), Board([]), STREAMS)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"{", "not JSON"),
        (b"3", "JSON object"),
        (b'{"timestamp": "2026-11-27T01:05:00Z"}', "facility_code or region_code"),
        (b'{"region_code": "XX", "timestamp": "2026-11-27T01:05:00Z", "price": 1}', "network_region"),
        (b'{"facility_code": "A", "timestamp": "2026-11-27T01:05:00", "power": 1}', "timestamp"),
        (b'{"facility_code": "A", "timestamp": "2026-11-27T01:05:00Z", "power": 1e9}', "power_mw"),
        (b'{"facility_code": "A", "timestamp": "2099-01-01T00:00:00Z", "power": 1}', "at most 5 minutes after"),
        (b'{"region_code": "VIC1", "timestamp": "1970-01-01T00:00:00Z", "price": 1}', "or later"),
    ],
)
def test_a_bad_event_says_what_is_wrong(payload: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_event(payload, STREAMS, NOW)


def test_whatever_is_wrong_with_a_message_it_is_counted_and_the_next_is_read(client: LiveMarket) -> None:
    on_message = client._client.on_message
    deep = b'{"facility_code": ' + b"[" * 300 + b"]" * 300 + b"}"
    at = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    good = orjson.dumps({"facility_code": "BAYSW", "timestamp": at, "power": 1.0})
    for payload in (deep, b"\xff", good):
        on_message(None, None, Mock(payload=payload))
    seen = client.board.seen()
    assert (seen.taken, seen.bad) == (1, 2)
    on_message(None, None, Mock(payload=deep))
    assert client.board.seen().last_bad.startswith("TypeError: ")
