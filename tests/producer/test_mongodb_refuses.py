"""A MongoDB that answers but takes no writes is waited for, as one that is away; what waiting does not help ends it."""

from typing import Any, cast

import pytest
from pymongo.database import Database
from pymongo.errors import (
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
    WriteError,
    WTimeoutError,
)

from producer.cursor import KeptCursor
from producer.waiting import until_mongodb_answers
from readings.connections import Document
from tests.producer.conftest import NOW, Heard, TurnedClock

QUOTA = "you are over your space quota, using 513 MB of 512 MB"
REFUSALS = [
    WriteError(QUOTA, 8000, {"index": 0, "code": 8000, "errmsg": QUOTA}),
    OperationFailure(QUOTA, 8000, {"ok": 0, "errmsg": QUOTA, "code": 8000, "codeName": "AtlasError"}),
    OperationFailure("available disk space is less than required", 14031),
    WTimeoutError("waiting for replication timed out", 64),
    WriteConcernError("Not enough data-bearing nodes", 100),
]
FAULTS = [
    OperationFailure("bad auth : authentication failed", 8000),
    OperationFailure("Authentication failed.", 18),
    OperationFailure("not authorized on skywatt to execute command", 13),
    WriteError("Resulting document after update is larger than 16777216", 17419),
    DuplicateKeyError("E11000 duplicate key error", 11000),
]


class Refusing:
    """A collection whose updates are refused for as long as there is an error."""

    def __init__(self, error: PyMongoError | None) -> None:
        self.error = error
        self.kept: dict[str, Any] | None = None

    def find_one(self, _query: object) -> None:
        """It holds nothing."""

    def update_one(self, _query: object, update: dict[str, Any], *, upsert: bool) -> None:
        if self.error is not None:
            raise self.error
        assert upsert
        self.kept = update["$set"]


def cursor(collection: Refusing, heard: Heard) -> KeptCursor:
    return KeptCursor(cast("Database[Document]", {"cursors": collection}), "elhub/production", heard)


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: f"{type(error).__name__} {error.code}")
def test_a_cursor_that_is_refused_moves_on_and_is_kept_when_writes_are_taken(error: PyMongoError, heard: Heard) -> None:
    collection = Refusing(error)
    moved = cursor(collection, heard)
    moved.move({"NO1/hydro": NOW})
    assert heard.state == "waiting"
    assert str(heard.why).startswith(f"mongodb refuses writes: {str(error)[:20]}")
    assert str(heard.why).endswith(" (readings go on, the cursor is kept when it is back)")
    collection.error = None
    moved.move({})
    assert heard.state == "running"
    assert collection.kept == {"facts": {}, "until": [{"series": "NO1/hydro", "at": NOW}]}


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: f"{type(error).__name__} {error.code}")
def test_a_call_that_is_refused_is_made_until_writes_are_taken(
    error: PyMongoError, clock: TurnedClock, heard: Heard
) -> None:
    told = []

    def call() -> str:
        told.append(heard.why)
        if len(told) < 3:
            raise error
        return "done"

    assert until_mongodb_answers(call, clock, heard) == "done"
    assert heard.state == "running"
    assert [str(why)[:24] for why in told] == ["None", "mongodb refuses writes: ", "mongodb refuses writes: "]


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: f"{type(error).__name__} {error.code}")
def test_a_wrong_password_and_what_is_wrong_with_a_write_are_not_waited_for(
    error: PyMongoError, clock: TurnedClock, heard: Heard
) -> None:
    def call() -> None:
        raise error

    with pytest.raises(type(error)):
        cursor(Refusing(error), heard).move({})
    with pytest.raises(type(error)):
        until_mongodb_answers(call, clock, heard)
