"""The life of each alert in Elasticsearch, for Kibana: ``alerts-YYYY.MM``, one document an incident."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from elasticsearch import BadRequestError, Elasticsearch
from pymongo import DeleteOne
from pymongo.database import Database

from alerts.alert_store import CHANGES, from_document
from alerts.errors import ViewError
from alerts.states import Alert, State
from readings.connections import Document

AT_ONCE = 1000
LONGEST_ID = 512
"""Bytes: of a longer ``_id`` Elasticsearch refuses the whole request (elastic/elasticsearch issue 54549)."""
_NO_TEMPLATE = {"index_not_found_exception", "strict_dynamic_mapping_exception"}
"""What Elasticsearch answers where the template of alerts is missing, or an older one."""

_SINCE: dict[State, str] = {"no_data": "no_data_at", "recovering": "recovering_at"}


def copy_to_view(database: "Database[Document]", view: Elasticsearch, prefix: str) -> None:
    """Writes the changes that are not in Elasticsearch yet. Raises what both clients raise, and ViewError.

    What Elasticsearch refuses stays and is tried again the next time.
    """
    while changes := list(database[CHANGES].find({}).limit(AT_ONCE)):
        answers = _send(view, [_operation(from_document(change), prefix) for change in changes])
        # one that changed again meanwhile stays, and so does what is refused
        copied = [
            DeleteOne({"_id": one["_id"], "changed_at": one["changed_at"]})
            for one, said in zip(changes, answers, strict=True)
            if "error" not in said
        ]
        if copied:
            database[CHANGES].bulk_write(copied, ordered=False)
        if refused := [said for said in answers if "error" in said]:
            raise ViewError(_refusal(refused))


def to_view(alert: Alert) -> dict[str, Any]:
    """The document of one incident, fields as the template ALERT has them."""
    finding = alert.finding
    entered = {_SINCE[state]: at for state, at in alert.history if state in _SINCE}
    fields = {
        "alert": alert.incident,
        "rule": alert.key.rule,
        "kind": alert.kind,
        "stream": alert.key.stream,
        "series": alert.key.series,
        "severity": alert.severity,
        "state": alert.state,
        "since": alert.since,
        "changed_at": alert.changed_at,
        "fired_at": alert.fired_at,
        **entered,
        "resolved_at": alert.resolved_at,
        "duration_s": (alert.resolved_at - alert.since).total_seconds() if alert.resolved_at else None,
        "began": finding.began,
        "count": finding.count,
        "worst_delay_s": finding.worst_delay_s,
        "what": finding.what or None,
        "muted_by": alert.muted_by,
        "message": alert.message,
        "life": [f"{at.isoformat(timespec='milliseconds')} {state}" for state, at in alert.history],
    }
    return {name: value for name, value in fields.items() if value is not None}


def _refusal(refused: Sequence[Mapping[str, Any]]) -> str:
    error = refused[0]["error"]
    why = f"{refused[0]['_index']}: {error['type']}: {error['reason']}"
    mend = "; python -m elk.setup puts the template in place" if error["type"] in _NO_TEMPLATE else ""
    return f"elasticsearch to take {len(refused)} of the alerts ({why}){mend}"


def _operation(alert: Alert, prefix: str) -> list[dict[str, Any]]:
    name = alert.incident
    if len(name.encode()) > LONGEST_ID:
        name = hashlib.sha256(name.encode()).hexdigest()
    return [{"index": {"_index": f"{prefix}alerts-{alert.since:%Y.%m}", "_id": name}}, to_view(alert)]


def _send(view: Elasticsearch, operations: Sequence[list[dict[str, Any]]]) -> list[Mapping[str, Any]]:
    """What is answered to each; where one of them cannot be read at all, all are refused: then half by half."""
    try:
        answer = view.bulk(operations=[line for operation in operations for line in operation])
    except BadRequestError as error:
        if len(operations) == 1:
            return [
                {"_index": operations[0][0]["index"]["_index"], "error": {"type": error.error, "reason": str(error)}}
            ]
        middle = len(operations) // 2
        return [*_send(view, operations[:middle]), *_send(view, operations[middle:])]
    return [item["index"] for item in answer["items"]]
