"""What rounds and a backfill ask for spans of time, and what it answers that is no reading."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, Protocol

from apis.errors import BadAnswer, Refused
from readings.reading import Mode, Reading


@dataclass(frozen=True)
class Unreadable:
    """What a service answered that is no reading."""

    series: str
    """What it seems to be of, for people."""
    reason: str
    record: Any
    known_by: Any = None
    """What stays the same of what is wrong with answers whatever span they are of, as that a series has no name: it is
    one dead letter as long as it lasts, and nothing that a piece has. None: it is known by its record.
    """


@dataclass(frozen=True)
class FailedCall:
    """One of several calls for a piece, of which others were answered."""

    series: tuple[str, ...]
    """What it was to give."""
    error: BadAnswer | Refused


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
        """The span, cut where the service takes no more in a call, or memory no more of its readings.

        It begins where the service's days or intervals do: at or before `since`.
        """

    def fetch(
        self, since: datetime, until: datetime, mode: Mode, only: Collection[str] | None = None
    ) -> Iterator[Reading | Unreadable | FailedCall]:
        """What the service has of a piece. Raises the errors of `apis.errors`.

        Where `only` some series are wanted, others may be among it: those that the same call gives. Such calls can be
        spared: OutOfCalls where those that are left are needed for all.
        """
