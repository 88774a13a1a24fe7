"""Which messages there are: one notice for the alerts of a rule and stream that begin together, until all are over.

Pure: given the alerts as they are after a round, `Notices` says what is new. A notice is told once when it begins and
once when all its alerts are over; in between its message is edited, and repeated after ever longer times. The summary
of all beyond the limit ends no earlier than an hour after it began.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from alerts.links import Link
from alerts.messages import Expected, Message, firing, resolved, summary, worst_first
from alerts.rules import Rules
from alerts.states import Alert

Event = Literal["firing", "repeat", "resolved"]
"""What is posted; edits beside."""

HOUR = timedelta(hours=1)
EDITED_AT_MOST_EVERY = timedelta(minutes=1)
"""Where only numbers have changed."""
ROWS_KEPT = 50
"""So many alerts, the worst, are kept with their notice; the others are only counted."""

Judging = Callable[[Alert], Expected | None]
"""What an alert's stream is judged by; None where it is of no stream."""
Linking = Callable[[Alert], Link | None]


@dataclass(frozen=True)
class Notice:
    """One message about alerts that began together."""

    id: str
    rule: str | None
    """Whose alerts it tells of; None for the summary of all that begins beyond the limit."""
    stream: str | None
    begun_at: datetime
    rows: tuple[Alert, ...]
    """Its worst alerts as they are now, those that are over among them."""
    total: int
    """How many alerts it has told of."""
    message: Message
    edited_at: datetime
    revision: int = 0
    """How often its message was changed."""
    repeats: int = 0
    repeat_at: datetime | None = None
    open: bool = True

    @property
    def is_summary(self) -> bool:
        """Whether it is the one for all beyond the limit."""
        return self.rule is None


@dataclass(frozen=True)
class Post:
    """A message to be posted."""

    id: str
    event: Event
    message: Message
    notice: str
    """The notice that it is, or that it answers."""
    not_before: datetime
    rows: tuple[Alert, ...] = ()


@dataclass
class Changes:
    """What one round makes of the notices."""

    notices: dict[str, Notice] = field(default_factory=dict)
    """New or changed, by id."""
    posts: list[Post] = field(default_factory=list)
    told: dict[str, str] = field(default_factory=dict)
    """By incident, the notice that tells of it from now on."""


@dataclass(frozen=True)
class Moment:
    """What notices are made from in one round."""

    now: datetime
    rules: Rules
    alerts: Sequence[Alert]
    """All that are not inactive, and those that were resolved in this round, as they are now."""
    muted: Mapping[str, str]
    """By incident, why it is not told."""
    quiet_until: Callable[[str], datetime | None]
    expected: Judging
    link: Linking
    can_edit: bool
    """Whether messages can be edited; where not, alerts that begin later share the next message."""
    over: Mapping[str, str] = field(default_factory=dict)
    """By incident, why it was resolved where it did not become well by itself."""


