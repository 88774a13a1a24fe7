"""A long JSON list, element by element: neither its text nor what it holds is ever in memory as a whole."""

import codecs
import json
import re
from collections.abc import Iterator

from forecaster.limits import MAX_BODY_BYTES

AT_ONCE_BYTES = 1024 * 1024
"""One character beyond the Basic Multilingual Plane makes each of those that are decoded with it take four bytes."""
WHITE = " \t\n\r"
SOME_WHITE = re.compile(f"[{WHITE}]*")


class UnreadableError(ValueError):
    """The body is not a list of series."""


class TooLongError(ValueError):
    """One series of the body is too long by itself, or what is too long is no list of series."""


def elements(body: bytes | bytearray) -> Iterator[object]:
    """The elements of a JSON array in UTF-8, with a byte order mark or without.

    Raises UnreadableError, TooLongError.
    """
    try:
        yield from _elements(body)
    except TooLongError:
        raise
    except (ValueError, IndexError, RecursionError) as error:
        if len(body) > MAX_BODY_BYTES:
            raise TooLongError(f"read {len(body)} bytes that are no JSON list of series") from error
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError(f"expected a JSON list of series: {type(error).__name__}") from error


def _elements(body: bytes | bytearray) -> Iterator[object]:
    decode = json.JSONDecoder().raw_decode
    decode_utf8 = codecs.getincrementaldecoder("utf-8-sig")().decode
    text, at, read, mark = "", 0, 0, "["
    while mark != "]":
        try:
            start = _after(text, at, mark)
            if mark == "[" and text[start] == "]":
                at = start
                break
            element, end = decode(text, start)
            follows = _skipped(text, end)
            if text[follows] not in ",]":
                raise UnreadableError(f"read {text[follows]!r} after a series, expected ',' or ']'")
        except (ValueError, IndexError):
            if read >= len(body):
                raise
            if len(text) - at > MAX_BODY_BYTES:
                raise TooLongError(
                    f"read {len(text) - at} characters, expected a JSON list of series of at most {MAX_BODY_BYTES}"
                ) from None
            more = read + max(AT_ONCE_BYTES, len(text) - at)
            text, at, read = text[at:] + decode_utf8(body[read:more], more >= len(body)), 0, more
            continue
        if end - start > MAX_BODY_BYTES:
            raise TooLongError(f"read a series of {end - start} characters, expected at most {MAX_BODY_BYTES}")
        yield element
        at, mark = follows, text[follows]
    if text[at + 1 :].strip(WHITE) or body[read:].strip(WHITE.encode()):
        raise UnreadableError("read more after the list, expected one JSON list of series")


def _skipped(text: str, at: int) -> int:
    """Where the next character is that is not white; the end of the text where there is none."""
    found = SOME_WHITE.match(text, at)
    return found.end() if found else at


def _after(text: str, at: int, mark: str) -> int:
    """Where what follows the mark starts."""
    at = _skipped(text, at)
    if text[at] != mark:
        raise UnreadableError(f"read {text[at]!r}, expected {mark!r} of a JSON list of series")
    return _skipped(text, at + 1)
