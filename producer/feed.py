"""What feeding one stream needs, whatever the source."""

from collections.abc import Callable
from dataclasses import dataclass

from pymongo.database import Database

from producer.clock import Clock
from producer.cursor import KeptCursor
from producer.errors import Superseded
from producer.publisher import Publishes
from producer.states import State
from producer.waiting import T, until_mongodb_answers
from readings.connections import Document
from readings.declared import Declared, declared
from readings.mongodb import IS_AWAY
from readings.stream import Stream


@dataclass(frozen=True)
class Feed:
    """One stream, where its readings go, and how its source tells of itself."""

    stream: Stream
    database: "Database[Document]"
    publisher: Publishes
    clock: Clock
    state: State

    def answered(self, call: "Callable[[], T]") -> "T":
        """Makes a call of MongoDB that may be repeated safely until it answers."""
        return until_mongodb_answers(call, self.clock, self.state)

    def declared(self) -> Declared:
        """What the stream is fed by now."""
        return self.answered(lambda: declared(self.database, self.stream))

    def cursor(self, source: str) -> KeptCursor:
        """The cursor of a source of this stream."""
        return self.answered(lambda: KeptCursor(self.database, cursor_name(source, self.stream), self.state))

    def still(self, source: str) -> None:
        """Raises Superseded where another source feeds the stream now; while MongoDB is away, that is not known."""
        try:
            found = declared(self.database, self.stream)
        except IS_AWAY:
            return
        if found.since is None or found.source != source:
            raise Superseded(f"{self.stream.name} is not fed by {source!r} any more")


def cursor_name(source: str, stream: Stream) -> str:
    """The name of the cursor of a source of a stream."""
    return f"{source}/{stream.name}"
