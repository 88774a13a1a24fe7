"""What in ``.env`` nothing reads: a name that is spelt another way leaves its setting as it was, without a word."""

import re
from collections.abc import Iterator
from difflib import get_close_matches

from dotenv.parser import Binding, parse_stream

from readings import env_file
from readings.config import ROOT
from readings.settings import Settings

OTHERS = ("JDK_JAVA_OPTIONS",)
PREFIXES = ("COMPOSE_", "DOCKER_", "BUILDKIT_", "BUILDX_")
"""Of Java's and of Docker's own variables."""
_NAME = re.compile(r"[A-Z][A-Z0-9_]*|[a-z][a-z0-9_]*")
_NEAR = 0.75
"""Enough for letters that are too many, missing or others; what belongs to another program has no suggestion."""


def unread_lines() -> Iterator[str]:
    """A text for each line that counts for nothing, with its number and name; never its value.

    Of a file that is not UTF-8 there is none: who reads it refuses it.
    """
    if not env_file.path().is_file() or env_file.problem():
        return
    known = {name.upper() for name in Settings.model_fields} | {*OTHERS, *_documented()}
    with env_file.path().open(encoding="utf-8") as file:
        for binding in parse_stream(file):
            name = (binding.key or "").upper()
            if not name and not binding.error:
                continue  # a comment, or nothing
            if binding.value is None or not _NAME.fullmatch(binding.key or ""):  # may be a part of a secret
                yield f"line {_line(binding)}: read by nothing, for it is not NAME=value"
            elif name not in known and not name.startswith(PREFIXES):
                near = get_close_matches(name, known, 1, _NEAR)
                meant = f"; did you mean {near[0]}?" if near else ", .env.example has the names that count"
                yield f"line {_line(binding)}: nothing reads {binding.key}{meant}"


def _documented() -> list[str]:
    """What is no setting of our parts: of `run.sh`, and of Compose's file."""
    return re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)


def _line(binding: Binding) -> int:
    """Its number in the file; empty lines before it belong to it."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
