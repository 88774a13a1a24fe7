"""What rounds have sent of the span that the next one asks for: by it they know what is new or has changed."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from producer.span_source import Unreadable
from readings.reading import Reading

REMEMBERED_FOR = timedelta(days=2)
"""After it was last there: what is wrong with answers whatever span they are of. Some are asked for once a day."""


class Remembered:
    """The cursor's facts ``values``, digests by series and minute, and ``dead_letters``, until when each is kept.

    They are kept when the cursor moves.
    """

    def __init__(self, facts: dict[str, Any]) -> None:
        self._values: dict[str, dict[str, str]] = facts.setdefault("values", {})
        self._letters: dict[str, datetime] = facts.setdefault("dead_letters", {})

    def new(self, readings: Iterable[Reading]) -> list[tuple[Reading, str]]:
        """Those that were not sent, or were otherwise; each with its digest."""
        digests = [(one, digest(one)) for one in readings]
        return [(one, now) for one, now in digests if self._before(one) != now]

    def note(self, sent: Iterable[tuple[Reading, str]]) -> None:
        """Notes that they were sent."""
        for one, now in sent:
            self._values.setdefault(one.series, {})[_minute(one.event_time)] = now

    def times(self, series: str) -> list[datetime]:
        """The event times that are remembered of a series."""
        return [datetime.fromisoformat(at).replace(tzinfo=UTC) for at in self._values.get(series, ())]

    def new_letters(self, bad: Sequence[Unreadable], until: datetime | None, now: datetime) -> list[Unreadable]:
        """Those that have not been sent, and are from now on, of a span that ends at `until`, where it is known."""
        new = []
        for one, known_by in zip(bad, _known_by(bad), strict=True):
            if known_by not in self._letters:
                new.append(one)
            if one.known_by is None and until is not None:
                self._letters.setdefault(known_by, until)
            else:
                self._letters[known_by] = now + REMEMBERED_FOR
        return new

    def is_new_failure(self, known_by: list[str], now: datetime) -> bool:
        """Whether what made an answer unreadable has not been sent; from now on it has."""
        failure = hashlib.sha256(orjson.dumps(known_by)).hexdigest()
        is_new = failure not in self._letters
        self._letters[failure] = now + REMEMBERED_FOR
        return is_new

    def forget(self, before: datetime, but: Mapping[str, tuple[datetime, datetime]]) -> None:
        """Forgets what is before, `but` of some series a span.

        The cursor is one document of MongoDB, of at most 16 MB. What was forgotten and comes again is sent again.
        """
        first = _minute(before)
        for series, values in list(self._values.items()):
            begin, end = map(_minute, but.get(series, (before, before)))
            self._values[series] = {at: one for at, one in values.items() if at >= first or begin <= at < end}
        for known_by in [known_by for known_by, until in self._letters.items() if until < before]:
            del self._letters[known_by]

    def _before(self, reading: Reading) -> str | None:
        return self._values.get(reading.series, {}).get(_minute(reading.event_time))


def digest(reading: Reading) -> str:
    """Tells whether a reading of the same series and time has changed; its mode does not matter."""
    fields = reading.model_dump_json(exclude={"mode", "source", reading.time_field, *reading.series_fields})
    return hashlib.blake2b(fields.encode(), digest_size=8).hexdigest()


def _minute(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="minutes")[:16]


def _known_by(bad: Iterable[Unreadable]) -> Iterator[str]:
    """What each is remembered by. What is known by the same has numbers: two unnamed series are two."""
    alike: Counter[bytes] = Counter()
    for one in bad:
        body = orjson.dumps(one.record if one.known_by is None else one.known_by)
        if one.known_by is not None:
            alike[body] += 1
            body += b"#%d" % alike[body]
        yield hashlib.sha256(body).hexdigest()
