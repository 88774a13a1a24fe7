"""OpenWeatherMap's rounds: each place for now and for 660 s ago, and the gaps behind them.

The cursor says, a place, up to which instant its weather was fetched. A place that could not be read in a round, or
was not asked while the producer was away, has a gap behind it: that is fetched in later rounds, oldest first, the
places in turn and with mode ``backfill``, as far as the calls that the rest of the day needs are not touched. What
came meanwhile is not fetched again.
"""

import logging
from bisect import bisect_left
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from apis.errors import ApiError, BadAnswer, OutOfCalls, RateLimited, Refused, Unauthorized
from apis.openweathermap import Observation, OpenWeatherMap
from producer.clock import Clock
from producer.cursor import Cursor
from producer.messages import dead_letter_message, reading_message
from producer.pacing import Pace, next_midnight
from producer.publisher import Publishes
from producer.sources.openweathermap_record import SOURCE, read_weather
from producer.states import State
from readings.config import Place
from readings.reading import Mode
from readings.stream import Stream

EARLIER = timedelta(seconds=660)
AT_ONCE = 4
"""Places asked at the same time, so that one that does not answer holds back none of the others."""
LONGEST_GAP = timedelta(days=28)

ENDS_THE_ROUND = (Unauthorized, RateLimited, OutOfCalls)
"""What concerns all places, so that no other need be asked."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """The weather of a place at an instant."""

    place: Place
    at: datetime
    mode: Mode = "live"


@dataclass(frozen=True)
class Round:
    """What came of a round."""

    sent: int
    dead_letters: int
    failed: tuple[str, ...]
    """The places that could not be read."""
    ended_by: ApiError | None = None
    """What concerns all places: a wrong key, a limit."""


class Rounds:
    """Reads places in rounds and sends what it read."""

    def __init__(
        self,
        client: OpenWeatherMap,
        places: list[Place],
        pace: Pace,
        stream: Stream,
        publisher: Publishes,
        cursor: Cursor,
        clock: Clock,
        state: State,
    ) -> None:
        self._client = client
        self._places = places
        self._pace = pace
        self._stream = stream
        self._publisher = publisher
        self._cursor = cursor
        self._clock = clock
        self._state = state
        self._not_before = clock.now()

    def first_round(self) -> datetime:
        """When the first round is due: now, or an interval after the last one before a restart.

        What ended for a key that is refused, or for want of calls, is no such round: another key, or more calls, may be
        why there was a restart, and else that is told again at once.
        """
        last = self._cursor.facts.get("last_round_at")
        now = self._clock.now()
        return now if last is None else max(now, min(last, now) + self._pace.interval)

    def round(self) -> Round | None:
        """One round: now and, within the pace, 660 s ago; then gaps. None while the API wants to be left alone."""
        if self._clock.now() < self._not_before:
            return None
        now = self._clock.now().replace(microsecond=0)
        self._cursor.facts["last_round_at"] = now
        self._cursor.move({})  # kept before the calls are made, so that a restart does not make them again
        wanted = [Wanted(place, now) for place in self._places]
        if self._pace.with_earlier:
            wanted += [Wanted(place, now - EARLIER) for place in self._places]
        gaps = {place.name: self._gap(place, now) for place in self._places}
        done = self._ask(wanted, gaps)
        if isinstance(done.ended_by, Unauthorized | OutOfCalls):
            del self._cursor.facts["last_round_at"]
            self._cursor.move({})
        self._tell(done, len(wanted))
        return done

    def _gap(self, place: Place, now: datetime) -> list[datetime]:
        """The instants between the cursor and now that have not been fetched, oldest first."""
        until, every = self._cursor.until.get(place.name), self._pace.interval
        instants = []
        if until is not None:
            ahead = self._ahead.get(place.name, [])
            instant = max(until, now - LONGEST_GAP) + every
            while instant < now - every / 2:
                near = bisect_left(ahead, instant - every / 2)
                if near == len(ahead) or ahead[near] > instant + every / 2:
                    instants.append(instant)
                instant += every
        return instants

    @property
    def _ahead(self) -> dict[str, list[datetime]]:
        """By place that has a gap, the instants behind it that were fetched as they came, in order."""
        ahead: dict[str, list[datetime]] = self._cursor.facts.setdefault("ahead", {})
        return ahead

    def _ask(self, wanted: list[Wanted], gaps: dict[str, list[datetime]]) -> Round:
        tally = _Tally()
        with ThreadPoolExecutor(AT_ONCE, "openweathermap") as pool:
            asked = {pool.submit(self._read, one, tally): one for one in wanted}
            try:
                for future in as_completed(asked):
                    self._take(asked[future], future, tally)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)  # who is asked to end asks no more places
        if tally.ended_by is None:
            self._fill({place: gaps[place.name] for place in self._places if place.name not in tally.failed}, tally)
        return Round(tally.sent, tally.dead_letters, tuple(sorted(tally.failed)), tally.ended_by)

    def _fill(self, gaps: dict[Place, list[datetime]], tally: "_Tally") -> None:
        """Fetches the places' gaps in turn with the calls that can be spared; what is left waits for the next round."""
        now: datetime = self._cursor.facts["last_round_at"]
        for place, gap in gaps.items():
            if gap:
                later = [at for at in self._ahead.get(place.name, ()) if at > self._cursor.until[place.name]]
                self._ahead[place.name] = [*later, now]
        self._cursor.move({})
        waiting = {place: iter(gap) for place, gap in gaps.items()}
        while waiting:
            for place, left in list(waiting.items()):
                instant = next(left, None)
                if instant is None:
                    self._ahead.pop(place.name, None)
                    self._cursor.move({place.name: now})
                    del waiting[place]
                    continue
                try:
                    self._fetch(Wanted(place, instant, "backfill"), tally)
                except OutOfCalls:
                    return
                except (RateLimited, Unauthorized) as error:
                    tally.ended_by = error
                    return
                except ApiError as error:
                    log.warning("a gap could not be filled: %s", error, extra=self._about(place))
                    del waiting[place]
                    continue
                self._cursor.move({place.name: instant})

    def _fetch(self, one: Wanted, tally: "_Tally") -> None:
        """Sends the reading of an instant of a gap; one that the API refuses, or cannot say, is done with."""
        try:
            observation = self._client.timemachine(one.place.latitude, one.place.longitude, one.at, spare=True)
        except BadAnswer as error:
            self._send_dead_letter(one.place, str(error), error.body, tally)
        except Refused as error:
            log.warning("a gap stays: %s", error, extra=self._about(one.place))
        else:
            self._send(one, observation, tally)

    def _read(self, one: Wanted, tally: "_Tally") -> Observation:
        if tally.ended_by is not None:  # what ended the round would only be said again
            raise tally.ended_by
        try:
            return self._client.timemachine(one.place.latitude, one.place.longitude, one.at)
        except ENDS_THE_ROUND as error:
            tally.ended_by = tally.ended_by or error
            raise

    def _take(self, one: Wanted, future: "Future[Observation]", tally: "_Tally") -> None:
        try:
            self._send(one, future.result(), tally)
        except ApiError as error:
            tally.failed.add(one.place.name)
            if isinstance(error, ENDS_THE_ROUND):
                return
            log.warning("could not be read: %s", error, extra=self._about(one.place))
            if isinstance(error, BadAnswer):
                self._send_dead_letter(one.place, str(error), error.body, tally)

    def _send(self, one: Wanted, observation: Observation, tally: "_Tally") -> None:
        try:
            reading = read_weather(observation.record, one.place, one.mode)
            problem = self._stream.time_problem(reading.event_time, self._clock.now())
        except ValueError as error:
            problem = str(error)
        if problem is None:
            self._publisher.publish([reading_message(reading, self._stream.topic)])
            tally.sent += 1
        else:
            self._send_dead_letter(one.place, problem, observation.body, tally)

    def _send_dead_letter(self, place: Place, reason: str, body: bytes, tally: "_Tally") -> None:
        log.warning("became a dead letter: %s", reason, extra=self._about(place))
        now = self._clock.now()
        self._publisher.publish([dead_letter_message(self._stream, SOURCE, place.name, reason, body, now)])
        tally.dead_letters += 1

    def _tell(self, done: Round, wanted: int) -> None:
        self._state.count(sent=done.sent, failed=len(done.failed), dead_letters=done.dead_letters)
        log.info(
            "sent %d readings, %d of %d places failed%s",
            done.sent,
            len(done.failed),
            len(self._places),
            f": {', '.join(done.failed)}" if done.failed else "",
            extra={"stream": self._stream.name, "asked": wanted, "dead_letters": done.dead_letters},
        )
        error = done.ended_by
        if error is not None:
            log.warning("the round was ended: %s", error, extra={"stream": self._stream.name})
        if isinstance(error, Unauthorized):
            self._state.failed(f"openweathermap refuses OPENWEATHERMAP_API_KEY: {error}")
        elif isinstance(error, RateLimited):
            self._not_before = self._clock.now() + timedelta(seconds=error.retry_after_s)
            self._state.waiting(f"openweathermap ({error})"[:200])
        elif isinstance(error, OutOfCalls):
            self._not_before = next_midnight(self._clock.now())
            self._state.waiting("openweathermap (the calls of the day are made: OPENWEATHERMAP_DAILY_CALLS)")
        elif len(done.failed) == len(self._places):
            self._state.waiting("openweathermap")
        else:
            self._state.running()

    def _about(self, place: Place) -> dict[str, str]:
        return {"stream": self._stream.name, "series": place.name}


@dataclass
class _Tally:
    sent: int = 0
    dead_letters: int = 0
    failed: set[str] = field(default_factory=set)
    ended_by: ApiError | None = None
