"""OpenElectricity's plans allow so many calls a day: both streams and a backfill share them."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from apis.errors import OutOfCalls
from producer.cursor import UnkeptCursor
from producer.feed import Feed
from producer.pacing import COLLECTION
from producer.rounds import Rounds
from producer.sources.openelectricity import LIVE, _fed
from readings.errors import ConfigError
from readings.settings import Settings
from readings.stream import load_streams
from tests.apis.misbehaving_server import MisbehavingServer, answer
from tests.producer import stand_ins
from tests.producer.conftest import NOW, ROOT, Heard, Kept, TurnedClock
from tests.producer.stand_ins import KEY, no_data
from tests.stand_in import Collection, Document, takes

CALLS_A_ROUND = 12
"""330 facilities, thirty a call, and the market of one network."""
TODAY = f"openelectricity/{NOW:%Y-%m-%d}"


class Counts(Collection):
    """A collection whose documents count."""

    def update_one(self, which: Document, change: Document, upsert: bool = False) -> Any:
        taken = [one for one in self.near(which["_id"]) if takes(one, which)]
        if not taken and upsert:
            self.documents[which["_id"]] = {"_id": which["_id"], **change["$setOnInsert"]}
        for one in taken:
            one.update({name: one[name] + more for name, more in change.get("$inc", {}).items()})
        return SimpleNamespace(modified_count=len(taken))


class Scene:
    """Both streams of skywatt.yml, fed by a service that knows all facilities and has no values."""

    def __init__(self, server: MisbehavingServer, clock: TurnedClock, kept: Kept, heard: Heard) -> None:
        self.server, self.clock, self.heard = server, clock, heard
        self.settings = Settings(_env_file=None, openelectricity_api_key=KEY, openelectricity_base_url=server.url)
        self.database: Any = defaultdict(Counts)
        streams = load_streams(self.settings)
        self.feeds = {name: Feed(streams[name], self.database, kept, clock, heard) for name in ("facility", "market")}
        places = streams["facility"].config.places()
        self.listed = [
            {"code": one.name, "network_id": "NEM", "units": [{"code": one.name, "fueltech_id": "wind"}]}
            for one in places
        ]
        server.choose = self.choose

    def choose(self, query: stand_ins.Query) -> Any:
        if query["path"] == "/v4/facilities/":
            return stand_ins.openelectricity(query, self.listed)
        return no_data("network NEM")

    def once(self, name: str) -> Any:
        return LIVE.once(self.feeds[name], self.settings, True)

    @property
    def counted(self) -> int:
        return int(self.database[COLLECTION].documents[TODAY]["calls"])

    @counted.setter
    def counted(self, calls: int) -> None:
        self.database[COLLECTION].documents[TODAY] = {"_id": TODAY, "calls": calls}


@pytest.fixture
def scene(clock: TurnedClock, kept: Kept, heard: Heard) -> Iterator[Scene]:
    with MisbehavingServer() as server:
        yield Scene(server, clock, kept, heard)


@pytest.mark.parametrize("name", ["facility", "market"])
def test_the_free_plan_is_kept_to_by_rounds_that_are_made_less_often(scene: Scene, name: str) -> None:
    def interval(calls: int) -> timedelta:
        settings = scene.settings.model_copy(update={"openelectricity_daily_calls": calls})
        return LIVE.declaration(scene.feeds[name].stream, settings)[1]

    assert LIVE.declaration(scene.feeds[name].stream, scene.settings)[1] == interval(500) == timedelta(minutes=37)
    assert interval(5000) == timedelta(minutes=5)
    with pytest.raises(ConfigError, match=f"OPENELECTRICITY_DAILY_CALLS: read 11, expected at least {CALLS_A_ROUND}"):
        interval(11)


def test_a_stream_that_mqtt_feeds_takes_no_calls(scene: Scene, tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "skywatt.yml").read_text())
    config["streams"]["facility"]["sources"] = ["mqtt", "openelectricity"]
    for one in config["streams"].values():
        if isinstance(one.get("series"), str):
            one["series"] = str(ROOT / one["series"])
    (tmp_path / "skywatt.yml").write_text(yaml.safe_dump(config))
    settings = scene.settings.model_copy(update={"skywatt_config": tmp_path / "skywatt.yml"})

    def interval(name: str, mqtt_url: str | None) -> timedelta:
        both = settings.model_copy(update={"mqtt_url": mqtt_url})
        return LIVE.declaration(load_streams(both)[name], both)[1]

    assert interval("market", "mqtt://host:1883") == timedelta(minutes=5)
    assert interval("facility", "mqtt://host:1883") == timedelta(minutes=37), "asked for by name"
    assert interval("market", None) == timedelta(minutes=37)


def test_the_start_says_how_often_it_asks_and_what_will_be_late(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    scene.once("market")
    assert "12 calls every 37min: at most 468 a day (OPENELECTRICITY_DAILY_CALLS is 500)" in caplog.text
    assert "more than 15min after its time counts as late" in caplog.text
    (warned,) = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert (
        "set streams.market.allowed_delay in skywatt.yml to more than 37min, or OPENELECTRICITY_DAILY_CALLS" in warned
    )
    caplog.clear()
    scene.settings = scene.settings.model_copy(update={"openelectricity_daily_calls": 5000})
    scene.once("market")
    assert "12 calls every 5min" in caplog.text
    assert "late" not in caplog.text


def test_both_streams_share_the_calls_of_the_day(scene: Scene) -> None:
    scene.once("facility")
    scene.once("market")
    assert scene.counted == len(scene.server.requests) == CALLS_A_ROUND + 1, "and the list of facilities"
    scene.counted = 500
    scene.server.requests.clear()
    for name in scene.feeds:
        scene.once(name)
        assert scene.heard.state == "waiting"
        assert "OPENELECTRICITY_DAILY_CALLS: all calls of the day (UTC) are made" in (scene.heard.why or "")
    assert scene.server.requests == []
    scene.clock.time += timedelta(days=1)
    scene.once("market")
    assert scene.heard.state == "running"


def test_a_backfill_leaves_the_calls_that_the_rounds_of_the_day_need(scene: Scene) -> None:
    assert LIVE.spans is not None
    spans = LIVE.spans(scene.feeds["market"], scene.settings)
    needed = CALLS_A_ROUND * (
        (NOW.replace(hour=0, minute=0, second=0) + timedelta(days=1) - NOW) // timedelta(minutes=37)
    )
    scene.counted = 500 - needed - 1
    assert list(spans.fetch(NOW - timedelta(days=1), NOW, "backfill")) == []
    with pytest.raises(OutOfCalls, match=f"are made but {needed}, which its rounds need"):
        list(spans.fetch(NOW - timedelta(days=1), NOW, "backfill"))
    scene.once("market")
    assert scene.heard.state == "running"


@pytest.mark.slow
def test_what_was_answered_before_the_calls_of_the_day_ended_is_sent_once(
    scene: Scene, kept: Kept, clock: TurnedClock
) -> None:
    scene.server.choose = lambda query: stand_ins.openelectricity(query, scene.listed)
    spans = _fed(scene.feeds["facility"], scene.settings, False)
    rounds = Rounds(
        spans, scene.feeds["facility"].stream, kept, UnkeptCursor(), clock, scene.heard, timedelta(minutes=37)
    )
    scene.counted = 500 - 11  # the list of facilities, and ten of eleven calls
    done = rounds.round()
    assert done is not None
    assert isinstance(done.failed, OutOfCalls)
    assert done.sent == len(list(kept.readings("facilities"))) > 0
    assert scene.heard.state == "waiting"
    scene.counted = 0
    rounds.round()
    sent = [(one["facility_code"], one["timestamp"]) for _, one in kept.readings("facilities")]
    assert len(sent) == len(set(sent)) > done.sent


def test_calls_for_some_series_alone_leave_what_the_rounds_of_the_day_need(scene: Scene) -> None:
    scene.once("facility")
    needed = CALLS_A_ROUND * (
        (NOW.replace(hour=0, minute=0, second=0) + timedelta(days=1) - NOW) // timedelta(minutes=37)
    )
    for name, series in (("market", "NSW1"), ("facility", scene.listed[0]["code"])):
        spans = _fed(scene.feeds[name], scene.settings, False)
        scene.counted = 500 - needed - 3  # the list of facilities, and two
        assert list(spans.fetch(NOW - timedelta(hours=1), NOW, "live", [series])) == []
        scene.counted = 500 - needed
        with pytest.raises(OutOfCalls, match=f"are made but {needed}, which its rounds need"):
            list(spans.fetch(NOW - timedelta(hours=1), NOW, "backfill", [series]))
        assert list(spans.fetch(NOW - timedelta(hours=1), NOW, "live")) == []


def test_a_refused_key_may_have_no_calls_left(scene: Scene) -> None:
    scene.server.choose = lambda _query: answer(401, {"detail": "Authentication failed"})
    scene.once("market")
    assert scene.heard.state == "failed"
    assert "or its plan's calls of the day are used up: GET" in (scene.heard.why or "")
