"""Elhub's rounds: the days that may still change, fetched again, and of them only what is new or has changed.

Elhub revises what it published for about two weeks. The cursor's facts keep the window's values as they were sent, so
that after a restart, too, only what changed goes out; they are kept when Kafka has acknowledged. What opened while the
producer or Elhub was away is before the window then: it is fetched from where the last whole round ended, month by
month, oldest first.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import orjson

from apis.elhub import ZONE, Elhub, months
from apis.errors import ApiError, BadAnswer
from producer.clock import Clock
from producer.cursor import Cursor
from producer.messages import dead_letter_message, reading_message
from producer.publisher import Publishes
from producer.sources.elhub_record import SOURCE, read_production
from producer.states import State
from readings.production import Production
from readings.reading import Mode
from readings.stream import Stream

REVISED_FOR = timedelta(days=16)
"""How long a value may change: about two weeks, and some days more."""
FIRST_TIME = timedelta(days=28)
"""What is fetched when the source begins."""
MOST_KEPT_BYTES = 1024 * 1024
"""Of an answer that cannot be read at all."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Round:
    """What came of a round."""

    sent: int
    dead_letters: int
    failed: ApiError | None = None


@dataclass(frozen=True)
class Rounds:
    """Reads days and sends what is new or changed."""

    client: Elhub
    stream: Stream
    publisher: Publishes
    cursor: Cursor
    clock: Clock
    state: State

    def round(self) -> Round:
        """One round; where Elhub does not answer, what was fetched before is kept and the rest left for the next."""
        now = self.clock.now()
        last_round = self.cursor.facts.get("last_round_at")
        follows = last_round is not None and now - last_round < 2 * self.stream.config.cadence
        today = _day(now)
        done = Round(0, 0)
        for first, last in months(self._first_day(now, last_round), today):
            try:
                days = self._days(first, last, "live" if follows else "backfill")
            except ApiError as error:
                self._tell_failure(error)
                done = Round(done.sent, done.dead_letters, error)
                break
            done = Round(done.sent + days.sent, done.dead_letters + days.dead_letters)
        else:
            self._forget(now - REVISED_FOR - timedelta(days=2))
            self.cursor.facts["last_round_at"] = now
            self.cursor.move({})
            self.state.running()
        self.state.count(sent=done.sent, dead_letters=done.dead_letters)
        log.info("sent %d readings that are new or changed", done.sent, extra={"stream": self.stream.name})
        return done

    def _first_day(self, now: datetime, last_round: datetime | None) -> date:
        since = now - FIRST_TIME if last_round is None else min(now, last_round) - REVISED_FOR
        return _day(since)

    def _days(self, first: date, last: date, mode: Mode) -> Round:
        facts = self.cursor.facts
        values: dict[str, dict[str, float]] = facts.setdefault("values", {})
        now = self.clock.now()
        readings: list[Production] = []
        bad: list[tuple[str, Any]] = []
        for record in self.client.production(first, last):
            try:
                reading = read_production(record, mode)
                problem = self.stream.time_problem(reading.event_time, now)
            except ValueError as error:
                problem = str(error)
            if problem is not None:
                bad.append((problem, record))
            elif values.get(reading.series, {}).get(_hour(reading)) != reading.quantity_kwh:
                readings.append(reading)
        self.publisher.publish([reading_message(reading, self.stream.topic) for reading in readings])
        dead_letters = self._send_dead_letters(bad, facts.setdefault("dead_letters", {}), now)
        for reading in readings:
            values.setdefault(reading.series, {})[_hour(reading)] = reading.quantity_kwh
        in_order = sorted(readings, key=lambda reading: reading.event_time)
        self.cursor.move({reading.series: reading.event_time for reading in in_order})
        return Round(len(readings), dead_letters)

    def _send_dead_letters(self, bad: Sequence[tuple[str, Any]], sent: dict[str, datetime], now: datetime) -> int:
        """Sends what is no reading, each once: it is fetched again as long as its day is in the window."""
        new = []
        for reason, record in bad:
            body = orjson.dumps(record)
            digest = hashlib.sha256(body).hexdigest()
            if digest not in sent:
                sent[digest] = now
                where = _series(record)
                log.warning("became a dead letter: %s", reason, extra={"stream": self.stream.name, "series": where})
                new.append(dead_letter_message(self.stream, SOURCE, where, reason, body, now))
        self.publisher.publish(new)
        return len(new)

    def _forget(self, before: datetime) -> None:
        """Forgets what will not be fetched again."""
        facts = self.cursor.facts
        hour = f"{before:%Y-%m-%dT%H}"
        facts["values"] = {
            series: {at: value for at, value in values.items() if at >= hour}
            for series, values in facts["values"].items()
        }
        facts["dead_letters"] = {digest: at for digest, at in facts["dead_letters"].items() if at >= before}

    def _tell_failure(self, error: ApiError) -> None:
        log.warning("elhub could not be read: %s", error, extra={"stream": self.stream.name})
        self.state.waiting(f"elhub ({error})"[:200])
        if isinstance(error, BadAnswer):
            reason, body = str(error), error.body
            if len(body) > MOST_KEPT_BYTES:
                reason, body = f"{reason} (its first {MOST_KEPT_BYTES} bytes are kept)", body[:MOST_KEPT_BYTES]
            now = self.clock.now()
            self.publisher.publish([dead_letter_message(self.stream, SOURCE, "the answer", reason, body, now)])
            self.state.count(dead_letters=1)


def _day(instant: datetime) -> date:
    """The day in Norway."""
    return instant.astimezone(ZONE).date()


def _series(record: object) -> str:
    """The series that a record names, for people."""
    return f"{record.get('priceArea')}/{record.get('productionGroup')}"[:100] if isinstance(record, dict) else "?"


def _hour(reading: Production) -> str:
    return f"{reading.event_time:%Y-%m-%dT%H}"
