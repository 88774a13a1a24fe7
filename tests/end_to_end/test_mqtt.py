"""The bridge on a real Mosquitto: what one of the three servers, or the bridge, loses is delivered again."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local_stack.spare import SpareStack, spare_stack
from producer.consolidated import write_consolidated
from readings.config import ROOT
from readings.connections import connect_mongodb
from readings.facility import Facility
from readings.market import Market
from readings.reading import Reading
from readings.settings import LOCAL, Settings
from tests.end_to_end.test_producer import ends, eventually, messages, producer

pytestmark = pytest.mark.timeout(300)

ROWS = 40
EVENTS = ROWS * 3
STEP = timedelta(minutes=5)


@pytest.fixture(scope="module")
def broker() -> Iterator[SpareStack]:
    """A stack with an MQTT broker."""
    with spare_stack(MQTT_URL=LOCAL) as servers:
        yield servers


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Two facilities and a region, until a few days ago."""
    path = tmp_path / "consolidate.csv"
    last = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=3)
    write_consolidated(path, (reading for row in range(ROWS) for reading in readings(last - row * STEP, row)))
    return path


def readings(at: datetime, row: int) -> list[Reading]:
    return [
        Facility(source="test", facility_code="BAYSW", timestamp=at, power_mw=1000.0 + row, emissions_t=90.0),
        Facility(source="test", facility_code="ADP", timestamp=at, power_mw=float(row)),
        Market(source="test", network_region="NSW1", timestamp=at, price_per_mwh=50.5, demand_mw=7000.0 + row),
    ]


def publish(environment: Mapping[str, str], cache: Path, *arguments: str) -> int:
    """One cycle without pauses, in a process of its own: its exit code."""
    words = [sys.executable, "-m", "producer", "publish-mqtt", str(cache), "--once", "--delay", "0", *arguments]
    return subprocess.run(words, env=dict(environment), cwd=ROOT, check=False, capture_output=True).returncode


def arrived(settings: Settings) -> list[dict[str, Any]]:
    return [one for topic in ("facilities", "markets") for one in messages(settings, topic)]


def whole(settings: Settings) -> bool:
    """Whether each event of a cycle is on Kafka, some perhaps twice."""
    return len({json.dumps(one) for one in arrived(settings)}) == EVENTS


def state(settings: Settings) -> dict[str, Any]:
    return connect_mongodb(settings)["parts"].find_one({"_id": "producer"}) or {}


def test_what_comes_while_the_bridge_is_away_is_kept_for_it(broker: SpareStack, cache: Path, tmp_path: Path) -> None:
    mine, log = broker.apart("mqtt_away", MQTT_TOPIC="test/away"), tmp_path / "log"
    with producer(mine.environment, log, "run", "mqtt", "--once") as first:
        assert first.wait(60) == 0
    assert arrived(mine.settings) == []
    assert publish(mine.environment, cache, "--shift-to-now") == 0
    with producer(mine.environment, log, "run", "mqtt", "--once") as second:
        assert second.wait(60) == 0
    found = arrived(mine.settings)
    assert len(found) == EVENTS
    assert whole(mine.settings)
    newest = max(datetime.fromisoformat(one["timestamp"]) for one in found)
    assert timedelta() <= datetime.now(UTC) - newest < timedelta(days=1)
    assert {one["source"] for one in found} == {"mqtt"}
    with producer(mine.environment, log, "run", "mqtt", "--once") as third:
        assert third.wait(60) == 0
    assert len(arrived(mine.settings)) == EVENTS, "what was acknowledged does not come again"


def once(mine: SpareStack, log: Path) -> None:
    """What the broker has kept for the bridge is through."""
    with producer(mine.environment, log, "run", "mqtt", "--once") as process:
        assert process.wait(60) == 0


def test_a_changed_topic_is_left_and_what_it_had_queued_is_not_lost(
    broker: SpareStack, cache: Path, tmp_path: Path
) -> None:
    old, log = broker.apart("mqtt_topic", MQTT_TOPIC="test/old"), tmp_path / "log"
    new = broker.apart("mqtt_topic", MQTT_TOPIC="test/new")
    once(old, log)
    assert publish(old.environment, cache) == 0
    once(new, log)
    assert whole(new.settings)
    assert publish(old.environment, cache) == 0
    once(new, log)
    assert len(arrived(new.settings)) == EVENTS, "nothing of the topic that was left"
    assert publish(new.environment, cache, "--shift-to-now") == 0
    once(new, log)
    assert len(arrived(new.settings)) == 2 * EVENTS


