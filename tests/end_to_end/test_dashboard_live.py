"""The dashboard's own client of MQTT, on a real Mosquitto."""

import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from dashboard.board import Board, Seen
from dashboard.live import LiveMarket
from local_stack import mosquitto
from local_stack.layout import layout
from local_stack.passwords import ensure_passwords
from local_stack.spare import settings_of, spare_environment
from readings.connections import mqtt_client
from readings.settings import LOCAL, Settings
from readings.stream import load_streams
from tests.end_to_end.consumer import wait_until

AT = datetime.now(UTC).isoformat()
BURST = 5000


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Of a broker that runs."""
    environment = spare_environment(tmp_path_factory.mktemp("mqtt"), MQTT_URL=LOCAL)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        ensure_passwords()
    settings = settings_of(environment)
    here = layout(settings)
    here.make()
    program = mosquitto.prepare(settings, here)
    log = Path(here.log("mosquitto"))
    with log.open("wb") as output, subprocess.Popen(program.command, stdout=output, stderr=output) as process:
        try:
            wait_until(lambda: answers(settings), "an answer of the broker", 30)
            yield settings
        finally:
            process.terminate()


def answers(settings: Settings) -> bool:
    try:
        mosquitto.ping(settings, 1)
    except OSError:
        return False
    return True


@pytest.fixture
def live(settings: Settings) -> Iterator[LiveMarket]:
    streams = load_streams(settings)
    client = LiveMarket(settings, Board(streams["facility"].config.places()), streams)
    client.start()
    try:
        wait_until(lambda: client.state == "connected", "a connection", 30)
        yield client
    finally:
        client.stop()


def publish(settings: Settings, payloads: list[bytes]) -> None:
    client = mqtt_client(settings)
    host, port, _ = settings.mqtt_address
    client.connect(host, port)
    client.loop_start()
    for payload in payloads[:-1]:
        client.publish(settings.mqtt_topic, payload, qos=0)
    client.publish(settings.mqtt_topic, payloads[-1], qos=1).wait_for_publish(30)
    client.disconnect()
    client.loop_stop()


def facility(code: str, power: float) -> bytes:
    return orjson.dumps({"facility_code": code, "timestamp": AT, "power": power, "emissions": 1.5})


def test_events_are_on_the_board_and_bad_ones_are_counted_and_not_raised(live: LiveMarket, settings: Settings) -> None:
    region = {"region_code": "VIC1", "timestamp": AT, "price": 45.5, "demand": 5000}
    publish(
        settings,
        [
            facility("BAYSW", 1200.5),
            b"{",
            b"[1]",
            orjson.dumps({"facility_code": "BAYSW", "timestamp": AT, "power": "much"}),
            orjson.dumps({"timestamp": AT}),
            b'{"facility_code": ' + b"[" * 300 + b"]" * 300 + b"}",  # so deep that it cannot be written again
            orjson.dumps(region),
        ],
    )
    wait_until(lambda: live.board.seen().taken == 2 and live.board.seen().bad == 5, "two good and five bad", 30)
    seen: Seen = live.board.seen()
    (bayswater,) = [one for one in seen.facilities if one.code == "BAYSW"]
    assert (bayswater.power_mw, bayswater.emissions_t, bayswater.region) == (1200.5, 1.5, "NSW1")
    assert [(one.region, one.price_per_mwh, one.demand_mw) for one in seen.regions] == [("VIC1", 45.5, 5000)]
    assert seen.last_bad.startswith("TypeError: ")


def test_five_hundred_messages_a_second_are_kept_up_with(live: LiveMarket, settings: Settings) -> None:
    began = time.monotonic()
    publish(settings, [facility(f"F{number % 515}", float(number)) for number in range(BURST)])
    wait_until(lambda: live.board.seen().taken == BURST, "all of the burst", 30)
    assert BURST / (time.monotonic() - began) > 500
    assert len(live.board.seen().events) == 1000
