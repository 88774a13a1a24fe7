"""How long a body may be, decided before it is read."""

from collections.abc import Mapping

MB = 1024 * 1024
MAX_BODY_BYTES = 5 * MB
MAX_MANY_BYTES = 64 * MB
"""``/forecast/``: a thousand places with 28 days of hourly readings are 32 MB of JSON."""


def refusal(path: str, headers: Mapping[str, str]) -> str | None:
    """Why a request is refused by what it says of its length: too long, or not told."""
    most = MAX_MANY_BYTES if path.rstrip("/") == "/forecast" else MAX_BODY_BYTES
    said = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not said.isdigit() or int(said) > most:
        return f"expected a body of at most {most // MB} MB with its content-length"
    return None