class Notices:
    """The open notices, and when messages began and were repeated in the last hour, for the limits."""

    def __init__(self, notices: Iterable[Notice], begun: Iterable[datetime], repeated: Iterable[datetime]) -> None:
        self.open = {notice.id: notice for notice in notices}
        self._begun = list(begun)
        self._repeated = list(repeated)

    def changes(self, moment: Moment) -> Changes:
        """What is to be told and edited now. Nothing is taken up before `take`."""
        changes = Changes()
        members: dict[str, list[Alert]] = defaultdict(list)
        for alert in moment.alerts:
            if alert.message in self.open:
                members[alert.message].append(alert)
        joining = self._assign(moment, changes)
        by_repeat = sorted(self.open.values(), key=lambda notice: notice.repeat_at or moment.now)
        for notice in [*by_repeat, *(one for one in changes.notices.values() if one.id not in self.open)]:
            self._go_on(notice, members[notice.id], joining.get(notice.id, []), moment, changes)
        return changes

    def take(self, changes: Changes) -> None:
        """Takes up changes that were written down."""
        for notice in changes.notices.values():
            if notice.open:
                self.open[notice.id] = notice
            else:
                self.open.pop(notice.id, None)
        self._begun += [post.not_before for post in changes.posts if post.event == "firing"]
        self._repeated += [post.not_before for post in changes.posts if post.event == "repeat"]

    def _assign(self, moment: Moment, changes: Changes) -> dict[str, list[Alert]]:
        """By notice, the alerts that are told from now on; makes new notices for those that fit none.

        Where messages cannot be edited, what fits an open one waits until that is as old as `group_for`; what is over
        before that joins it, to be named by its end. What recovers after it was muted is not told, unless it fires
        again.
        """
        groups: dict[tuple[str, str], list[Alert]] = defaultdict(list)
        for alert in moment.alerts:
            untold = alert.message is None and alert.incident not in moment.muted
            waited = alert.state == "resolved" and not moment.can_edit
            if untold and (waited or alert.state in ("firing", "no_data")):
                groups[alert.key.rule, alert.key.stream].append(alert)
        joining: dict[str, list[Alert]] = defaultdict(list)
        begun = _of_last_hour(self._begun, moment.now)
        for (rule, stream), alerts in sorted(groups.items()):
            group: tuple[str | None, str | None] = (rule, stream)
            over = [alert for alert in alerts if alert.state == "resolved"]
            within = timedelta.max if over == alerts else moment.rules.group_for
            notice = self._joined(rule, stream, within, moment)
            if notice and not moment.can_edit:
                alerts = over  # the others are told together in the next one
            if notice is None and begun >= moment.rules.messages_per_hour and not _critical(alerts):
                group = (None, None)
                notice = self._joined(None, None, HOUR, moment) or next(
                    (one for one in changes.notices.values() if one.is_summary), None
                )
            if notice is None:
                notice = _new(group, alerts, moment)
                changes.notices[notice.id] = notice
                begun += 1
            joining[notice.id] += alerts
            changes.told |= {alert.incident: notice.id for alert in alerts}
        return joining

    def _joined(self, rule: str | None, stream: str | None, within: timedelta, moment: Moment) -> Notice | None:
        """The open notice that alerts can join."""
        fitting = [
            notice
            for notice in self.open.values()
            if (notice.rule, notice.stream) == (rule, stream)
            and (within == timedelta.max or timedelta(0) <= moment.now - notice.begun_at <= within)
        ]
        return max(fitting, key=lambda notice: notice.begun_at, default=None)

    def _go_on(
        self, notice: Notice, members: Sequence[Alert], joining: Sequence[Alert], moment: Moment, changes: Changes
    ) -> None:
        """A notice after the round: begun, edited, repeated, over, or as it was."""
        now = {alert.incident: alert for alert in (*members, *joining)}
        before = {alert.incident: alert for alert in notice.rows}
        known = {**before, **now}
        ordered = worst_first(known.values())
        if notice.is_summary:  # what is well again, again and again, takes no room from what is not
            ordered.sort(key=lambda alert: alert.state == "resolved")
        rows = tuple(ordered[:ROWS_KEPT])
        # what joined before an engine was killed may be counted in no notice
        after = replace(notice, rows=rows, total=max(notice.total + len(joining), len(known)))
        if notice.id not in self.open:
            after = replace(after, message=_firing(after, moment))
            changes.notices[notice.id] = after
            changes.posts.append(Post(notice.id, "firing", after.message, notice.id, moment.now, rows))
            return
        alive = [alert for alert in now.values() if alert.state != "resolved"]
        age = moment.now - notice.begun_at  # below zero where the clock was put back
        has_room = notice.is_summary and timedelta(0) <= age < HOUR  # for what comes back: one an hour
        if not alive and not has_room:
            self._end(after, moment, changes)
            return
        repeated = self._repeat(notice, alive, moment, changes)
        message = _firing(after, moment)
        others = {(one.incident, one.state) for one in rows} != {(one.incident, one.state) for one in notice.rows}
        due = others or moment.now - notice.edited_at >= EDITED_AT_MOST_EVERY
        if message != notice.message and due:
            changes.notices[notice.id] = replace(
                repeated,
                rows=rows,
                total=after.total,
                message=message,
                edited_at=moment.now,
                revision=notice.revision + 1,
            )
        elif repeated != notice:
            changes.notices[notice.id] = repeated

    def _end(self, notice: Notice, moment: Moment, changes: Changes) -> None:
        reasons = {moment.over[alert.incident] for alert in notice.rows if alert.incident in moment.over}
        worst = notice.rows[0]
        if notice.is_summary:
            message = summary(notice.rows, notice.total, moment.rules.messages_per_hour, over=True)
        else:
            message = resolved(
                notice.rows, notice.total, moment.expected(worst), moment.link(worst), "; ".join(sorted(reasons))
            )
        changes.notices[notice.id] = replace(
            notice, message=message, edited_at=moment.now, revision=notice.revision + 1, open=False
        )
        ends = [end for alert in notice.rows if (end := moment.quiet_until(alert.severity))]
        quiet = len(ends) == len(notice.rows)
        not_before = max(ends) if quiet else moment.now
        changes.posts.append(Post(f"resolved-{notice.id}", "resolved", message, notice.id, not_before, notice.rows))

    def _repeat(self, notice: Notice, alive: Sequence[Alert], moment: Moment, changes: Changes) -> Notice:
        """Tells again what has lasted for so long; muted alerts are not told again.

        Beyond the limit, which is apart from that of what begins, it waits until there is room.
        """
        due = notice.repeat_at is not None and moment.now >= notice.repeat_at
        loud = [alert for alert in alive if alert.incident not in moment.muted and alert.state == "firing"]
        if not due or not loud or notice.is_summary:
            return notice
        lately = _of_last_hour(self._repeated, moment.now)
        lately += sum(post.event == "repeat" for post in changes.posts)
        if lately >= moment.rules.messages_per_hour and not _critical(loud):
            return notice
        still = moment.now - min(alert.fired_at or alert.since for alert in loud)
        number = notice.repeats + 1
        message = firing(loud, len(loud), moment.expected(loud[0]), moment.link(worst_first(loud)[0]), still=still)
        changes.posts.append(
            Post(f"repeat-{number}-{notice.id}", "repeat", message, notice.id, moment.now, tuple(loud[:ROWS_KEPT]))
        )
        return replace(notice, repeats=number, repeat_at=_repeat_at(notice.rule, number, moment))


