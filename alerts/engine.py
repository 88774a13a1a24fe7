"""One evaluation round after another: find, change, write down, tell."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from elasticsearch import Elasticsearch
from pymongo.database import Database

from alerts.alert_store import Alerts, load_alerts, write_alerts
from alerts.findings import Findings, LongAgo, Round
from alerts.messages import Expected, compose
from alerts.outbox import Outbox, Told, message_id
from alerts.rules import Rule, rule_streams
from alerts.states import Alert, Event, Key, Life, resolve, step
from readings.connections import Document
from readings.declared import declared
from readings.stream import Stream

NOBODY_LOOKS = "no rule looks after it any more"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Change:
    """What one round makes of one alert."""

    before: Alert | None
    after: Alert | None
    key: Key
    event: Event | None
    expected: Expected | None

    @property
    def group(self) -> tuple[str, str, str, str]:
        """Changes of the same group are told in one message; what is resolved answers the message that told it."""
        answers = (self.after.message if self.after else None) or ""
        return str(self.event), self.key.rule, self.key.stream, answers if self.event == "resolved" else ""


class Engine:
    """The rules and the alerts they keep. After an error of a store call `load` before the next round."""

    def __init__(
        self, database: "Database[Document]", view: Elasticsearch, streams: Mapping[str, Stream], rules: Sequence[Rule]
    ) -> None:
        self._database = database
        self._view = view
        self._streams = streams
        self._rules = rules
        self.outbox = Outbox(database)
        self._alerts: Alerts = {}
        self._long_ago: LongAgo = {}

    def load(self) -> None:
        """Takes up what is stored, with what an end left half done. Raises PyMongoError."""
        recovered = self.outbox.recover()
        self._alerts = load_alerts(self._database)
        if recovered:
            log.info("changes of %d messages made up for", recovered)

    def round(self, now: datetime) -> int:
        """One round at an aware UTC `now` in whole milliseconds; gives how many messages were written.

        Raises what the clients of both stores raise: then nothing has changed, or all that a message says.
        """
        changes = list(self._changes(now))
        told = list(_tell(changes))
        answered = {alert.key: alert for one in told for alert in one.alerts}
        if told:
            self.outbox.put(told, now)
        quiet = [change for change in changes if change.event is None]
        write_alerts(
            self._database,
            [change.after for change in quiet if change.after],
            [change.key for change in quiet if change.after is None],
        )
        for change in changes:
            after = answered.get(change.key, change.after)
            if after is None or after.state == "resolved":
                self._alerts.pop(change.key, None)
            else:
                self._alerts[change.key] = after
        return len(told)

    def _changes(self, now: datetime) -> Iterator[Change]:
        """Every alert that is not afterwards what it was before."""
        looked_after: set[tuple[str, str]] = set()
        asked = Round(self._view, now, self._long_ago)
        expectations = {name: declared(self._database, stream) for name, stream in self._streams.items()}
        for rule in self._rules:
            for stream in rule_streams(rule, self._streams):
                expected = expectations[stream.name]
                found = asked.find(rule, stream, expected)
                looked_after.add((rule.name, stream.name))
                judged_by = Expected(expected.cadence, stream.config.allowed_delay)
                yield from self._of_rule(rule, stream, found, judged_by, now)
        for key, alert in self._alerts.items():
            if (key.rule, key.stream) not in looked_after:
                after, event = resolve(alert, now)
                yield Change(alert, after, key, event, None)

    def _of_rule(
        self, rule: Rule, stream: Stream, found: Findings, expected: Expected, now: datetime
    ) -> Iterator[Change]:
        life = Life(rule.kind, rule.severity, rule.hold, rule.keep_firing_for)
        mine = {key for key in self._alerts if (key.rule, key.stream) == (rule.name, stream.name)}
        for key in sorted(mine | {Key(rule.name, stream.name, series) for series in found}, key=str):
            before = self._alerts.get(key)
            after, event = step(key, before, found.get(key.series), life, now)
            if after != before:
                yield Change(before, after, key, event, expected)


def _tell(changes: Sequence[Change]) -> Iterator[Told]:
    """The messages about changes that are to be told."""
    loud = sorted((change for change in changes if change.event), key=lambda change: change.group)
    for _, group in groupby(loud, key=lambda change: change.group):
        together = list(group)
        event = together[0].event
        alerts = [change.after for change in together if change.after]
        if event is None:
            continue
        identifier = message_id(event, alerts)
        message = compose(event, alerts, together[0].expected, "" if together[0].expected else NOBODY_LOOKS)
        if event == "firing":
            alerts = [replace(alert, message=identifier) for alert in alerts]
        yield Told(identifier, event, alerts, message, alerts[0].message if event == "resolved" else None)


def whole_milliseconds(instant: datetime) -> datetime:
    """As MongoDB keeps it, so that an alert is the same after a restart."""
    return instant - timedelta(microseconds=instant.microsecond % 1000)