def test_two_installations_on_one_broker_do_not_throw_each_other_out(
    broker: SpareStack, cache: Path, tmp_path: Path
) -> None:
    mine, log = broker.apart("mqtt_two", MQTT_TOPIC="test/two"), tmp_path / "log"
    with producer(mine.environment, log, "run", "mqtt") as bridge:
        eventually(lambda: state(mine.settings).get("state") == "running", "the bridge runs")
        connect_mongodb(mine.settings)["cursors"].delete_many({})  # as in the other one's MongoDB, which knows of none
        once(mine, tmp_path / "other_log")
        assert publish(mine.environment, cache) == 0
        eventually(lambda: whole(mine.settings), "each event")
        assert ends(bridge) == 0
    assert "waiting: mqtt" not in log.read_text()


@pytest.mark.parametrize("away", ["kafka", "mosquitto", "the bridge"])
def test_a_kill_loses_nothing(broker: SpareStack, cache: Path, tmp_path: Path, away: str) -> None:
    name = away.replace(" ", "_")
    mine, log = broker.apart(f"mqtt_{name}", MQTT_TOPIC=f"test/{name}"), tmp_path / "log"
    half = tmp_path / "half.csv"
    lines = cache.read_text().splitlines(keepends=True)
    half.write_text("".join(lines[: ROWS // 2]))
    with producer(mine.environment, log, "run", "mqtt") as bridge:
        eventually(lambda: state(mine.settings).get("state") == "running", "the bridge runs")
        assert publish(mine.environment, half) == 0
        eventually(lambda: arrived(mine.settings), "events arrive")
        if away == "kafka":
            with broker.away("kafka"):
                assert publish(mine.environment, cache) == 0
                eventually(lambda: (state(mine.settings).get("waiting_for") or "").startswith("kafka"), "it waits")
                bridge.kill()  # with events in its hands that Kafka has not
        elif away == "mosquitto":
            broker.kill_and_wait("mosquitto")
            assert publish(mine.environment, cache) == 0
        else:
            bridge.kill()
            assert publish(mine.environment, cache) == 0
        if away == "mosquitto":
            eventually(lambda: whole(mine.settings), "each event, by the same bridge")
            assert ends(bridge) == 0
            return
    with producer(mine.environment, log, "run", "mqtt") as again:
        eventually(lambda: whole(mine.settings), "each event, by the next bridge")
        assert ends(again) == 0


def test_what_is_no_event_is_a_dead_letter_once(broker: SpareStack, tmp_path: Path) -> None:
    mine, log = broker.apart("mqtt_bad", MQTT_TOPIC="test/bad"), tmp_path / "log"
    bad = tmp_path / "bad.csv"
    to_come = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}"
    rows = "2026-11-20T00:00:00Z,99999,1", "2026-11-20T00:05:00Z,5,", f"{to_come},6,"
    bad.write_text("\n".join(("timestamp,BAYSW.power,NSW9.price", *rows, "")))
    with producer(mine.environment, log, "run", "mqtt", "--once") as first:
        assert first.wait(60) == 0
    assert publish(mine.environment, bad) == 0
    with producer(mine.environment, log, "run", "mqtt", "--once") as second:
        assert second.wait(60) == 0
    assert [one["power_mw"] for one in arrived(mine.settings)] == [5.0]
    reasons = [letter["reason"] for letter in messages(mine.settings, "dead-letters")]
    assert len(reasons) == 3
    for part in ("NSW9", "99999", to_come[:10]):
        assert any(part in reason for reason in reasons), part


def test_a_wrong_password_is_said_by_name(broker: SpareStack, tmp_path: Path) -> None:
    mine = broker.apart("mqtt_401", LOCAL_MQTT_PASSWORD="wr0ng-password")
    with producer(mine.environment, tmp_path / "log", "run", "mqtt") as process:
        eventually(lambda: state(mine.settings).get("state") == "failed", "it says failed")
        assert ends(process) == 0
    assert "MQTT_PASSWORD" in state(mine.settings)["waiting_for"]
    assert "wr0ng" not in (tmp_path / "log").read_text()


def test_a_dry_run_takes_nothing_from_the_bridge(broker: SpareStack, cache: Path, tmp_path: Path) -> None:
    mine, log = broker.apart("mqtt_dry", MQTT_TOPIC="test/dry"), tmp_path / "log"
    with producer(mine.environment, log, "run", "mqtt", "--once") as first:
        assert first.wait(60) == 0
    printed = tmp_path / "printed"
    with producer(mine.environment, printed, "run", "mqtt", "--dry-run", "--limit", "5") as dry:
        while dry.poll() is None:
            assert publish(mine.environment, cache) == 0
        assert dry.wait(60) == 0
    assert printed.read_text().count('"mode":"live"') == 5
    assert arrived(mine.settings) == []
    with producer(mine.environment, log, "run", "mqtt", "--once") as second:
        assert second.wait(60) == 0
    assert whole(mine.settings)
