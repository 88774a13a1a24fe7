"""The bridge from MQTT to Kafka: events of facilities and regions that others publish on ``MQTT_TOPIC``.

An event is one JSON object: ``{facility_code, timestamp, power, emissions}`` of a facility or
``{region_code, timestamp, price, demand}`` of a region, each in the spellings of `readings.spellings` as well. Times
carry their offset. What is neither is taken for a facility's, and becomes a dead letter of that stream.

Each stream has a session of its own, which the broker keeps while we are away (MQTT 3.1.1, ``clean_session=False``,
QoS 1). Its client id is chosen once and kept in MongoDB, so that two installations on one broker have a session each.
When MQTT_TOPIC changes the session stays: what was queued of the topic before is delivered yet, and no more of it.

An event is acknowledged to the broker (PUBACK) only after Kafka has acknowledged it: what was on its way when one of
the three ended is delivered again, and a reading that comes twice is written once.
"""

import logging
import queue
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from pydantic import ValidationError

from apis.nesting import TOO_DEEP, is_too_deep
from producer.clock import Clock
from producer.feed import Feed
from producer.messages import Message, dead_letter_message, reading_message
from producer.mqtt_session import MqttSession
from producer.sources.live import Live
from producer.states import State
from readings.declared import declare
from readings.problems import reason_of, shown
from readings.reading import Reading
from readings.settings import Settings
from readings.spellings import FACILITY, MARKET, renamed
from readings.stream import Stream

SOURCE = "mqtt"
VARIABLE = "MQTT_URL"
NAMES = {"facility": ("facility_code", "facility_id"), "market": ("network_region", "region_code", "region_id")}
"""What an event names its series by. One that names a facility is a facility's, whatever else it names."""
SPELLINGS = {"facility": FACILITY, "market": MARKET}
MOST_AT_ONCE = 500
MOST_WAITING = 100_000
"""Of events at QoS 0 while Kafka is away: the broker does not hold those back, and nobody else has them any more. Of
QoS 1 it sends no more than 65,535 that are not acknowledged (their numbers have 16 bits), and sends them again.
"""
LOOK_AGAIN = timedelta(seconds=1)
QUIET_S = 2.0
"""With ``--once``: when nothing came for so long, what the broker had kept is through."""
ANSWER_S = 15.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Received:
    """An event as it came."""

    topic: str
    payload: bytes
    acknowledge: Callable[[], None]
    """Tells the broker that it is safe."""


@dataclass(frozen=True)
class KeptSession:
    """What a session is known by to the broker, which keeps it while we are away."""

    client_id: str
    left: Sequence[str]
    """The topics of earlier settings: the broker may still have the session subscribed to them."""


def kept_session(facts: dict[str, Any], topic: str) -> KeptSession:
    """The session that a cursor's facts name: ``{client_id, topics}``. Facts that name none get a new one.

    Its client id is of 23 letters and digits: what every broker must take (MQTT 3.1.1, 3.1.3.1).
    """
    client_id = facts.setdefault("client_id", f"skywatt{secrets.token_hex(8)}")
    left = [one for one in facts.get("topics", []) if one != topic]
    facts["topics"] = [*left, topic]
    return KeptSession(client_id, left)


