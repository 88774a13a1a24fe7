"""The life of each alert in Elasticsearch, for Kibana: ``alerts-YYYY.MM``, one document an incident."""

from typing import Any

from elasticsearch import Elasticsearch

from alerts.alert_store import from_document, incident
from alerts.errors import ViewError
from alerts.outbox import Outbox
from alerts.states import Alert


def copy_to_view(outbox: Outbox, view: Elasticsearch, prefix: str) -> None:
    """Writes what messages tell of that is not in Elasticsearch yet. Raises what both clients raise."""
    for document in outbox.not_viewed():
        alerts = [from_document(stored) for stored in document["alerts"]]
        answer = view.bulk(operations=[line for alert in alerts for line in _operation(alert, prefix)])
        if answer["errors"]:
            refused = next(item["index"] for item in answer["items"] if "error" in item["index"])
            raise ViewError(f"{refused['_index']}: {refused['error']['type']}: {refused['error']['reason']}")
        outbox.mark_viewed(document["_id"])


def to_view(alert: Alert) -> dict[str, Any]:
    """The document of one incident, fields as the template ALERT has them."""
    finding = alert.finding
    fields = {
        "alert": incident(alert),
        "rule": alert.key.rule,
        "kind": alert.kind,
        "stream": alert.key.stream,
        "series": alert.key.series,
        "severity": alert.severity,
        "state": alert.state,
        "since": alert.since,
        "changed_at": alert.changed_at,
        "fired_at": alert.fired_at,
        "resolved_at": alert.resolved_at,
        "began": finding.began,
        "count": finding.count,
        "worst_delay_s": finding.worst_delay_s,
        "message": alert.message,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _operation(alert: Alert, prefix: str) -> list[dict[str, Any]]:
    return [{"index": {"_index": f"{prefix}alerts-{alert.since:%Y.%m}", "_id": incident(alert)}}, to_view(alert)]
