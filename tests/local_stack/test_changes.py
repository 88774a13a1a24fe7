import json
from pathlib import Path

import pytest

from local_stack import changes, parts
from local_stack.changes import changed, code_changed, remember
from local_stack.layout import Layout
from readings.logs import secrets_of
from readings.settings import Settings, load_settings


def test_a_changed_setting_is_named_and_no_secret_is_kept(
    settings: Settings, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(settings, layout)
    assert changed(load_settings(), layout) == []
    monkeypatch.setenv("LOCAL_KAFKA_PASSWORD", "another-secret")
    monkeypatch.setenv("SKYWATT_KAFKA_PORT", "1234")
    assert changed(load_settings(), layout) == ["SKYWATT_KAFKA_PORT", "LOCAL_KAFKA_PASSWORD"]
    kept = (layout.run / "settings.json").read_text()
    assert not [one for one in (*secrets_of(settings), "another-secret") if one in kept]


def test_before_the_first_start_nothing_has_changed(settings: Settings, layout: Layout) -> None:
    assert changed(settings, layout) == []
    assert not code_changed(layout)


def test_a_setting_that_an_older_version_did_not_know_has_not_changed(settings: Settings, layout: Layout) -> None:
    remember(settings, layout)
    path = layout.run / "settings.json"
    kept = json.loads(path.read_text())
    del kept["hashes"]["openelectricity_daily_calls"], kept["code"]
    path.write_text(json.dumps(kept))
    assert changed(settings, layout) == []
    assert code_changed(layout)


def test_the_code_has_changed_where_a_file_of_it_or_the_packages_have(
    settings: Settings, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "clone"
    for name in ("readings/a.py", "local_stack/b.py", "requirements.lock"):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).touch()
    monkeypatch.setattr(changes, "ROOT", clone)
    remember(settings, layout)
    (clone / "local_stack" / "b.py").write_text("another")
    (clone / "readings" / "__pycache__").mkdir()
    (clone / "readings" / "__pycache__" / "a.pyc").touch()
    assert not code_changed(layout)
    for name in ("readings/a.py", "requirements.lock"):
        (clone / name).write_text("another")
        assert code_changed(layout)
        remember(settings, layout)
        assert not code_changed(layout)


def test_every_part_is_run_from_what_is_looked_at() -> None:
    rooms = {words[0].partition(".")[0] for words in parts._MODULES.values()}
    assert rooms | {"readings", "apis"} == set(changes.CODE)
