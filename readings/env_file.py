"""Where ``.env`` is, and whether it is text. Standard library only: ``doctor`` uses it before anything is installed."""

from __future__ import annotations

import os
from pathlib import Path

MEND = "save it as UTF-8 in an editor that can, or write that line anew"


def path() -> Path:
    """The ``.env`` that the settings are read from: SKYWATT_ENV_FILE, else the repository's."""
    return Path(os.environ.get("SKYWATT_ENV_FILE") or Path(__file__).resolve().parent.parent / ".env").absolute()


def problem() -> str | None:
    """The first line that is not UTF-8, as it is told; None where there is no such line, or no file."""
    if not path().is_file():
        return None
    for number, line in enumerate(path().read_bytes().split(b"\n"), 1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            return f"{path()}: line {number}: read the byte 0x{line[error.start]:02x}, expected UTF-8"
    return None
