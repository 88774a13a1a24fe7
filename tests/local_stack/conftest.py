import os
from pathlib import Path

import pytest

from local_stack.layout import Layout
from readings.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a stack of its own in a folder of the test, with passwords, nothing of it running."""
    folder = tmp_path_factory.mktemp("s")  # a short name: the path of a socket is limited
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("SKYWATT_DATA", str(folder / "data"))
    monkeypatch.setenv("SKYWATT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SKYWATT_ENV_FILE", str(tmp_path / "env"))
    for name in ("KAFKA", "MONGODB", "ELASTICSEARCH", "MQTT"):
        monkeypatch.setenv(f"LOCAL_{name}_PASSWORD", f"secret-of-{name.lower()}")
    return load_settings()


@pytest.fixture
def layout(settings: Settings) -> Layout:
    made = Layout(settings.skywatt_data)
    made.make()
    return made


@pytest.fixture
def fake_bin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first on PATH, for programs that stand in for real ones."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder
