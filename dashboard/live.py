"""The market over MQTT, as it is published: each event is checked as a reading and put on the board.

Events are those of `docs/sources.md`: ``{facility_code, timestamp, power, emissions}`` or ``{region_code, timestamp,
price, demand}``. The dashboard has a session of its own at QoS 0, which takes nothing from the bridge to Kafka.
"""

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from pydantic import ValidationError

from dashboard.board import Board
from readings.connections import mqtt_client
from readings.facility import Facility
from readings.market import Market
from readings.problems import reason_of
from readings.settings import Settings
from readings.spellings import FACILITY, MARKET, renamed
from readings.stream import Stream

KEEPALIVE_S = 30
SOURCE = "mqtt"
REGION_NAMES = ("network_region", "region_code", "region_id")
FACILITY_NAMES = ("facility_code", "facility_id")


class LiveMarket:
    """A client in the background that stays connected. `board` has what came."""

    def __init__(self, settings: Settings, board: Board, streams: Mapping[str, Stream]) -> None:
        self.board = board
        self._settings = settings
        self._streams = streams
        self._state = "connecting"
        self._lock = threading.Lock()
        self._begun = False
        self._client = mqtt_client(settings)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = lambda *_: self._say("the broker cannot be reached")
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    @property
    def state(self) -> str:
        """``connected``, or why it is not."""
        return self._state

    def start(self) -> None:
        """Connects, and goes on trying, where it has not begun."""
        with self._lock:
            if not self._begun:
                host, port, _ = self._settings.mqtt_address
                self._client.connect_async(host, port, KEEPALIVE_S)
                self._client.loop_start()
                self._begun = True

    def stop(self) -> None:
        """Leaves the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def _say(self, state: str) -> None:
        self._state = state

    def _on_connect(
        self, client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._say(f"the broker refuses: {reason}")
        else:
            client.subscribe(self._settings.mqtt_topic, qos=0)

    def _on_subscribe(
        self, _client: Client, _data: Any, _mid: int, reasons: Sequence[ReasonCode], _properties: Properties | None
    ) -> None:
        refused = any(reason.is_failure for reason in reasons)
        self._say(f"the broker refuses MQTT_TOPIC, {self._settings.mqtt_topic}" if refused else "connected")

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: DisconnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._say(f"not connected: {reason}")

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            self.board.take([read_event(bytes(message.payload), self._streams, datetime.now(UTC))])
        except ValueError as error:
            self.board.refuse(str(error))
        except Exception as error:  # noqa: BLE001 - one message must not end the thread that reads the next
            self.board.refuse(f"{type(error).__name__}: {error}")


def read_event(payload: bytes, streams: Mapping[str, Stream], arrived_at: datetime) -> Facility | Market:
    """The reading of an event that arrived at an instant. Raises ValueError with what is wrong with it."""
    try:
        event = orjson.loads(payload)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(event, dict):
        raise ValueError("expected a JSON object")
    model: type[Facility | Market]
    if any(name in event for name in FACILITY_NAMES):
        name, model, spellings = "facility", Facility, FACILITY
    elif any(name in event for name in REGION_NAMES):
        name, model, spellings = "market", Market, MARKET
    else:
        raise ValueError("expected an object with facility_code or region_code")
    try:
        reading = model.model_validate_json(orjson.dumps(renamed(event, spellings, SOURCE)))
    except ValidationError as error:
        raise ValueError(reason_of(error)) from None
    problem = streams[name].time_problem(reading.timestamp, arrived_at)
    if problem:
        raise ValueError(problem)
    return reading
