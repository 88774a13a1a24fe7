"""What MongoDB's errors say that is worth waiting for: it is away, or takes no writes. Others are raised."""

from typing import Any

from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
    WriteError,
)

IS_AWAY = (AutoReconnect, ConfigurationError, ExecutionTimeout)
"""While the server is down, starting or changing its primary, or DNS does not answer."""
ATLAS = 8000
"""Atlas's own errors: of a write that its disk is full, and of what is no write, too, that a password is wrong."""
OUT_OF_DISK_SPACE = 14031


def waited_for(error: PyMongoError) -> str | None:
    """What is waited for, as ``status`` says it; None where waiting does not help, as with a wrong password."""
    if isinstance(error, IS_AWAY):
        return "mongodb"
    if isinstance(error, OperationFailure) and _refuses_writes(error):
        return f"mongodb refuses writes: {_told(error)}"
    return None


def _refuses_writes(error: OperationFailure) -> bool:
    """Whether its disk or quota is full, or too few of its servers answer to keep what is written."""
    if isinstance(error, WriteConcernError) or error.code == OUT_OF_DISK_SPACE:
        return True
    return error.code == ATLAS and (isinstance(error, WriteError) or "quota" in str(error))


def _told(error: OperationFailure) -> str:
    details: Any = error.details or {}
    return str(details.get("errmsg") or error)[:150]
