"""Series that ended before what a round asks for: of a network that is published once a day, or that stopped.

Each is asked for apart from the others, from where it ends to where rounds begin; the longer it has been silent, the
less often. Where a round finds something of one again, what is between may have come, too: it is asked for at once.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
Span = tuple[datetime, datetime, list[str]]
"""Begin, end and the series that have it."""
NEVER = datetime.min.replace(tzinfo=UTC)


class Straggler(TypedDict):
    """What is known of one, as the cursor's fact ``stragglers`` keeps it by series."""

    since: datetime
    """Up to then everything has come, or was told to be lacking."""
    asked_at: datetime
    """The full hour in which it was asked for: in the same one as others, which may share its calls."""
    back: datetime | None
    """Where the round began that found readings of it again: up to there it is asked for in each round until a call is
    answered."""


class Stragglers:
    """Those of a source. What is done with them changes the cursor's facts, which are kept when it moves."""

    def __init__(self, facts: dict[str, Any], until: Mapping[str, datetime]) -> None:
        """`until` tells where each series ends."""
        self._until = until
        self.known: dict[str, Straggler] = facts.setdefault("stragglers", {})

    def note(
        self, declared: Collection[str], but: Collection[str], since: datetime, begun: datetime, now: datetime
    ) -> list[str]:
        """Notes the declared series, `but` some, that end before `since`; what has never come is missed since `begun`.

        Forgets those that do no more. Gives the new ones.
        """
        for series, one in list(self.known.items()):
            ended = one["since"] if one["back"] else self._until.get(series, NEVER)
            if series not in declared or ended >= (one["back"] or since):
                del self.known[series]
        known = {*but, *self.known}
        new = [one for one in declared if one not in known and self._until.get(one, NEVER) < since]
        for series in new:
            ended = self._until.get(series, min(begun, since))
            self.known[series] = Straggler(since=ended, asked_at=full_hour(now), back=None)
        return new

    def due(
        self, but: Collection[str], since: datetime, longest: timedelta, every: timedelta, now: datetime
    ) -> tuple[list[Span], list[Span]]:
        """Those, `but` some, that are to be asked for: at once what is back, others so often, or after as many hours as
        they have been silent for days, if that is longer.

        Gives what is longer ago than `longest` before `since`, and no more asked for; and what is to be asked for, of
        what is back first.
        """
        too_old: list[tuple[str, datetime, datetime]] = []
        back: list[tuple[str, datetime, datetime]] = []
        silent: list[tuple[str, datetime, datetime]] = []
        for series, one in self.known.items():
            pause = max(every, (now - one["since"]) // DAY * HOUR)
            if series in but or (one["back"] is None and one["since"] < one["asked_at"] > now - pause):
                continue
            end = one["back"] or since
            if one["since"] < end - longest:
                too_old.append((series, one["since"], end - longest))
                one["since"] = end - longest
            if one["since"] < end:
                (back if one["back"] else silent).append((series, full_hour(one["since"]), end))
        return by_span(too_old), by_span(back) + by_span(silent)

    def note_found(self, found: Collection[str], new: Collection[str], begin: datetime, now: datetime) -> list[Span]:
        """Notes those of which a round that began there has found something.

        What is between may have come, too: where there are readings, they are due. Of those of which nothing could be
        read, which from now on are none that were silent, gives what is up to now, to be asked for once; but of the
        `new` ones rounds had asked for all.
        """
        between = []
        for series, one in self.known.items():
            if one["back"] is not None:
                continue  # what is between has not been asked for yet
            if self._until.get(series, NEVER) > one["since"]:
                one["back"] = begin
            elif series in found:
                if one["since"] < begin and series not in new:
                    between.append((series, one["since"], now))
                one["since"] = max(one["since"], now)
        return by_span(between)

    def note_asked(
        self,
        come: Mapping[str, Sequence[datetime]],
        begin: datetime,
        end: datetime,
        found: Collection[str],
        now: datetime,
    ) -> dict[str, datetime]:
        """Notes that some were asked for a span now, of which there is something of those that were `found`.

        `come` are the event times of their readings: none where the call was refused or could not be read. Gives those
        that are back without what is between, and its begin.
        """
        lacking = {}
        for series, times in come.items():
            one = self.known[series]
            one["asked_at"] = full_hour(now)
            if one["back"] is not None:
                first = begin if begin >= one["since"] else one["since"] + MINUTE  # the last one has come
                if not any(first <= at < end for at in times):
                    lacking[series] = first
                one["since"] = end
            elif series in found:  # of what is no reading the time is not known
                one["since"] = max(one["since"], begin, self._until.get(series, NEVER))
        return lacking


def by_span(spans: Iterable[tuple[str, datetime, datetime]]) -> list[Span]:
    """The series that have the same span, together; oldest first."""
    found: dict[tuple[datetime, datetime], list[str]] = {}
    for series, begin, end in spans:
        found.setdefault((begin, end), []).append(series)
    return [(*span, sorted(those)) for span, those in sorted(found.items())]


def full_hour(instant: datetime) -> datetime:
    """The full hour before."""
    return instant.replace(minute=0, second=0, microsecond=0)
