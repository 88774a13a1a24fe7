"""How far a batch reads, and the rows it gives.

An offset is ``{"timestamp": end, "since": beginning}``, ISO-8601 in UTC: all before its end was read, and the batch
that ended there began at ``since``. Spark keeps the ends in its checkpoint, and asks for the first beginning again
after a crash, by when "an hour ago" would be another time; so the beginning travels with the end.

A batch reads full intervals that have ended, at most `Options.batch` of them, and ends where the values end: where the
API is behind for one of the metrics or for one of its groups, or has a gap there, the rest of the batch is read again
when it has come. Which groups there are is told by the values, those of the interval before the batch among them. What
is missing for longer than `Options.wait` will not come, and is gone past.
"""

import logging
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pyspark.sql.datasource import SimpleDataSourceStreamReader
from pyspark.sql.streaming.datasource import SupportsTriggerAvailableNow

from apis.errors import BadAnswer
from apis.openelectricity import DATA_METRICS, MARKET_METRICS, OpenElectricity, Point
from apis.session import Session
from spark_consumer.openelectricity_stream import intervals, progress
from spark_consumer.openelectricity_stream.options import Options

COLUMNS = ("network_code", "metric", "unit", "fueltech_group", "network_region", "unit_code")
"""The schema's strings. ``fueltech_group`` holds the secondary grouping's value, whichever it is."""
METRICS = (*DATA_METRICS, *MARKET_METRICS)
LOGGER = __package__ or __name__
"""``spark_consumer.openelectricity_stream``."""

Offset = dict[str, str]
Row = tuple[object, ...]

log = logging.getLogger(LOGGER)


