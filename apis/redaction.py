"""Takes keys out of what others wrote: bodies, reasons."""

from collections.abc import Iterable
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
SHORTEST = 4
"""A shorter value is no secret, and taking it out would garble what is read."""


class Redactor:
    """Replaces keys, plain or as they are spelled in a URL."""

    def __init__(self, keys: Iterable[str]) -> None:
        spellings = {spelling for key in keys for spelling in (key, quote(key, safe=""), quote_plus(key))}
        self._spellings = sorted((one for one in spellings if len(one) >= SHORTEST), key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text without the keys."""
        for spelling in self._spellings:
            text = text.replace(spelling, REDACTED)
        return text

    def body(self, body: bytes) -> bytes:
        """The bytes without the keys."""
        for spelling in self._spellings:
            body = body.replace(spelling.encode(), REDACTED.encode())
        return body
