"""Events of MQTT become readings of the stream that they are of."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import MQTTMessage

from producer.sources import mqtt
from producer.sources.mqtt import Subscription, kept_session, read_event
from producer.states import Tally
from readings.config import load_config
from readings.settings import Settings
from readings.stream import MODELS, Stream
from tests.producer.conftest import ROOT

STREAMS = {
    name: Stream(name, MODELS[name], load_config(ROOT / "skywatt.yml").streams[name], "")
    for name in ("facility", "market")
}
AT = "2026-11-24T12:00:00Z"
FACILITY = {"facility_code": "BAYSW", "timestamp": AT, "power": 1300.5, "emissions": 95.0}
MARKET = {"region_code": "NSW1", "timestamp": AT, "price": 80.5, "demand": 7000.0}


def read(stream: str, event: object) -> dict[str, Any] | None:
    reading = read_event(STREAMS[stream], json.dumps(event).encode())
    return reading and reading.model_dump(mode="json", exclude_none=True)


@pytest.mark.parametrize(
    "event", [FACILITY, {"facility_id": "BAYSW", "timestamp": AT, "power_mw": 1300.5, "co2_tonnes": 95.0}]
)
def test_a_facility_in_each_spelling(event: dict[str, Any]) -> None:
    assert read("facility", event) == {
        "source": "mqtt",
        "mode": "live",
        "facility_code": "BAYSW",
        "timestamp": AT,
        "power_mw": 1300.5,
        "emissions_t": 95.0,
    }
    assert read("market", event) is None


@pytest.mark.parametrize(
    "event", [MARKET, {"region_id": "NSW1", "timestamp": AT, "price_dmwh": 80.5, "demand_mw": 7000.0}]
)
def test_a_region_in_each_spelling(event: dict[str, Any]) -> None:
    assert read("market", event) == {
        "source": "mqtt",
        "mode": "live",
        "network_region": "NSW1",
        "timestamp": AT,
        "price_per_mwh": 80.5,
        "demand_mw": 7000.0,
    }
    assert read("facility", event) is None


@pytest.mark.parametrize("depth", [254, 300, 1020, 5000])
@pytest.mark.parametrize("event", ["%s", '{"facility_code": %s}', '{"facility_code": "BAYSW", "power": 1, "more": %s}'])
def test_what_is_nested_deeply_is_refused_and_ends_nothing(event: str, depth: int) -> None:
    """It would be delivered again after each restart."""
    with pytest.raises(ValueError, match=r"nested too deeply|not JSON|recursion limit|expected an object"):
        read_event(STREAMS["facility"], (event % ("[" * depth + "]" * depth)).encode())


@pytest.mark.parametrize(
    ("stream", "payload", "reason"),
    [
        ("facility", b"{", "not JSON"),
        ("facility", b"[1]", "expected an object with facility_code or region_code"),
        ("facility", b'{"power": 1}', "expected an object with facility_code or region_code"),
        ("facility", json.dumps({**FACILITY, "power": "much"}).encode(), "power_mw: read 'much'"),
        ("facility", json.dumps({**FACILITY, "facility_id": "X"}).encode(), "under two names"),
        ("market", json.dumps({**MARKET, "region_code": "NSW2"}).encode(), "NSW2"),
        ("market", json.dumps({**MARKET, "timestamp": "2026-11-24T12:00:00"}).encode(), "timestamp"),
    ],
)
def test_what_is_no_event_says_why(stream: str, payload: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_event(STREAMS[stream], payload)


def test_a_session_is_the_same_one_after_a_restart_and_leaves_the_topics_that_were_changed() -> None:
    facts: dict[str, Any] = {}
    first = kept_session(facts, "a")
    assert first.left == []
    again = kept_session(facts, "a")
    assert (again.client_id, again.left) == (first.client_id, [])
    assert kept_session(facts, "b").left == ["a"]
    changed_back = kept_session(facts, "a")
    assert (changed_back.client_id, changed_back.left) == (first.client_id, ["b"])


def test_two_installations_have_a_session_each() -> None:
    one, other = kept_session({}, "a").client_id, kept_session({}, "a").client_id
    assert one != other
    assert one.isalnum()
    assert len(one) == 23, "longer ones may be refused"


def test_of_what_no_broker_holds_back_only_so_much_waits_and_the_rest_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mqtt, "MOST_WAITING", 2)
    subscription = Subscription(Settings(mqtt_url="mqtt://127.0.0.1:1"), None, Tally())
    for number, qos in enumerate((0, 0, 0, 1, 0)):
        event = MQTTMessage(mid=number, topic=b"nem")
        event.qos, event.payload = qos, b"%d" % number
        subscription._on_message(subscription._client, None, event)
    assert [one.payload for one in subscription.received(0)] == [b"0", b"1", b"3"]
    assert "2 events at QoS 0 were lost" in caplog.text
    caplog.clear()
    assert subscription.received(0) == []
    assert caplog.text == ""


def test_an_event_of_an_earlier_connection_is_not_acknowledged_on_a_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker brings it again; its number may be another event's there."""
    subscription = Subscription(Settings(mqtt_url="mqtt://127.0.0.1:1"), None, Tally())
    acknowledged: list[int] = []
    monkeypatch.setattr(subscription._client, "ack", lambda number, _qos: acknowledged.append(number))
    for number in (1, 2):
        event = MQTTMessage(mid=number, topic=b"nem")
        event.qos = 1
        subscription._on_message(subscription._client, None, event)
    before, after = subscription.received(0)
    before.acknowledge()
    subscription.connections += 1
    after.acknowledge()
    assert acknowledged == [1]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=5,
)


@given(st.sampled_from([FACILITY, MARKET]), st.sampled_from([*FACILITY, *MARKET, "more"]), VALUES)
def test_a_changed_event_is_a_reading_or_refused_and_never_lost(
    event: dict[str, Any], field: str, value: object
) -> None:
    payload = json.dumps({**event, field: value}).encode()
    assert sum(is_taken(stream, payload) for stream in STREAMS.values()) == 1


def is_taken(stream: Stream, payload: bytes) -> bool:
    """Whether it becomes a reading or a dead letter of the stream."""
    try:
        return read_event(stream, payload) is not None
    except ValueError:
        return True


@given(st.binary())
def test_any_bytes_are_taken_by_one_stream(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"not JSON|expected an object"):
        read_event(STREAMS["facility"], payload)
    assert read_event(STREAMS["market"], payload) is None
