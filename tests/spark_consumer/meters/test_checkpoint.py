"""A checkpoint of an older version, or of what was replayed, is no longer one to go on from."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from readings import anew
from readings.anew import Anew
from spark_consumer.meters import checkpoint
from spark_consumer.meters.store import MeterStore
from tests.spark_consumer.stand_in import View, database


@pytest.mark.parametrize(("operator", "goes_on"), [("applyInPandasWithState", False), ("transformWithState", True)])
def test_states_of_an_older_version_are_removed(
    folder: Path, caplog: pytest.LogCaptureFixture, operator: str, goes_on: bool
) -> None:
    metadata = folder / "state" / "0" / "_metadata" / "metadata"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f'v1\n{{"operatorInfo":{{"operatorId":0,"operatorName":"{operator}"}}}}')
    with caplog.at_level(logging.WARNING):
        checkpoint.remove_where_older(folder)
    assert folder.exists() == goes_on
    assert ("older version" in caplog.text) != goes_on


LIVE = datetime(2026, 11, 24, 3, tzinfo=UTC)


def test_where_the_meters_went_live_it_is_removed_once_with_the_totals_of_what_was_replayed(folder: Path) -> None:
    of, view = database(), View()
    in_view: Any = view
    store = MeterStore(of, "meter", in_view, "")
    for sensor in ("demo", "mine"):
        of["meter_totals"].documents[sensor] = {"_id": sensor, "sensor_id": sensor}
        view.documents["totals-meter-2026.11", sensor] = {"sensor_id": sensor}
    anew.note(of, "meter", ["demo"])
    assert checkpoint.begin_anew(folder, store, of) == Anew(series=("demo",))
    assert (folder.exists(), len(view.documents)) == (True, 2), "before it is asked for"

    anew.ask(of, "meter", ["replay"], LIVE)
    went_live = checkpoint.begin_anew(folder, store, of)

    assert (went_live.sources, went_live.before) == (("replay",), LIVE)
    assert list(folder.parent.iterdir()) == []
    assert list(of["meter_totals"].documents) == ["mine"]
    assert list(view.documents) == [("totals-meter-2026.11", "mine")]
    folder.mkdir()
    assert checkpoint.begin_anew(folder, store, of) == Anew((), ("replay",), LIVE)
    assert folder.exists()


def test_where_there_is_no_checkpoint_the_totals_of_what_was_replayed_are_removed(tmp_path: Path) -> None:
    """As when the meters went live before the consumer's first start, or a kill came after the checkpoint's removal."""
    of, view = database(), View()
    in_view: Any = view
    of["meter_totals"].documents["demo"] = {"_id": "demo", "sensor_id": "demo"}
    anew.note(of, "meter", ["demo"])
    anew.ask(of, "meter", ["replay"], LIVE)

    checkpoint.begin_anew(tmp_path / "meter_totals", MeterStore(of, "meter", in_view, ""), of)

    assert not of["meter_totals"].documents
    assert not anew.asked(of, "meter").due


def test_a_second_change_of_source_without_a_replay_asks_for_nothing() -> None:
    of = database()
    anew.note(of, "meter", ["demo"])
    anew.ask(of, "meter", ["replay"], LIVE)
    anew.done(of, "meter", anew.asked(of, "meter"))
    anew.note(of, "meter", [])
    anew.ask(of, "meter", ["replay"], datetime.now(UTC))

    assert anew.asked(of, "meter") == Anew((), ("replay",), LIVE)


def test_what_is_asked_for_once_more_meanwhile_stays_due() -> None:
    of = database()
    anew.note(of, "meter", ["demo"])
    anew.ask(of, "meter", ["replay"], LIVE)
    first = anew.asked(of, "meter")
    anew.ask(of, "meter", ["replay"], datetime.now(UTC))
    anew.done(of, "meter", first)

    assert anew.asked(of, "meter").due
