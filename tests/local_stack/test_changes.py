import pytest

from local_stack.changes import changed, remember
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
