"""Whose totals begin anew, because their stream went live: MongoDB's ``totals_anew``.

``{_id: stream, series, sources, before, due}``: `producer.go_live` asks for it when it has removed what was replayed.
The consumer removes the stream's totals and makes them again, without the messages of `sources` that came `before`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pymongo.database import Database

from readings.connections import Document

COLLECTION = "totals_anew"
STREAMS = frozenset({"production", "meter", "facility", "market"})
"""Those of which totals are made."""


@dataclass(frozen=True)
class Anew:
    """What is asked for of a stream."""

    series: tuple[str, ...] = ()
    """Those that were replayed; none once their totals have begun anew."""
    sources: tuple[str, ...] = ()
    """How a replay's readings name their source."""
    before: datetime | None = None
    """When the replay's last message had come, aware UTC; None where there was no replay."""
    due: bool = False
    """Whether the consumer has not done it yet."""

    def leaves_out(self, source: str, arrived_at: datetime) -> bool:
        """Whether a message that came then counts no more."""
        return self.before is not None and source in self.sources and arrived_at < self.before


def note(database: "Database[Document]", stream: str, series: Iterable[str]) -> None:
    """Notes which series were replayed before anything of them is removed: after a kill they are known all the same."""
    if noted := {*asked(database, stream).series, *series}:
        database[COLLECTION].update_one({"_id": stream}, {"$set": {"series": sorted(noted)}}, upsert=True)


def ask(database: "Database[Document]", stream: str, sources: Iterable[str], before: datetime) -> None:
    """Asks for totals anew, where series were noted."""
    if asked(database, stream).series:
        wanted = {"sources": list(sources), "before": before, "due": True}
        database[COLLECTION].update_one({"_id": stream}, {"$set": wanted})


def asked(database: "Database[Document]", stream: str) -> Anew:
    """What is asked for of a stream."""
    found = database[COLLECTION].find_one({"_id": stream}) or {}
    return Anew(
        tuple(found.get("series", ())), tuple(found.get("sources", ())), found.get("before"), found.get("due", False)
    )


def due(database: "Database[Document]") -> set[str]:
    """The streams whose totals are to begin anew."""
    return {one["_id"] for one in database[COLLECTION].find({"due": True})}


def done(database: "Database[Document]", stream: str, of: Anew) -> None:
    """Notes that it is done, unless it was asked for once more meanwhile."""
    database[COLLECTION].update_one({"_id": stream, "before": of.before}, {"$set": {"due": False, "series": []}})