class OpenElectricityStreamReader(SimpleDataSourceStreamReader, SupportsTriggerAvailableNow):
    """Reads a network from an offset on. Its methods raise what `apis.errors` has where the API fails for good."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._asked_at: datetime | None = None
        """When the API had nothing new the last time."""
        self._moment: datetime | None = None
        """With the trigger AvailableNow: when the query began."""
        self._initial: Offset | None = None
        self._saved: str | None = None

    def prepareForTriggerAvailableNow(self) -> None:
        """The query ends with what there is at this moment."""
        self._moment = _now()

    def initialOffset(self) -> Offset:
        """Where a new checkpoint begins: where progress.json ends, else `batch_size_hours` before now."""
        if self._initial:  # Spark asks twice
            return self._initial
        options = self._options
        self._set_up_log()
        known = progress.load(options.progress_file) if options.progress_file else None
        begin = intervals.beginning(known or _now() - options.batch, options.interval, options.network)
        log.debug("%s begins at %s (%s)", options.network, _text(begin), "progress.json" if known else "no progress")
        self._initial = {"timestamp": _text(begin), "since": _text(begin)}
        return self._initial

    def read(self, start: Offset) -> tuple[Iterator[Row], Offset]:
        """The rows from an offset on, and the offset where they end: `start` itself where there is nothing new."""
        self._set_up_log()
        if start["timestamp"] != start.get("since"):  # not where a checkpoint begins
            self._save(start)
        options, now = self._options, self._moment or _now()
        since = progress.instant(start["timestamp"])
        until = self._end_of_batch(since, now)
        if until <= since or (self._asked_at and now - self._asked_at < options.poll):
            return iter(()), start
        points = self._fetch(self._interval_before(since), until)
        end = self._end_of_values(points, since, until, now)
        if end <= since:
            self._asked_at = now
            return iter(()), start
        self._asked_at = None
        rows = self._rows(point for point in points if since <= point.time < end)
        log.debug("%s read %s to %s: %d rows", options.network, _text(since), _text(end), len(rows))
        return iter(rows), {"timestamp": _text(end), "since": _text(since)}

    def readBetweenOffsets(self, start: Offset, end: Offset) -> Iterator[Row]:
        """The rows of a batch that was begun before and did not end, again."""
        self._set_up_log()
        since, until = progress.instant(end.get("since", start["timestamp"])), progress.instant(end["timestamp"])
        rows = self._rows(self._fetch(since, until))
        log.debug("%s read %s to %s again: %d rows", self._options.network, _text(since), _text(until), len(rows))
        return iter(rows)

    def commit(self, end: Offset) -> None:
        """All before the offset is in the sink: progress.json says so."""
        self._save(end)

    def _save(self, offset: Offset) -> None:
        """Spark tells of a commit only when it has made the next batch; but it reads on only from what is committed."""
        if self._saved == offset["timestamp"]:
            return
        if self._options.progress_file:
            progress.save(self._options.progress_file, offset["timestamp"])
        self._saved = offset["timestamp"]
        log.debug("%s has committed %s", self._options.network, self._saved)

    def _end_of_batch(self, since: datetime, now: datetime) -> datetime:
        """At least one interval, at most `Options.batch`, none that has not ended."""
        interval, network = self._options.interval, self._options.network
        one = intervals.end(intervals.beginning(since, interval, network), interval, network)
        batch = intervals.beginning(since + self._options.batch, interval, network)
        return min(max(one, batch), intervals.beginning(now, interval, network))

    def _interval_before(self, since: datetime) -> datetime:
        return intervals.beginning(since - timedelta(seconds=1), self._options.interval, self._options.network)

    def _end_of_values(self, points: list[Point], since: datetime, until: datetime, now: datetime) -> datetime:
        """Where the values of that series end whose first gap is the earliest; `until` where waiting is over."""
        interval, network = self._options.interval, self._options.network
        if now - until >= self._options.wait:
            return until
        times: dict[tuple[str, ...], set[datetime]] = defaultdict(set)
        for point in points:
            times[point.metric, *sorted(map(str, point.groups.values()))].add(point.time)
        ends: dict[tuple[str, ...], datetime] = {}
        for series, known in times.items():
            end = min(known)
            while end in known:
                end = intervals.end(end, interval, network)
            ends[series] = end
        here = {metric for metric, *_ in ends}
        ends |= {(metric,): since for metric in self._options.metrics if metric not in here}
        behind = min(ends, key=lambda series: ends[series])
        if ends[behind] < until:
            missing = "/".join(behind) if points else "values"
            log.info("%s has no %s yet from %s to %s", network, missing, _text(ends[behind]), _text(until))
        return min(until, ends[behind])

    def _fetch(self, since: datetime, until: datetime) -> list[Point]:
        options = self._options
        session = Session(
            options.base_url, headers={"Authorization": f"Bearer {options.api_key}"}, patience=options.patience
        )
        log.debug(
            "%s is asked for %s, %s to %s", options.network, ",".join(options.metrics), _text(since), _text(until)
        )
        try:
            return list(
                OpenElectricity(session).network_series(
                    options.network,
                    options.metrics,
                    since,
                    until,
                    options.interval,
                    options.primary_grouping,
                    options.secondary_grouping,
                )
            )
        finally:
            session.close()

    def _rows(self, points: "Iterator[Point] | list[Point]") -> list[Row]:
        """A row a value, in the schema's order. What came twice is one row; raises BadAnswer where the two differ."""
        found: dict[object, Point] = {}
        for point in points:
            if point.metric not in self._options.metrics:
                raise BadAnswer(f"metric: read {point.metric!r}, expected one of those asked for", b"")
            key = point.metric, point.time, tuple(sorted(point.groups.items()))
            if found.setdefault(key, point).value != point.value:
                raise BadAnswer(f"{point.metric} at {point.time}: read {found[key].value} and {point.value}", b"")
        return [self._row(point) for point in found.values()]

    def _row(self, point: Point) -> Row:
        group = point.groups.get(self._options.secondary_grouping or "fueltech_group")
        region, unit_code = point.groups.get("network_region"), point.groups.get("unit_code")
        strings = (self._options.network, point.metric, point.unit, group, region, unit_code)
        return (point.time, *strings, *(point.value if name == point.metric else None for name in METRICS))

    def _set_up_log(self) -> None:
        """Spark calls the reader in a process of its own, which knows nothing of the driver's logging."""
        if self._options.log_level and not log.handlers:
            handler = logging.StreamHandler(sys.stderr)
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
            log.addHandler(handler)
            log.setLevel(self._options.log_level)


def _now() -> datetime:
    return datetime.now(UTC)


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()
