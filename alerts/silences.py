"""Silences: what people do not want to be told for a while. MongoDB's ``alert_silences``."""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from pymongo.database import Database

from alerts.states import Alert
from readings.connections import Document
from readings.errors import ConfigError
from readings.stream import Stream

COLLECTION = "alert_silences"
KEPT = timedelta(days=30)
LABELS = ("rule", "kind", "stream", "series", "severity")


@dataclass(frozen=True)
class Silence:
    """What is not told between two instants."""

    id: str
    matchers: Mapping[str, str]
    """By label what it must be, with ``*`` for any text; all must fit."""
    since: datetime
    until: datetime
    why: str = ""

    def silences(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert of these labels is meant."""
        return all(name in labels and fnmatchcase(labels[name], text) for name, text in self.matchers.items())

    @property
    def described(self) -> str:
        """``region=Bergen, kind=late``."""
        return ", ".join(f"{name}={text}" for name, text in self.matchers.items())


def parse_matchers(text: str, streams: Mapping[str, Stream]) -> dict[str, str]:
    """Reads ``region=Bergen,kind=late``. Raises ConfigError naming the labels there are."""
    known = [*LABELS, *dict.fromkeys(field for stream in streams.values() for field in stream.model.series_fields)]
    matchers = {}
    for part in text.split(","):
        name, equals, wanted = (piece.strip() for piece in part.partition("="))
        if not equals or not wanted:
            raise ConfigError(f"read {part.strip()!r}, expected label=text, with * for any text: region=Bergen")
        if name not in known:
            raise ConfigError(f"read the label {name!r}, expected one of {', '.join(known)}")
        if name in matchers:
            raise ConfigError(f"read the label {name!r} twice, and all must fit: expected a silence for each, or a *")
        matchers[name] = wanted
    return matchers


def labels_of(alert: Alert, streams: Mapping[str, Stream]) -> dict[str, str]:
    """What a silence goes by: rule, kind, stream, series, severity, and the parts of the series by their names."""
    labels = dict(alert.labels)
    if alert.key.stream in streams:
        fields = streams[alert.key.stream].model.series_fields
        labels |= dict(zip(fields, alert.key.series.split("/", len(fields) - 1), strict=False))
    return labels


def add_silence(database: "Database[Document]", silence: Silence) -> None:
    """Stores a silence. Raises PyMongoError."""
    document = asdict(silence)
    database[COLLECTION].insert_one({"_id": document.pop("id"), **document})


def end_silence(database: "Database[Document]", identifier: str) -> bool:
    """Ends a silence; False where there is none of that id. Raises PyMongoError."""
    return bool(database[COLLECTION].delete_one({"_id": identifier}).deleted_count)


def load_silences(database: "Database[Document]", now: datetime) -> list[Silence]:
    """The silences that hold now or later, soonest end first. Raises PyMongoError."""
    found = database[COLLECTION].find({"until": {"$gt": now}}).sort("until", 1)
    return [Silence(one.pop("_id"), **one) for one in found]


def prune_silences(database: "Database[Document]", now: datetime) -> None:
    """Forgets those that ended long ago. Raises PyMongoError."""
    database[COLLECTION].delete_many({"until": {"$lt": now - KEPT}})


def new_id() -> str:
    """An id that is short enough to be typed."""
    return secrets.token_hex(3)