def _new(group: tuple[str | None, str | None], alerts: Sequence[Alert], moment: Moment) -> Notice:
    rule, stream = group
    names = "\n".join(sorted(alert.incident for alert in alerts))
    identifier = f"firing-{hashlib.sha256(names.encode()).hexdigest()[:24]}"
    nothing = Message("", (), "")
    return Notice(
        identifier, rule, stream, moment.now, (), 0, nothing, moment.now, repeat_at=_repeat_at(rule, 0, moment)
    )


def _of_last_hour(times: list[datetime], now: datetime) -> int:
    """How many of the times lie in the last hour, or ahead; the others are forgotten."""
    times[:] = [at for at in times if at > now - HOUR]
    return len(times)


def _critical(alerts: Iterable[Alert]) -> bool:
    """Whether they are told whatever the limit: a summary is edited, which notifies nobody."""
    return any(alert.severity == "critical" for alert in alerts)


def _firing(notice: Notice, moment: Moment) -> Message:
    if notice.is_summary:
        return summary(notice.rows, notice.total, moment.rules.messages_per_hour, over=False)
    worst = notice.rows[0]
    return firing(notice.rows, notice.total, moment.expected(worst), moment.link(worst))


def _repeat_at(rule: str | None, repeats: int, moment: Moment) -> datetime | None:
    """When it is told again: after the interval, then after twice that, and so on, up to the longest."""
    of_rule = [one.repeat_interval for one in moment.rules.rules if one.name == rule and one.repeat_interval]
    interval = of_rule[0] if of_rule else moment.rules.repeat_interval
    if interval is None:
        return None
    longest = max(moment.rules.repeat_at_most, interval)
    pause = min(interval.total_seconds() * 2 ** min(repeats, 30), longest.total_seconds())
    return moment.now + timedelta(seconds=pause)
