"""``bash run.sh`` brings every part up, and readings flow."""

from typing import Any

import pytest

from local_stack import mosquitto
from local_stack.parts import PARTS
from readings.logs import secrets_of
from tests.end_to_end.consumer import wait_until
from tests.end_to_end.whole_stack import WholeStack

pytestmark = pytest.mark.timeout(900)

STARTED = [part for part in PARTS if part != mosquitto.NAME]
"""Without MQTT_URL there is no broker."""
BACKFILLED = {"weather": 5000, "production": 16_000, "meter": 14_000, "facility": 20_000, "market": 1400}
"""How many readings of each stream the recordings hold at least for the time before now."""
MOST_ON_THE_WAY = 2000
"""How many readings one store may have before the other."""


def test_up_shows_every_part_and_that_the_readings_are_recordings(whole_stack: WholeStack) -> None:
    assert all(f"\n{part} " in whole_stack.told for part in STARTED)
    assert "Recordings: the readings of weather" in whole_stack.told
    assert "to the log only" in whole_stack.told


def test_after_up_everything_runs_and_readings_are_in_both_stores(whole_stack: WholeStack) -> None:
    told = whole_stack.status()
    assert {part["name"]: part["state"] for part in told["parts"]} == dict.fromkeys(STARTED, "running")
    assert all(part["rss_mb"] > 0 for part in told["parts"])

    streams: dict[str, dict[str, Any]] = {}

    def backfilled() -> bool:
        streams.update((stream["name"], stream) for stream in whole_stack.status()["streams"])
        return streams.keys() == BACKFILLED.keys() and all(
            None not in streams[name].values()
            and least <= streams[name]["mongodb"] <= streams[name]["elasticsearch"] + MOST_ON_THE_WAY
            and least <= streams[name]["elasticsearch"]
            for name, least in BACKFILLED.items()
        )

    wait_until(backfilled, "the recordings of the time before now in both stores, and every number", 300)
    for name, stream in streams.items():
        assert (stream["late"], stream["dead_letters"], stream["silent"]) == (0, 0, 0), name


def test_a_second_up_changes_nothing(whole_stack: WholeStack) -> None:
    def pids() -> dict[str, int]:
        return {part["name"]: part["pid"] for part in whole_stack.status()["parts"]}

    before = pids()
    answer = whole_stack.run("up")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "nothing was changed" in answer.stdout
    assert pids() == before


def test_no_secret_is_shown_or_logged(whole_stack: WholeStack) -> None:
    secrets = secrets_of(whole_stack.settings)
    shown = whole_stack.told + whole_stack.run("status").stdout + whole_stack.run("logs", "-n", "1000").stdout
    for log in whole_stack.layout.logs.iterdir():
        shown += log.read_text(errors="replace")
    assert secrets
    assert not [secret for secret in secrets if secret in shown]
