"""The header ``Retry-After`` (RFC 9110, 10.2.3): seconds, or a date."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 7 * 86_400.0
"""No API is left alone for longer, whatever it says: an instant where seconds belong is thousands of years."""


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """How many seconds to wait from now, 0 to `LONGEST_S`; None where the header is absent or says nothing."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_S)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the second: of a year that no calendar has
        return None
    wait_s = ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds()
    return min(max(0.0, wait_s), LONGEST_S)
