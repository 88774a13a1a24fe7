"""``progress.json``: ``{"timestamp": "2026-11-24T02:00:00+00:00"}``, where a new checkpoint begins."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path


def load(path: Path) -> datetime | None:
    """The time up to which all was read, aware UTC; None where there is no file. Raises ValueError where it is bad."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    try:
        return instant(json.loads(text)["timestamp"])
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f'{path}: read {text[:100]!r}, expected {{"timestamp": "2026-11-24T02:00:00+00:00"}}; '
            "mend it, or remove it to begin anew"
        ) from None


def save(path: Path, timestamp: str) -> None:
    """Replaces the file as a whole: after a crash at any moment it is the one before or this one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    with new.open("w") as file:
        json.dump({"timestamp": timestamp}, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def instant(text: str) -> datetime:
    """An ISO-8601 time as aware UTC; one without an offset is UTC. Raises ValueError or TypeError where it is none."""
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
