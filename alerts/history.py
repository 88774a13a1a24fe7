"""The life of each alert in Elasticsearch, for Kibana: ``alerts-YYYY.MM``, one document an incident."""

from typing import Any

from elasticsearch import Elasticsearch
from pymongo import DeleteOne
from pymongo.database import Database

from alerts.alert_store import CHANGES, from_document
from alerts.errors import ViewError
from alerts.states import Alert, State
from readings.connections import Document

AT_ONCE = 1000

_SINCE: dict[State, str] = {"no_data": "no_data_at", "recovering": "recovering_at"}


def copy_to_view(database: "Database[Document]", view: Elasticsearch, prefix: str) -> None:
    """Writes the changes that are not in Elasticsearch yet. Raises what both clients raise, and ViewError."""
    while changes := list(database[CHANGES].find({}).limit(AT_ONCE)):
        operations = [line for change in changes for line in _operation(from_document(change), prefix)]
        answer = view.bulk(operations=operations)
        if answer["errors"]:
            refused = next(item["index"] for item in answer["items"] if "error" in item["index"])
            raise ViewError(f"{refused['_index']}: {refused['error']['type']}: {refused['error']['reason']}")
        # one that changed again meanwhile stays
        copied = [DeleteOne({"_id": one["_id"], "changed_at": one["changed_at"]}) for one in changes]
        database[CHANGES].bulk_write(copied, ordered=False)


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


def _operation(alert: Alert, prefix: str) -> list[dict[str, Any]]:
    return [{"index": {"_index": f"{prefix}alerts-{alert.since:%Y.%m}", "_id": alert.incident}}, to_view(alert)]
