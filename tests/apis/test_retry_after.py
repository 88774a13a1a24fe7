from datetime import UTC, datetime

import pytest

from apis.retry_after import LONGEST_S, retry_after_s

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30),
        (" 0 ", 0),
        ("Tue, 24 Nov 2026 12:00:45 GMT", 45),
        ("Tue, 24 Nov 2026 11:00:00 GMT", 0),
        ("Tue, 24 Nov 2026 13:00:45 +0100", 45),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("1763900000000", LONGEST_S),  # an instant in milliseconds, as some send it
        ("9" * 400, LONGEST_S),
        ("Fri, 24 Nov 2126 12:00:00 GMT", LONGEST_S),
        ("Tue, 24 Nov 99999999999 12:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", LONGEST_S),
    ],
)
def test_seconds_and_dates_are_both_read(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds
