"""Rounds of a source that is asked for a span of time: what may still change is fetched again, and of it only what is
new or has changed goes out.

Services revise what they published. The cursor's facts keep what was sent of the span that the next round asks for, so
that after a restart, too, only what changed goes out; they are kept when Kafka has acknowledged. What opened while the
producer or the service was away, or while the service answered without what is new, is before that span then: it is
fetched from where the last whole piece ended, or the series end, piece by piece, oldest first. What a piece lacked
(`Hole`) is asked for once more in the next round. Where one of several calls for a piece fails (`FailedCall`), what the
others gave goes out, and the fact `owed` keeps the span of its series until it is answered; then it is a `Hole`. Series
that end long before the others are asked for apart (`producer.stragglers`).
"""

import functools
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import orjson

from apis.errors import ApiError, BadAnswer, OutOfCalls, RateLimited, Refused, Unauthorized
from producer.clock import Clock
from producer.cursor import Cursor
from producer.judged import judged
from producer.messages import dead_letter_message, reading_message
from producer.publisher import Publishes
from producer.remembered import Remembered
from producer.span_source import FailedCall, SpanSource, Unreadable
from producer.states import State
from producer.stragglers import Span, Stragglers, by_span, full_hour
from readings.reading import Mode, Reading
from readings.stream import Stream

AT_ONCE = 10_000
"""Messages that are made and sent together."""
GIVEN_UP_AFTER = timedelta(days=7)
"""Beyond `first_time`: when nothing more is to be expected of a span that is empty, though nothing later came, either;
or that is empty of a series that ended before it.

Services publish within hours; a week is longer than their outages. What is younger is asked for again in each round.
"""
STRAGGLERS_EACH = 24
"""Rounds at the least between two calls for a straggler. It has the calls that the rounds of the day leave."""
EMPTY_FOR_LONG = timedelta(days=1)
"""How long a service answers every question with nothing before a span is given up: an hour of it may be a fault."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Round:
    """What came of a round."""

    sent: int = 0
    dead_letters: int = 0
    failed: ApiError | None = None
    found: frozenset[str] = frozenset()
    """The series that the service gave something of, also what is no reading, or had been sent before."""
    unread: frozenset[str] = frozenset()
    """The series whose calls failed, where it is known: others were answered, or these alone were asked for."""

    def and_then(self, later: "Round") -> "Round":
        """Both together."""
        return Round(
            self.sent + later.sent,
            self.dead_letters + later.dead_letters,
            later.failed,
            self.found | later.found,
            self.unread | later.unread,
        )


@dataclass(frozen=True)
class Hole:
    """What is to be asked for once more of a piece."""

    begin: datetime
    end: datetime
    lacking: list[str] | None
    """The series that it had nothing of; None where its answer could not be read at all."""


@dataclass
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
    _not_before: datetime | None = field(default=None, init=False)
    """Until then the service wants to be left alone."""

    def round(self) -> Round | None:
        """One round; where the service does not answer, what was fetched is kept and the rest left for the next.

        None while the service wants to be left alone.
        """
        now = self.clock.now()
        if self._not_before is not None and now < self._not_before:
            return None
        facts = self.cursor.facts
        last_round = facts.get("last_round_at")
        follows = last_round is not None and now - last_round < 2 * self.cadence
        empty_since = self._empty_since(now)
        done = self._ask_again()
        if not _goes_on(done):
            return done
        since = self._since(now)
        new = self._note_stragglers(since, now)
        expected = self._expected()
        whole, asked, unread_now, found = True, [], frozenset[str](), frozenset[str]()
        unread_from: datetime | None = None  # since then no answer could be read: asked for until a later one can
        for begin, end in self.source.pieces(since, now):
            piece = self.piece(begin, end, "live" if follows else "backfill")
            done = done.and_then(piece)
            unread_now, found = piece.unread, found | piece.found
            fails = piece.failed is not None and not piece.unread
            if fails and (end >= now or not _goes_on(piece)):
                break
            if fails or piece.found:
                lacking = None if fails else [one for one in expected if one not in piece.found | piece.unread]
                asked.append(Hole(begin, end, lacking))
            if fails:
                unread_from = unread_from or begin
            elif whole:
                whole = self._is_whole(piece, begin, end, now - empty_since)
                facts["whole_until"] = min(end if whole else (unread_from or begin) + self.source.revised_for, now)
                unread_from = None
            self._owe(piece.unread, begin, end)
            self._forget(now)
            self.cursor.move({})
        else:
            if self.cursor.until:
                facts["last_round_at"] = now
            if not unread_now:
                self.state.running()
            asked += self._answered_again(unread_now)
        self._note_empty(done, empty_since)
        asked += self._holes(self._stragglers.note_found(found, new, self._begin(since, now), now))
        next_since = self._since(now)
        new_holes = [vars(one) for one in asked if one.lacking != [] and one.begin < next_since]
        facts["holes"] = facts.get("holes", []) + new_holes
        self._forget(now)
        self.cursor.move({})
        done = self._ask_for_stragglers(done, since, now)
        log.info("sent %d readings that are new or changed", done.sent, extra={"stream": self.stream.name})
        return done

    def piece(self, since: datetime, until: datetime, mode: Mode, only: Collection[str] | None = None) -> Round:
        """Sends what is new or changed of a piece, or `only` of some series.

        A failure of the service is told, not raised. What came before no calls were left is sent; the piece is to be
        asked for again.
        """
        found: list[Reading | Unreadable] = []
        failed: list[FailedCall] = []
        ended: OutOfCalls | None = None
        try:
            for one in self.source.fetch(since, until, mode, only):
                if isinstance(one, FailedCall):
                    failed.append(one)
                elif only is None or one.series in only:
                    found.append(one)
        except OutOfCalls as error:
            ended = error
        except ApiError as error:
            told = self._tell_failure(error, since, until)
            return Round(dead_letters=told, failed=error, unread=frozenset(only or ()))
        now = self.clock.now()
        readings, bad = judged(found, self.stream, now)
        new = self._remembered.new(readings)
        self._send([reading for reading, _ in new])
        dead_letters = self._send_dead_letters(bad, None if only else min(until, now), now)
        self.cursor.move({reading.series: reading.event_time for reading, _ in new})
        self._remembered.note(new)
        self.state.count(sent=len(new), dead_letters=dead_letters)
        had = frozenset(one.series for one in found if isinstance(one, Reading) or one.known_by is None)
        if ended is not None:
            if not only:  # else those that are left are needed, and are not lacking
                self._tell_failure(ended, since, until)
            return Round(len(new), dead_letters, ended, had, frozenset(only or ()))
        for call in failed:
            dead_letters += self._tell_failure(call.error, since, until, call.series)
        unread = frozenset(series for call in failed for series in call.series if only is None or series in only)
        return Round(len(new), dead_letters, failed[-1].error if failed else None, had, unread)

    def _since(self, now: datetime) -> datetime:
        """From when on a round asks: what may have changed, or has not come yet.

        Where a series ends before the others, the service lags: the rest of it is waited for as long as `first_time`.
        """
        facts, until = self.cursor.facts, self.cursor.until
        whole_until: datetime | None = facts.get("whole_until") or facts.get("last_round_at")  # earlier versions' one
        if whole_until is None:
            return now - self.source.first_time
        waited_for = self._declared.keys() - facts.get("owed", {}).keys()
        ends = [at for series, at in until.items() if at >= now - self.source.first_time and series in waited_for]
        return min(now, whole_until, *ends) - self.source.revised_for

    def _empty_since(self, now: datetime) -> datetime:
        """Since when the service has answered every question with nothing; now where it has not, or was not asked."""
        empty: dict[str, datetime] | None = self.cursor.facts.get("empty")
        return empty["since"] if empty and now - empty["until"] < 2 * self.cadence else now

    def _note_empty(self, done: Round, since: datetime) -> None:
        """Notes of a round that was answered with nothing since when that is so, and until when."""
        if done.found:
            self.cursor.facts.pop("empty", None)
        elif done.failed is None and not done.unread:
            self.cursor.facts["empty"] = {"since": since, "until": self.clock.now()}

    def _is_whole(self, piece: Round, begin: datetime, end: datetime, empty_for: timedelta) -> bool:
        """Whether a piece need not be asked for again.

        An empty one must be, until it is older than `first_time` and later pieces were not empty. Where later ones are
        empty, too, until it is older by `GIVEN_UP_AFTER` and the service has nothing `EMPTY_FOR_LONG`.
        """
        if piece.found:
            return True
        age = self.clock.now() - self.source.first_time - end
        later_came = max(self.cursor.until.values(), default=end) > end
        if age < timedelta() or not (later_came or (age >= GIVEN_UP_AFTER and empty_for >= EMPTY_FOR_LONG)):
            return False
        tell_lacking(self.source, self.stream, (), begin, end)
        return True

    @functools.cached_property
    def _declared(self) -> dict[str, None]:
        """The declared series, in their order."""
        return dict.fromkeys(self.stream.config.series_names())

    @property
    def _remembered(self) -> Remembered:
        return Remembered(self.cursor.facts)

    @property
    def _stragglers(self) -> Stragglers:
        return Stragglers(self.cursor.facts, self.cursor.until)

    def _expected(self) -> list[str]:
        """The declared series that are no stragglers.

        Where a piece has nothing of one of these, one of several calls was answered with nothing.
        """
        return [one for one in self._declared if one not in self._stragglers.known]

    def _note_stragglers(self, since: datetime, now: datetime) -> list[str]:
        """Notes the declared series that ended before what a round asks for; gives those that have just, and tells."""
        if not self.cursor.until:
            return []
        owed = self.cursor.facts.get("owed", {})
        if new := self._stragglers.note(self._declared, owed, since, now - self.source.first_time, now):
            begin = min(self._stragglers.known[series]["since"] for series in new)
            tell_lacking(self.source, self.stream, new, begin, now)
        return new

    def _ask_for_stragglers(self, done: Round, since: datetime, now: datetime) -> Round:
        """After a round that asked from `since` on: asks for those that are due, apart from the others, for what is
        before, as long as calls can be spared. What is too old to be asked for is told. Gives what came of both.
        """
        if not _goes_on(done):
            return done
        stragglers = self._stragglers
        owed = self.cursor.facts.get("owed", {})
        longest = self.source.first_time + GIVEN_UP_AFTER
        too_old, spans = stragglers.due(owed, since, longest, STRAGGLERS_EACH * self.cadence, now)
        for begin, end, those in too_old:
            tell_lacking(self.source, self.stream, those, begin, end)
        for begin, end, wanted in spans:
            for piece in self.source.pieces(begin - self.source.revised_for, end):
                asked = self.piece(*piece, "backfill", wanted)
                if isinstance(asked.failed, OutOfCalls):
                    return done
                done = done.and_then(asked)
                if not _goes_on(asked):
                    return done
                come = {
                    series: self._remembered.times(series) if series not in asked.unread else [] for series in wanted
                }
                lacking = stragglers.note_asked(come, *piece, asked.found, now)
                holes = by_span((series, first, piece[1]) for series, first in lacking.items())
                self.cursor.facts["holes"] += [vars(Hole(*hole)) for hole in holes]
                self._forget(now)
                self.cursor.move({})
                # what was refused of one that is back is a hole now, of another it is asked for from there another time
                wanted = [series for series in wanted if series in lacking or series not in asked.unread]
                if not wanted:
                    break
        return done

    def _ask_again(self) -> Round:
        """Asks once more for what pieces of the round before lacked. What they still lack is told, and left.

        What no call can be spared for is kept for the next round.
        """
        facts, done = self.cursor.facts, Round()
        holes = [Hole(**one) for one in facts.get("holes", ())]
        for number, hole in enumerate(holes, 1):
            piece = self.piece(hole.begin, hole.end, "backfill", hole.lacking)
            if hole.lacking and isinstance(piece.failed, OutOfCalls):
                break
            done = done.and_then(piece)
            if not _goes_on(piece):
                return done
            now = self.clock.now()
            owed = piece.unread if now - self.source.first_time - hole.end < GIVEN_UP_AFTER else frozenset()
            self._owe(owed, hole.begin, hole.end)
            still = [series for series in hole.lacking or () if series not in piece.found | owed]
            if still or not (piece.found or owed):
                tell_lacking(self.source, self.stream, still, hole.begin, hole.end)
            facts["holes"] = [vars(one) for one in holes[number:]]
            self._forget(now)
            self.cursor.move({})
        return done

    def _owe(self, unread: Collection[str], begin: datetime, end: datetime) -> None:
        """Notes what calls that failed were asked for: a span of each series, however long that lasts."""
        owed: dict[str, dict[str, datetime]] = self.cursor.facts.setdefault("owed", {})
        for series in unread:
            before = owed.get(series, {"begin": begin, "end": end})
            owed[series] = {"begin": min(begin, before["begin"]), "end": max(end, before["end"])}

    def _answered_again(self, unread: Collection[str]) -> list[Hole]:
        """What is owed of the series whose calls have not just failed, oldest first: to be asked for, not owed."""
        owed: dict[str, dict[str, datetime]] = self.cursor.facts.get("owed", {})
        answered = {series: owed.pop(series) for series in owed.keys() - unread}
        return self._holes(by_span((series, one["begin"], one["end"]) for series, one in answered.items()))

    def _holes(self, spans: Iterable[Span]) -> list[Hole]:
        return [Hole(*piece, those) for begin, end, those in spans for piece in self.source.pieces(begin, end)]

    def _send(self, readings: Sequence[Reading]) -> None:
        for first in range(0, len(readings), AT_ONCE):
            part = readings[first : first + AT_ONCE]
            self.publisher.publish([reading_message(reading, self.stream.topic) for reading in part])

    def _send_dead_letters(self, bad: Sequence[Unreadable], until: datetime | None, now: datetime) -> int:
        """Sends what is no reading of a piece that ends at `until`, each once: it may be fetched again.

        None: when what is asked for again begins is not known.
        """
        messages = []
        for one in self._remembered.new_letters(bad, until, now):
            where = {"stream": self.stream.name, "series": one.series}
            log.warning("became a dead letter: %s", one.reason, extra=where)
            body = orjson.dumps(one.record)
            messages.append(dead_letter_message(self.stream, self.source.name, one.series, one.reason, body, now))
        self.publisher.publish(messages)
        return len(messages)

    def _begin(self, since: datetime, now: datetime) -> datetime:
        """Where the first piece of a question begins."""
        return next(iter(self.source.pieces(since, now)))[0]

    def _forget(self, now: datetime) -> None:
        """Forgets what the next round will not ask for, or what is older than any first round and its revisions."""
        oldest = now - self.source.first_time - self.source.revised_for
        spans = {}
        for series, one in self._stragglers.known.items():
            begin = self._begin(full_hour(one["since"]) - self.source.revised_for, now)
            spans[series] = (begin, one["back"] or now)
        self._remembered.forget(self._begin(max(self._since(now), oldest), now), spans)

    def _tell_failure(self, error: ApiError, since: datetime, until: datetime, series: Sequence[str] = ()) -> int:
        """Tells why a piece, or the call for some series, could not be read; how many dead letters that made."""
        name = self.source.name
        log.warning("%s could not be read: %s", name, error, extra={"stream": self.stream.name})
        if isinstance(error, Unauthorized):
            self.state.failed(f"{name} refuses the key: {error}"[:200])
        else:
            if isinstance(error, RateLimited):
                self._not_before = self.clock.now() + timedelta(seconds=error.retry_after_s)
            self.state.waiting(f"{name} ({error})"[:200])
        if not isinstance(error, BadAnswer):
            return 0
        now = self.clock.now()
        # what comes up to now is asked for in each round, and may be answered so in each; an old span is one of its own
        known_by = [str(error), *series] if until >= now else [str(error), *series, since.isoformat()]
        is_new = self._remembered.is_new_failure(known_by, now)
        if is_new:
            whose = f"the answer for {', '.join(series)[:100]}" if series else "the answer"
            self.publisher.publish([dead_letter_message(self.stream, name, whose, str(error), error.body, now)])
            self.state.count(dead_letters=1)
        self.cursor.move({})
        return int(is_new)


def _goes_on(done: Round) -> bool:
    """Whether the service can be asked for other pieces: it answers, though maybe not what can be read."""
    return done.failed is None or isinstance(done.failed, BadAnswer | Refused)


def tell_lacking(source: SpanSource, stream: Stream, lacking: Collection[str], begin: datetime, end: datetime) -> None:
    """Logs that a source has nothing of a piece, or nothing of some series."""
    of = f" of {', '.join(lacking)[:5000]}" if lacking else ""
    span = f"{begin.isoformat()} to {end.isoformat()}"
    log.warning("%s has nothing%s from %s", source.name, of, span, extra={"stream": stream.name})
