"""One evaluation round after another: judge, change, write down, tell."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from elasticsearch import ApiError, Elasticsearch, TransportError

from alerts.asking import Answers, Asking, answer
from alerts.book import Book
from alerts.fields import Fields
from alerts.kinds import judge, why_over
from alerts.kinds.scene import Judgement, LongAgo, Scene, StreamScene
from alerts.links import Link, Linker
from alerts.messages import Expected
from alerts.muting import Muting
from alerts.notices import Changes, Moment, Notices
from alerts.pipeline import Pipeline
from alerts.rules import (
    ALL_STREAMS,
    PIPELINE,
    READING_KINDS,
    Rule,
    Rules,
    StalledRule,
    rule_streams,
    watches_readings,
)
from alerts.states import TOLD_STATES, Alert, Key, Life, anew, resolve, step
from readings.declared import Declared
from readings.stream import Stream

FOUND_AT_MOST_EVERY = timedelta(minutes=1)
"""An alert of which only what was found has changed is written again no more often."""
FOUND_AT_ONCE = 500
"""And so many of them in a round."""
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=1), timedelta(seconds=5)
"""What had no answer is asked again so much later, then after twice that, and so on: while Elasticsearch's shards start
it writes each question into its log, with a stack."""
NOBODY_LOOKS = "no rule looks after it any more"

log = logging.getLogger(__name__)

Where = tuple[str, str]
"""A rule's name and the stream that messages file it under."""


@dataclass(frozen=True)
class RoundReport:
    """What came of one round."""

    posts: int
    """Messages written."""
    edits: int
    """Messages written before that change or are over."""
    requests: int
    """Requests to Elasticsearch."""
    blind: Mapping[str, str] = field(default_factory=dict)
    """Rules that could not be judged, and why; their alerts stay as they are."""
    view_away: Exception | None = None
    """Why Elasticsearch does not answer at all, where it does not."""


@dataclass(frozen=True)
class Unanswered:
    """A rule's question to which Elasticsearch had no answer."""

    at: datetime
    why: str
    wait: timedelta
    """So long it is not asked again."""


