"""The local servers' passwords: random, made by the first ``up``, kept in ``.env`` where only the owner can read."""

import os
import re
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path

from readings import env_file
from readings.errors import ConfigError
from readings.settings import Settings, load_settings

NAMES = ("local_kafka_password", "local_mongodb_password", "local_elasticsearch_password", "local_mqtt_password")
DOCKER_NAMES = (
    *NAMES,
    *(f"docker_{user}_password" for user in ("elastic", "writer", "reader", "logstash", "keeper", "kibana_system")),
    *("docker_kibana_key", "docker_mongodb_key"),
)
"""What the servers on Docker need: each part has a user of its own there."""
HEADING = "# Passwords of the local servers, made by `bash run.sh`"
_PASSWORD = (re.compile(r"[A-Za-z0-9_-]{8,200}"), "8 to 200 letters, digits, - and _")
"""What the servers' configuration files can hold."""
_KEYS = {
    "docker_kibana_key": (re.compile(r"[A-Za-z0-9_-]{32,200}"), "32 to 200 letters, digits, - and _"),
    "docker_mongodb_key": (re.compile(r"[A-Za-z0-9+/=]{6,1024}"), "6 to 1024 letters, digits, +, / and ="),
}
"""What Kibana takes for its ``encryptionKey``, and mongod for its ``keyFile``: else they do not start."""


def ensure_passwords(names: Sequence[str] = NAMES) -> tuple[Settings, list[str]]:
    """The settings with a password for each of the names, and the names of those that were made now.

    What the user wrote into ``.env`` stays as it is; new lines are added at its end. Raises ConfigError on a
    password or key that its server could not take.
    """
    settings = load_settings()
    missing = [name.upper() for name in names if not getattr(settings, name).get_secret_value()]
    path = env_file.path()
    if missing:
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old and not old.endswith("\n"):
            old += "\n"
        heading = "" if HEADING in old else HEADING + "\n"
        _write(path, old + heading + "".join(f"{name}={secrets.token_hex(24)}\n" for name in missing))
        settings = load_settings()
    elif path.exists() and path.stat().st_mode & 0o077:
        path.chmod(0o600)
    for name in names:
        value = getattr(settings, name).get_secret_value()
        pattern, expected = _KEYS.get(name, _PASSWORD)
        if not pattern.fullmatch(value):
            raise ConfigError(
                f"{name.upper()}: read {len(value)} characters, which are not shown, expected {expected}; "
                "leave it out, and bash run.sh makes one"
            )
    return settings, missing


def are_dockers(settings: Settings) -> bool:
    """Whether a stack on Docker was made with these passwords.

    Its MongoDB and Elasticsearch read theirs at their first start alone: who keeps their volumes must keep these.
    """
    return any(getattr(settings, name).get_secret_value() for name in DOCKER_NAMES if name not in NAMES)


def forget_passwords() -> None:
    """Takes the local servers' passwords out of ``.env`` again; a file that held nothing else is removed."""
    path = env_file.path()
    if not path.exists():
        return
    ours = tuple(f"{name.upper()}=" for name in DOCKER_NAMES)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith((*ours, HEADING))]
    if any(line.strip() for line in kept):
        _write(path, "".join(kept))
    else:
        path.unlink()


def _write(path: Path, text: str) -> None:
    """Replaces the file in one step; it is never seen half written, nor readable by others."""
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".env-")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
