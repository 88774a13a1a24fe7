"""Tells whether settings or our code have changed since the parts were started: they read both at their start alone."""

import hashlib
import json
import secrets
from typing import Any

from pydantic import SecretStr

from local_stack.layout import Layout
from readings.config import ROOT
from readings.settings import Settings

CODE = ("alerts", "apis", "dashboard", "elk", "forecaster", "producer", "readings", "spark_consumer")
"""The folders that our parts are run from."""


def remember(settings: Settings, layout: Layout) -> None:
    """Keeps a keyed hash of each setting, enough to see a change, nothing to read a secret from; and the code's."""
    salt = secrets.token_hex(16)
    path = layout.run / "settings.json"
    path.write_text(json.dumps({"salt": salt, "hashes": _hashes(settings, salt), "code": _code()}))
    path.chmod(0o600)


def changed(settings: Settings, layout: Layout) -> list[str]:
    """The variables that differ from what was remembered; not those that an older version did not know."""
    remembered = _remembered(layout)
    if not remembered:
        return []
    hashes = _hashes(settings, remembered["salt"])
    return [name.upper() for name, hashed in hashes.items() if remembered["hashes"].get(name, hashed) != hashed]


def code_changed(layout: Layout) -> bool:
    """Whether our parts were started from another version of their code than is here now."""
    remembered = _remembered(layout)
    return bool(remembered) and remembered.get("code") != _code()


def _remembered(layout: Layout) -> dict[str, Any]:
    path = layout.run / "settings.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _code() -> str:
    """Of the files' names and texts, and of the packages beside them; what Python makes of them is not code."""
    digest = hashlib.sha256((ROOT / "requirements.lock").read_bytes())
    for path in sorted(path for folder in CODE for path in (ROOT / folder).rglob("*") if path.is_file()):
        if "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ROOT)}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _hashes(settings: Settings, salt: str) -> dict[str, str]:
    return {
        name: hashlib.sha256(f"{salt}{_plain(getattr(settings, name))}".encode()).hexdigest()
        for name in Settings.model_fields
    }


def _plain(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
