"""A session with the MQTT broker of the settings, connected again for as long as it is open."""

from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from producer.states import State
from readings.connections import mqtt_client
from readings.settings import Settings

KEEPALIVE_S = 30
NOT_LET_IN = (134, 135)
"""Reason codes: bad user name or password; not authorized (MQTT 5.0, 2.4, which paho gives for 3.1.1 too)."""


class MqttSession:
    """Connects when it is entered, and tells how that goes. Its callbacks run in a thread of paho's."""

    def __init__(self, settings: Settings, client_id: str, state: State, *, keep: bool = False) -> None:
        """With `keep` the broker keeps the session of that client while it is away."""
        self.connected = False
        self.connections = 0
        """How often it was let in."""
        self._settings = settings
        self._state = state
        self._client = mqtt_client(settings, client_id, keep_session=keep)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = lambda *_: self._away("it cannot be reached")
        self._client.on_disconnect = self._on_disconnect

    def __enter__(self) -> Self:
        host, port, _ = self._settings.mqtt_address
        self._client.connect_async(host, port, KEEPALIVE_S)
        self._client.loop_start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _let_in(self) -> None:
        """What is to be done on each new connection."""

    def _on_connect(
        self, _client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if not reason.is_failure:
            self.connections += 1
            self.connected = True
            self._let_in()
            self._state.running()
        elif reason.value in NOT_LET_IN:
            self._state.failed(f"mqtt: the broker refuses MQTT_USERNAME or MQTT_PASSWORD ({reason})")
        else:
            self._away(str(reason))

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: DisconnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        was_connected, self.connected = self.connected, False
        if was_connected and reason.is_failure:
            self._away(str(reason))

    def _away(self, why: str) -> None:
        self._state.waiting(f"mqtt ({why})")