class Subscription(MqttSession):
    """Events as they come. A context manager."""

    def __init__(self, settings: Settings, kept: KeptSession | None, state: State) -> None:
        """Without `kept` the session ends with the connection."""
        super().__init__(settings, kept.client_id if kept else "", state, keep=kept is not None)
        self._left = list(kept.left) if kept else []
        self._inbox: queue.Queue[Received] = queue.Queue()
        self._lost = 0
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def received(self, wait_s: float) -> list[Received]:
        """What has come, or what comes first within the time; empty where nothing did."""
        lost, self._lost = self._lost, 0
        if lost:
            log.error("%d events at QoS 0 were lost while Kafka did not answer: publish them at QoS 1", lost)
        events: list[Received] = []
        try:
            events.append(self._inbox.get(timeout=wait_s))
            while len(events) < MOST_AT_ONCE:
                events.append(self._inbox.get_nowait())
        except queue.Empty:
            pass
        return events

    def _let_in(self) -> None:
        self._client.subscribe(self._settings.mqtt_topic, qos=1)
        if self._left:
            self._client.unsubscribe(self._left)

    def _on_subscribe(
        self, _client: Client, _data: Any, _mid: int, reasons: Sequence[ReasonCode], _properties: Properties | None
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._state.failed(f"mqtt: the broker refuses the subscription to MQTT_TOPIC, {self._settings.mqtt_topic}")

    def _on_message(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        connection = self.connections
        if message.qos == 0 and self._inbox.qsize() >= MOST_WAITING:
            self._lost += 1
            return

        def acknowledge() -> None:
            if connection == self.connections:  # a later connection brings it again, under a number of its own
                client.ack(message.mid, message.qos)

        self._inbox.put(Received(message.topic, bytes(message.payload), acknowledge))


@dataclass(frozen=True)
class Passed:
    """What came of passing on what the broker had kept."""

    sent: int
    failed: str | None = None


def read_event(stream: Stream, payload: bytes) -> Reading | None:
    """The reading of an event; None where it is another stream's. Raises ValueError with what is wrong with it."""
    try:
        event = orjson.loads(payload)
    except ValueError as error:
        if stream.name != "facility":
            return None
        raise ValueError(f"not JSON: {error}") from None
    named = next(
        (name for name, names in NAMES.items() if isinstance(event, dict) and any(one in event for one in names)), None
    )
    if (named or "facility") != stream.name:
        return None
    if is_too_deep(event):
        raise ValueError(f"read {TOO_DEEP}, expected a flat object")
    if named is None:
        raise ValueError(f"read {shown(event)}, expected an object with facility_code or region_code")
    try:
        return stream.model.model_validate_json(orjson.dumps(renamed(event, SPELLINGS[named], SOURCE)))
    except ValidationError as error:
        raise ValueError(reason_of(error)) from None


def _missing(settings: Settings) -> str | None:
    return None if settings.mqtt_url else VARIABLE


def _declaration(stream: Stream, _settings: Settings) -> tuple[list[str], timedelta]:
    return stream.config.series_names(), stream.config.cadence


def _subscription(feed: Feed, settings: Settings, dry_run: bool) -> Subscription:
    """A dry run has a session that is not kept, so that it takes nothing from the real one."""
    if not dry_run:
        feed.answered(lambda: declare(feed.database, feed.stream, SOURCE, *_declaration(feed.stream, settings)))
    return Subscription(settings, None if dry_run else _kept(feed, settings.mqtt_topic), feed.state)


def _kept(feed: Feed, topic: str) -> KeptSession:
    cursor = feed.cursor(SOURCE)
    session = kept_session(cursor.facts, topic)
    feed.answered(cursor.keep)  # before the broker hears of it
    return session


def _feed_live(feed: Feed, settings: Settings, dry_run: bool) -> None:
    """Passes events on until another source is declared for the stream."""
    look = feed.clock.now()
    with _subscription(feed, settings, dry_run) as subscription:
        while True:
            now = feed.clock.now()
            if not dry_run and now >= look:
                feed.still(SOURCE)
                look = now + LOOK_AGAIN
            _pass_on(feed, _next(subscription, feed.clock, LOOK_AGAIN.total_seconds()))


def _feed_once(feed: Feed, settings: Settings, dry_run: bool) -> Passed:
    """Passes on what the broker has kept, and what comes meanwhile."""
    sent = 0
    deadline = time.monotonic() + ANSWER_S
    with _subscription(feed, settings, dry_run) as subscription:
        while True:
            events = _next(subscription, feed.clock, QUIET_S)
            sent += _pass_on(feed, events)
            if subscription.connected and not events:
                return Passed(sent)
            if not subscription.connected and time.monotonic() > deadline:
                return Passed(sent, "the broker does not let us in")


def _next(subscription: Subscription, clock: Clock, wait_s: float) -> list[Received]:
    clock.wait_until(clock.now())  # ends when asked to
    return subscription.received(wait_s)


def _pass_on(feed: Feed, events: Sequence[Received]) -> int:
    """Sends events to Kafka and acknowledges them when it has; gives how many were readings."""
    messages: list[Message] = []
    dead_letters = 0
    stream, now = feed.stream, feed.clock.now()
    for event in events:
        try:
            reading = read_event(stream, event.payload)
            problem = stream.time_problem(reading.event_time, now) if reading else None
        except ValueError as error:
            problem = str(error)
        if problem is not None:
            dead_letters += 1
            log.warning("became a dead letter: %s: %s", event.topic, problem, extra={"stream": stream.name})
            messages.append(dead_letter_message(stream, SOURCE, event.topic, problem, event.payload, now))
        elif reading is not None:
            messages.append(reading_message(reading, stream.topic))
    if messages:
        feed.publisher.publish(messages)
        feed.state.count(sent=len(messages) - dead_letters, dead_letters=dead_letters)
    for event in events:
        event.acknowledge()
    return len(messages) - dead_letters


LIVE = Live(_missing, _declaration, _feed_live, _feed_once)
