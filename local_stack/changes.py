"""Tells whether the settings have changed since the parts were started: they read them at their start alone."""

import hashlib
import json
import secrets

from pydantic import SecretStr

from local_stack.layout import Layout
from readings.settings import Settings


def remember(settings: Settings, layout: Layout) -> None:
    """Keeps a keyed hash of each setting: enough to see a change, nothing to read a secret from."""
    salt = secrets.token_hex(16)
    path = layout.run / "settings.json"
    path.write_text(json.dumps({"salt": salt, "hashes": _hashes(settings, salt)}))
    path.chmod(0o600)


def changed(settings: Settings, layout: Layout) -> list[str]:
    """The variables that differ from what was remembered."""
    path = layout.run / "settings.json"
    if not path.exists():
        return []
    remembered = json.loads(path.read_text())
    hashes = _hashes(settings, remembered["salt"])
    return [name.upper() for name, hashed in hashes.items() if remembered["hashes"].get(name) != hashed]


def _hashes(settings: Settings, salt: str) -> dict[str, str]:
    return {
        name: hashlib.sha256(f"{salt}{_plain(getattr(settings, name))}".encode()).hexdigest()
        for name in Settings.model_fields
    }


def _plain(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
