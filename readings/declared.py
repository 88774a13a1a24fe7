"""Which series of a stream are to be expected, how often, and from which source: MongoDB's ``sources``.

A producer declares what it feeds when it starts: ``{_id: stream, source, series, cadence_s, since, added}``.
`alerts`, `status` and the dashboard judge silence by it.
Where nothing is declared yet, it is what ``skywatt.yml`` says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pymongo.database import Database

from readings.connections import Document
from readings.errors import ConfigError
from readings.stream import Stream

COLLECTION = "sources"


@dataclass(frozen=True)
class Declared:
    """What is expected of a stream."""

    source: str
    series: tuple[str, ...]
    cadence: timedelta
    since: datetime | None
    """When it was declared, aware UTC; None while nothing is. Of live sources that follow each other the first's."""
    added: Mapping[str, datetime] = field(default_factory=dict)
    """When a series was declared that was not among the first."""

    def silent(
        self, newest: Mapping[str, datetime], allowed_delay: timedelta, now: datetime
    ) -> dict[str, datetime | None]:
        """The silent series with the newest event time of each (None for one never seen).

        Silent is a declared series whose newest event time (an interval's end) is older than cadence plus
        allowed delay, and one never seen for as long since it was declared.
        """
        limit = now - self.cadence - allowed_delay
        return {
            series: newest.get(series)
            for series in self.series
            if (newest.get(series) or self.added.get(series) or self.since or now) < limit
        }


def declared(database: "Database[Document]", stream: Stream) -> Declared:
    """What is expected of a stream now."""
    found = database[COLLECTION].find_one({"_id": stream.name})
    if found is None:
        return Declared(
            " or ".join(stream.config.sources),
            tuple(stream.config.series_names()),
            stream.config.cadence,
            None,
        )
    return Declared(
        found["source"],
        tuple(found["series"]),
        timedelta(seconds=found["cadence_s"]),
        found["since"],
        {one["series"]: one["since"] for one in found.get("added", ())},
    )


def declare(
    database: "Database[Document]",
    stream: Stream,
    source: str,
    series: list[str],
    cadence: timedelta,
) -> None:
    """Says what a source feeds. Raises ConfigError where another source feeds the stream already."""
    found = database[COLLECTION].find_one({"_id": stream.name})
    if found is not None and found["source"] != source:
        raise ConfigError(
            f"{stream.name} is fed by {found['source']!r} already and {source!r} would overwrite it; "
            f"to change over: python -m producer go-live {stream.name}"
        )
    now = datetime.now(UTC)
    added = [one for one in found.get("added", ()) if one["series"] in series] if found else []
    added += [{"series": name, "since": now} for name in sorted(set(series) - set(found["series"]))] if found else []
    database[COLLECTION].update_one(
        {"_id": stream.name, "source": source},
        {
            "$set": {"series": sorted(series), "cadence_s": cadence.total_seconds(), "added": added},
            "$setOnInsert": {"since": now},
        },
        upsert=True,
    )


def hand_on(database: "Database[Document]", stream: Stream, source: str) -> None:
    """Says that another live source feeds a stream that is live; since when it is stays."""
    database[COLLECTION].update_one({"_id": stream.name}, {"$set": {"source": source}})


def withdraw(database: "Database[Document]", stream: Stream) -> None:
    """Forgets what was declared of a stream, so that another source may feed it."""
    database[COLLECTION].delete_one({"_id": stream.name})
