"""Where the engine keeps what it knows between rounds: in MongoDB, or, to try rules out, nowhere."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pymongo.database import Database

from alerts.alert_store import Alerts, load_alerts, remove_alerts, write_alerts
from alerts.notices import Changes, Notice, Post
from alerts.outbox import Outbox
from alerts.silences import Silence, load_silences
from alerts.states import Alert, Key
from readings.connections import Document
from readings.declared import Declared, declared
from readings.stream import Stream


@dataclass(frozen=True)
class Kept:
    """What an engine takes up."""

    alerts: Alerts
    notices: Sequence[Notice]
    begun: Sequence[datetime]
    """When messages of the last hour began."""
    repeated: Sequence[datetime]
    """When messages were repeated in it."""


class Book(Protocol):
    """What an engine reads and writes. Every method raises PyMongoError."""

    def load(self, now: datetime) -> Kept:
        """What is kept."""

    def silences(self, now: datetime) -> Sequence[Silence]:
        """The silences that hold."""

    def declared(self, stream: Stream) -> Declared:
        """What is expected of a stream."""

    def write(self, changed: Sequence[Alert], gone: Iterable[Key], changes: Changes, now: datetime) -> None:
        """Keeps what a round changed: alerts as they are now, those that are inactive now, messages."""


class KeptBook:
    """MongoDB.

    The order of writes makes an end at any point harmless: alerts with the message that tells of them, then their
    changes, then the messages, then what is over is removed. What changed last is written again by the next engine, for
    its change may not be there. An alert whose message was not written yet is told as if it were new. Once
    the end of a message is written, its incidents are over: what was not closed or removed then is so by `load`.
    """

    def __init__(self, database: "Database[Document]") -> None:
        self._database = database
        self.outbox = Outbox(database)

    def load(self, now: datetime) -> Kept:
        """What is kept, after what the one before did not bring to its end is brought there."""
        self.outbox.close_ended()
        alerts = load_alerts(self._database)
        closed = self.outbox.closed({alert.message for alert in alerts.values() if alert.message})
        over = [key for key, alert in alerts.items() if alert.message in closed]
        remove_alerts(self._database, over)
        alive = {key: alert for key, alert in alerts.items() if key not in over}
        begun, repeated = self.outbox.of_last_hour("firing", now), self.outbox.of_last_hour("repeat", now)
        return Kept(alive, self.outbox.open_notices(), begun, repeated)

    def silences(self, now: datetime) -> Sequence[Silence]:
        """The silences that hold."""
        return load_silences(self._database, now)

    def declared(self, stream: Stream) -> Declared:
        """What is expected of a stream."""
        return declared(self._database, stream)

    def write(self, changed: Sequence[Alert], gone: Iterable[Key], changes: Changes, now: datetime) -> None:
        """Keeps what a round changed."""
        write_alerts(self._database, changed)
        self.outbox.put(changes, now)
        remove_alerts(self._database, gone)


class TrialBook:
    """Keeps nothing: what would be posted is told to `say`. Silences hold where `silences_hold`."""

    def __init__(
        self, database: "Database[Document]", say: Callable[[Post, datetime], object], *, silences_hold: bool
    ) -> None:
        self._database = database
        self._say = say
        self._silences_hold = silences_hold

    def load(self, now: datetime) -> Kept:  # noqa: ARG002 - as KeptBook has it
        """Nothing: a trial begins anew."""
        return Kept({}, (), (), ())

    def silences(self, now: datetime) -> Sequence[Silence]:
        """The silences that hold."""
        return load_silences(self._database, now) if self._silences_hold else ()

    def declared(self, stream: Stream) -> Declared:
        """What is expected of a stream now."""
        return declared(self._database, stream)

    def write(
        self,
        changed: Sequence[Alert],  # noqa: ARG002 - as KeptBook has it
        gone: Iterable[Key],  # noqa: ARG002 - likewise
        changes: Changes,
        now: datetime,
    ) -> None:
        """Says what would be posted."""
        for post in changes.posts:
            self._say(post, now)
