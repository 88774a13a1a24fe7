"""Rounds of a source that is asked for a span of time: what may still change is fetched again, and of it only what is
new or has changed goes out.

Services revise what they published. The cursor's facts keep what was sent of the span that may still change, so that
after a restart, too, only what changed goes out; they are kept when Kafka has acknowledged. What opened while the
producer or the service was away is before that span then: it is fetched from where the last whole round ended, piece by
piece, oldest first.
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Protocol

import orjson

from apis.errors import ApiError, BadAnswer, RateLimited, Unauthorized
from producer.clock import Clock
from producer.cursor import Cursor
from producer.messages import dead_letter_message, reading_message
from producer.publisher import Publishes
from producer.states import State
from readings.reading import Mode, Reading
from readings.stream import Stream

KEPT_LONGER = timedelta(days=2)
"""What was sent is kept for so long after it can change: a service's day may begin before ours."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unreadable:
    """What a service answered that is no reading."""

    series: str
    """What it seems to be of, for people."""
    reason: str
    record: Any


class SpanSource(Protocol):
    """A service that is asked for a span of time."""

    @property
    def name(self) -> str:
        """The name that readings carry as `source`."""

    @property
    def revised_for(self) -> timedelta:
        """How long a value may change after its event time."""

    @property
    def first_time(self) -> timedelta:
        """How much of the past is fetched when the source begins."""

    @property
    def zone(self) -> tzinfo:
        """Whose days the source counts in."""

    def pieces(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The span, cut where the service takes no more in a call."""

    def fetch(self, since: datetime, until: datetime, mode: Mode) -> Iterator[Reading | Unreadable]:
        """What the service has of a piece. Raises the errors of `apis.errors`."""


@dataclass(frozen=True)
class Round:
    """What came of a round."""

    sent: int = 0
    dead_letters: int = 0
    failed: ApiError | None = None

    def and_then(self, later: "Round") -> "Round":
        """Both together."""
        return Round(self.sent + later.sent, self.dead_letters + later.dead_letters, later.failed)


@dataclass(frozen=True)
class Rounds:
    """Reads spans and sends what is new or changed."""

    source: SpanSource
    stream: Stream
    publisher: Publishes
    cursor: Cursor
    clock: Clock
    state: State
    cadence: timedelta
    """How often a round is made. What comes within two of it after the last one is live."""

    def round(self) -> Round:
        """One round; where the service does not answer, what was fetched is kept and the rest left for the next."""
        now = self.clock.now()
        last_round = self.cursor.facts.get("last_round_at")
        follows = last_round is not None and now - last_round < 2 * self.cadence
        since = now - self.source.first_time if last_round is None else min(now, last_round) - self.source.revised_for
        done = Round()
        for piece in self.source.pieces(since, now):
            done = done.and_then(self.piece(*piece, "live" if follows else "backfill"))
            if done.failed is not None:
                break
        else:
            self._forget(now - self.source.revised_for - KEPT_LONGER)
            self.cursor.facts["last_round_at"] = now
            self.cursor.move({})
            self.state.running()
        log.info("sent %d readings that are new or changed", done.sent, extra={"stream": self.stream.name})
        return done

    def piece(self, since: datetime, until: datetime, mode: Mode) -> Round:
        """Sends what is new or changed of a piece; a failure of the service is told, not raised."""
        try:
            found = list(self.source.fetch(since, until, mode))
        except ApiError as error:
            self._tell_failure(error)
            return Round(failed=error)
        now = self.clock.now()
        sent_before: dict[str, dict[str, str]] = self.cursor.facts.setdefault("values", {})
        readings: list[Reading] = []
        bad: list[Unreadable] = []
        for one in found:
            if isinstance(one, Unreadable):
                bad.append(one)
            elif problem := self.stream.time_problem(one.event_time, now):
                record = one.model_dump(mode="json", exclude_none=True, exclude={"mode"})  # the same in each round
                bad.append(Unreadable(one.series, problem, record))
            elif sent_before.get(one.series, {}).get(_instant(one.event_time)) != _digest(one):
                readings.append(one)
        readings.sort(key=lambda reading: reading.event_time)
        self.publisher.publish([reading_message(reading, self.stream.topic) for reading in readings])
        dead_letters = self._send_dead_letters(bad, now)
        for reading in readings:
            sent_before.setdefault(reading.series, {})[_instant(reading.event_time)] = _digest(reading)
        self.cursor.move({reading.series: reading.event_time for reading in readings})
        self.state.count(sent=len(readings), dead_letters=dead_letters)
        return Round(len(readings), dead_letters)

    def _send_dead_letters(self, bad: Sequence[Unreadable], now: datetime) -> int:
        """Sends what is no reading, each once: it is fetched again as long as it may change."""
        sent: dict[str, datetime] = self.cursor.facts.setdefault("dead_letters", {})
        new = []
        for one in bad:
            body = orjson.dumps(one.record)
            digest = hashlib.sha256(body).hexdigest()
            if digest not in sent:
                sent[digest] = now
                where = {"stream": self.stream.name, "series": one.series}
                log.warning("became a dead letter: %s", one.reason, extra=where)
                new.append(dead_letter_message(self.stream, self.source.name, one.series, one.reason, body, now))
        self.publisher.publish(new)
        return len(new)

    def _forget(self, before: datetime) -> None:
        """Forgets what will not be fetched again."""
        facts = self.cursor.facts
        first = _instant(before)
        facts["values"] = {
            series: {at: digest for at, digest in values.items() if at >= first}
            for series, values in facts.get("values", {}).items()
        }
        facts["dead_letters"] = {digest: at for digest, at in facts.get("dead_letters", {}).items() if at >= before}

    def _tell_failure(self, error: ApiError) -> None:
        name = self.source.name
        log.warning("%s could not be read: %s", name, error, extra={"stream": self.stream.name})
        if isinstance(error, Unauthorized):
            self.state.failed(f"{name} refuses the key: {error}"[:200])
        elif isinstance(error, RateLimited):
            self.state.waiting(f"{name} (429, Retry-After {error.retry_after_s:.0f} s)")
        else:
            self.state.waiting(f"{name} ({error})"[:200])
        if isinstance(error, BadAnswer):
            now = self.clock.now()
            self.publisher.publish([dead_letter_message(self.stream, name, "the answer", str(error), error.body, now)])
            self.state.count(dead_letters=1)


def _instant(event_time: datetime) -> str:
    return f"{event_time.astimezone(UTC):%Y-%m-%dT%H:%M}"


def _digest(reading: Reading) -> str:
    """Tells whether a reading of the same series and time has changed; its mode does not matter."""
    fields = reading.model_dump_json(exclude={"mode", "source", reading.time_field, *reading.series_fields})
    return hashlib.blake2b(fields.encode(), digest_size=8).hexdigest()
