"""``python -m producer publish-mqtt``: the events of a compact cache go to the MQTT broker, again and again.

Events go out at QoS 1, the next one only when the broker has acknowledged the one before. Within a cycle no code comes
twice at the same timestamp.
"""

import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
from paho.mqtt.client import Client
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from producer.clock import Clock
from producer.consolidated import Event, read_events
from producer.laid import DAY
from producer.mqtt_session import MqttSession
from producer.states import State
from readings.settings import Settings

LOOK_AGAIN_S = 1.0

log = logging.getLogger(__name__)

Send = Callable[[bytes], None]
"""Returns when an event is safe."""


class Outbox(MqttSession):
    """Where events leave. A context manager."""

    def __init__(self, settings: Settings, clock: Clock, state: State) -> None:
        super().__init__(settings, "", state)
        self._clock = clock
        self._acknowledged: set[int] = set()
        self._news = threading.Event()
        self._client.on_publish = self._on_publish

    def send(self, payload: bytes) -> None:
        """Returns when the broker has acknowledged, however long that takes. Raises Stopped when asked to end."""
        sent = self._client.publish(self._settings.mqtt_topic, payload, qos=1)  # kept and sent again while it is away
        while sent.mid not in self._acknowledged:
            self._news.wait(LOOK_AGAIN_S)
            self._news.clear()
            self._clock.wait_until(self._clock.now())
        self._acknowledged.discard(sent.mid)

    def _on_publish(
        self, _client: Client, _data: Any, mid: int, _reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._acknowledged.add(mid)
        self._news.set()


def publish(path: Path, send: Send, clock: Clock, delay: timedelta, *, shift_to_now: bool) -> Iterator[int]:
    """One cycle: sends the file's events, each `delay` after the one before was safe; gives how many that made.

    With `shift_to_now` timestamps are moved by whole days so that the last one is before now. Raises RecordingError
    where the file is no compact cache.
    """
    events = read_events(path)
    shift = (clock.now() - max(event.at for event in events)) // DAY * DAY if shift_to_now else timedelta()
    due = clock.now()
    for number, event in enumerate(_each_once(events), 1):
        clock.wait_until(due)
        send(orjson.dumps(event.shifted(shift).fields))
        due = clock.now() + delay
        yield number


def again_and_again(cycle: Callable[[], Iterator[int]], clock: Clock, cooldown: timedelta) -> Iterator[int]:
    """Cycles with a pause after each, without an end."""
    for number in itertools.count(1):
        sent = 0
        for sent in cycle():
            yield sent
        log.info("cycle %d is through: %d events, the next in %g s", number, sent, cooldown.total_seconds())
        clock.wait_until(clock.now() + cooldown)


def _each_once(events: list[Event]) -> Iterator[Event]:
    seen = set()
    for event in events:
        if event.key not in seen:
            seen.add(event.key)
            yield event