class Engine:
    """The rules and the alerts they keep. After an error of the book call `load` before the next round."""

    def __init__(
        self,
        book: Book,
        view: Elasticsearch,
        prefix: str,
        streams: Mapping[str, Stream],
        rules: Rules,
        link: Linker,
        *,
        can_edit: bool,
        pipeline: Callable[[], Pipeline] = Pipeline,
    ) -> None:
        self._book = book
        self._view = view
        self._prefix = prefix
        self._streams = streams
        self._rules = rules
        self._link = link
        self._can_edit = can_edit
        self._pipeline = pipeline
        self._alerts: dict[Key, Alert] = {}
        self._written: dict[Key, tuple[Alert, datetime]] = {}
        self._notices = Notices((), (), ())
        self._long_ago: dict[str, LongAgo] = {}
        self._fields = Fields(view)
        self._unanswered: dict[Where, Unanswered] = {}
        self._away: Exception | None = None

    def load(self, now: datetime) -> None:
        """Takes up what is kept. Raises PyMongoError."""
        kept = self._book.load(now)
        self._notices = Notices(kept.notices, kept.begun, kept.repeated)
        self._alerts = {
            key: anew(alert if alert.message in self._notices.open else replace(alert, message=None), now)
            for key, alert in kept.alerts.items()
        }
        told = [alert for alert in kept.alerts.values() if alert.state != "pending"]
        newest = max((alert.changed_at for alert in told), default=None)  # it may be written without its change
        self._written = {key: (alert, now) for key, alert in self._alerts.items() if alert.changed_at != newest}

    def round(self, now: datetime) -> RoundReport:
        """One round at an aware UTC `now` in whole milliseconds.

        Raises PyMongoError: then nothing has changed, or all that a message says. Where Elasticsearch does not answer,
        rules that ask it stay as they are, and the others go on.
        """
        expected = {name: self._book.declared(stream) for name, stream in self._streams.items()}
        silences = self._book.silences(now)
        pipeline = self._pipeline()
        answers, away = self._judge(now, expected, pipeline)
        after, over = self._step(answers.found, set(answers.blind), expected, now)
        alive = [alert for alert in after.values() if alert and alert.state != "resolved"]
        muting = Muting(self._rules, silences, self._streams, alive, now, pipeline_seen=bool(pipeline.samples))
        after = {key: alert and _muted(alert, muting, now, can_edit=self._can_edit) for key, alert in after.items()}
        alerts = [alert for alert in after.values() if alert]
        moment = Moment(
            now,
            self._rules,
            alerts,
            {alert.incident: alert.muted_by for alert in alerts if alert.muted_by},
            muting.quiet_until,
            lambda alert: self._expected(alert, expected),
            self._link_of,
            self._can_edit,
            over,
        )
        changes = self._notices.changes(moment)
        self._write(after, changes, now)
        blind = {rule: why for (rule, _), why in answers.blind.items()}
        edits = sum(notice.revision > 0 for notice in changes.notices.values())
        return RoundReport(len(changes.posts), edits, answers.requests, {} if away else blind, away)

    def _judge(
        self, now: datetime, expected: Mapping[str, Declared], pipeline: Pipeline
    ) -> tuple[Answers[Where, Judgement], Exception | None]:
        """What the rules say, and why Elasticsearch does not answer at all, where it does not."""
        judges: dict[Where, Asking[Judgement]] = {}
        alone: dict[Where, Asking[Judgement]] = {}
        active = self._series()
        for where, rule, stream in self._watched():
            scene = self._scene(frozenset(active[where]), stream, expected, now, pipeline)
            (alone if isinstance(rule, StalledRule) else judges)[where] = judge(rule, scene)
        answers, away = self._ask(judges, now)
        answers.found |= answer(self._view, alone).found
        return answers, away

    def _ask(
        self, judges: Mapping[Where, Asking[Judgement]], now: datetime
    ) -> tuple[Answers[Where, Judgement], Exception | None]:
        """What judges find by Elasticsearch; those that had no answer before are given time."""
        held = {where: one for where, one in self._unanswered.items() if one.at <= now < one.at + one.wait}
        asked = {where: one for where, one in judges.items() if where not in held}
        answers: Answers[Where, Judgement] = Answers({}, {}, 0)
        if asked:
            self._away = None
            try:
                answers = answer(self._view, asked)
            except (ApiError, TransportError) as error:
                answers.blind, self._away = dict.fromkeys(asked, "elasticsearch"), error
        again = {where: Unanswered(now, why, self._wait(where)) for where, why in answers.blind.items()}
        self._unanswered = held | again
        answers.blind = {where: one.why for where, one in self._unanswered.items()}
        return answers, self._away

    def _wait(self, where: Where) -> timedelta:
        before = self._unanswered.get(where)
        return min(2 * before.wait, LONGEST_WAIT) if before else FIRST_WAIT

    def _watched(self) -> Iterator[tuple[Where, Rule, Stream | None]]:
        """Each rule on each of its streams."""
        for rule in self._rules.rules:
            for stream in rule_streams(rule, self._streams):
                yield (rule.name, stream.name), rule, stream
            if not watches_readings(rule):
                yield (rule.name, PIPELINE if rule.stream == ALL_STREAMS else rule.stream), rule, None

    def _series(self) -> Mapping[Where, set[str]]:
        """The series of the alerts of each rule and stream."""
        series: dict[Where, set[str]] = defaultdict(set)
        for key in self._alerts:
            series[key.rule, key.stream].add(key.series)
        return series

    def _scene(
        self,
        active: frozenset[str],
        stream: Stream | None,
        expected: Mapping[str, Declared],
        now: datetime,
        pipeline: Pipeline,
    ) -> Scene:
        if stream is None:
            return Scene(now, self._prefix, active, pipeline, fields=self._fields)
        long_ago = self._long_ago.setdefault(stream.name, {})
        return StreamScene(now, self._prefix, active, pipeline, stream, expected[stream.name], long_ago)

    def _step(
        self,
        found: Mapping[Where, Judgement],
        blind: set[Where],
        expected: Mapping[str, Declared],
        now: datetime,
    ) -> tuple[dict[Key, Alert | None], dict[str, str]]:
        """The alerts after the round, None where one is inactive again; and why some were ended by other means."""
        rules = {rule.name: rule for rule in self._rules.rules}
        after: dict[Key, Alert | None] = {}
        over: dict[str, str] = {}
        active = self._series()
        for where, judgement in found.items():
            rule = rules[where[0]]
            life = Life(rule.kind, rule.severity, rule.hold, rule.keep_firing_for)
            declared = frozenset(expected[where[1]].series) if watches_readings(rule) else None
            for series in active[where] | judgement.keys():
                key = Key(*where, series)
                alert, judged = self._alerts.get(key), judgement.get(series)
                if alert and (why := why_over(rule, series, judged, declared)):
                    after[key] = resolve(alert, now)
                    over[alert.incident] = why
                else:
                    after[key] = step(key, alert, judged, life, now)
        for key, alert in self._alerts.items():
            where = (key.rule, key.stream)
            if where in blind:
                after[key] = anew(alert, now)
            elif where not in found:
                after[key] = resolve(alert, now)
                over[alert.incident] = NOBODY_LOOKS
        return after, over

    def _write(self, after: Mapping[Key, Alert | None], changes: Changes, now: datetime) -> None:
        told = {
            key: replace(alert, message=changes.told.get(alert.incident, alert.message)) if alert else None
            for key, alert in after.items()
        }
        changed = self._changed([alert for alert in told.values() if alert], changes, now)
        gone = [
            key for key, alert in told.items() if key in self._alerts and (alert is None or alert.state == "resolved")
        ]
        if changed or gone or changes.posts or changes.notices:
            self._book.write(changed, gone, changes, now)
        self._notices.take(changes)
        self._written |= {alert.key: (alert, now) for alert in changed}
        for key in gone:
            self._written.pop(key, None)
        self._alerts = {key: alert for key, alert in told.items() if alert and alert.state != "resolved"}

    def _changed(self, alerts: Iterable[Alert], changes: Changes, now: datetime) -> list[Alert]:
        """What is to be written: all that is new, and what only found more where a message says it, or after a while.

        Of the last some a round, those first that were written longest ago: there may be thousands each second.
        """
        said = [notice.rows for notice in changes.notices.values()] + [post.rows for post in changes.posts]
        shown = {alert.key for rows in said for alert in rows}
        changed: list[Alert] = []
        found_more: list[tuple[datetime, Alert]] = []
        for alert in alerts:
            before, at = self._written.get(alert.key, (None, now))
            kept = before and anew(before, alert.since)  # one that begins anew does so after a restart anyway
            if alert == kept:
                continue
            if kept is None or alert.key in shown or alert != replace(kept, finding=alert.finding):
                changed.append(alert)
            elif now - at >= FOUND_AT_MOST_EVERY:
                found_more.append((at, alert))
        found_more.sort(key=lambda one: one[0])
        return changed + [alert for _, alert in found_more[:FOUND_AT_ONCE]]

    def _expected(self, alert: Alert, expected: Mapping[str, Declared]) -> Expected | None:
        stream = self._streams.get(alert.key.stream)
        if stream is None or alert.kind not in ("late", "silent"):
            return None
        return Expected(expected[stream.name].cadence, stream.config.allowed_delay)

    def _link_of(self, alert: Alert) -> Link | None:
        stream = self._streams.get(alert.key.stream) if alert.kind in READING_KINDS else None
        if stream is None:
            return None
        delay_s = alert.finding.worst_delay_s or 0
        return self._link(stream, alert.key.series, alert.began, alert.resolved_at, delay_s)


def _muted(alert: Alert, muting: Muting, now: datetime, *, can_edit: bool) -> Alert:
    """The alert with why it is not told now; what is over, or recovers untold, keeps why it never was.

    While a cause is not clear, what may follow from it does not become older: it would be told when the cause is gone,
    before the readings are there that waited meanwhile. What fired before and waits to be told with others, where
    messages cannot be edited, is muted no more: its end might never be told otherwise.
    """
    if alert.state == "pending" and muting.waits(alert):
        return anew(alert, now)
    if alert.state == "resolved":
        return alert
    untold = alert.fired_at not in (None, now) and alert.message is None and alert.muted_by is None
    waits = untold and not can_edit
    reason = muting.reason(alert) if alert.state in TOLD_STATES and not waits else None
    if reason is None and alert.state == "recovering" and alert.message is None:
        return alert
    return alert if reason == alert.muted_by else replace(alert, muted_by=reason)


def whole_milliseconds(instant: datetime) -> datetime:
    """As MongoDB keeps it, so that an alert is the same after a restart."""
    return instant - timedelta(microseconds=instant.microsecond % 1000)
