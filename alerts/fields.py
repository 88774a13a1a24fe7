"""Which fields there are: a question about one that is not there has no answer, and would look as if all were well."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from elasticsearch import Elasticsearch

KEPT = timedelta(minutes=1)


class Fields:
    """Asks for the fields of indices, at most once a minute each."""

    def __init__(self, view: Elasticsearch) -> None:
        self._view = view
        self._known: dict[tuple[str, ...], tuple[datetime, frozenset[str] | None]] = {}

    def among(self, index: str, wanted: Sequence[str], now: datetime) -> frozenset[str] | None:
        """Those of the wanted fields that some index has; None without an index. Raises what the client raises."""
        key = (index, *wanted)
        at, found = self._known.get(key, (None, None))
        if at is None or now - at >= KEPT:
            answer = self._view.field_caps(
                index=index, fields=list(wanted), ignore_unavailable=True, allow_no_indices=True
            )
            found = frozenset(answer["fields"]) if answer["indices"] else None
            self._known[key] = now, found
        return found
