"""The life of one alert: inactive → pending → firing → recovering → resolved. Pure: the clock is passed in.

There is one alert for each rule, stream and series. Inactive ones are None. A firing alert about which nothing can be
said any more, because no readings of its series are there to judge by, is `no_data`: neither worse nor well.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

CHANGES_KEPT = 50
"""Of each incident: the first, and the newest of the others."""

State = Literal["pending", "firing", "no_data", "recovering", "resolved"]
TOLD_STATES: tuple[State, ...] = ("firing", "no_data", "recovering")
"""The states in which an alert is one that people should know of."""


@dataclass(frozen=True)
class Key:
    """Which alert."""

    rule: str
    stream: str
    series: str

    def __str__(self) -> str:
        return f"{self.rule}|{self.stream}|{self.series}"


@dataclass(frozen=True)
class Finding:
    """What a rule found about a series now."""

    began: datetime | None = None
    """When the trouble began as the readings tell it: the newest event time, the first late arrival."""
    count: int = 0
    worst_delay_s: float | None = None
    what: str = ""
    """What was found, in words, where the kind of the rule does not say it."""
    beyond: float | None = None
    """How far beyond what is allowed, in whatever unit: the farther, the worse; None where no number says it."""


AT_WORST = "at worst: "
"""Before what was found, where it is not what is found now."""

NO_DATA: Literal["no data"] = "no data"
"""What a rule says of a series that it cannot judge."""

Judged = Finding | Literal["no data"] | None
"""What a rule says of a series: what it found, that it cannot say, or that all is well."""


@dataclass(frozen=True)
class Life:
    """What a rule says of its alerts' lives."""

    kind: str
    severity: str
    hold: timedelta
    keep_firing_for: timedelta


@dataclass(frozen=True)
class Alert:
    """An alert that is not inactive."""

    key: Key
    kind: str
    severity: str
    state: State
    since: datetime
    """When the rule first found it; with the key, this names the incident."""
    changed_at: datetime
    finding: Finding
    """The newest, with the highest count and the worst delay of the whole incident."""
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    message: str | None = None
    """The id of the message that told it; None while it is not told."""
    muted_by: str | None = None
    """Why it is not told: a silence, an inhibition, quiet hours."""
    history: tuple[tuple[State, datetime], ...] = field(default=())
    """Each state it was in and since when, oldest first; of very many the first, and the newest."""

    @property
    def incident(self) -> str:
        """The name of this firing of the alert, the same however often it is worked out."""
        return f"{self.key}|{self.since.isoformat(timespec='milliseconds')}"

    @property
    def began(self) -> datetime:
        """When the trouble began, as far as is known."""
        return self.finding.began or self.since

    @property
    def labels(self) -> Mapping[str, str]:
        """What silences and inhibitions go by."""
        key = self.key
        return {
            "rule": key.rule,
            "kind": self.kind,
            "stream": key.stream,
            "series": key.series,
            "severity": self.severity,
        }


def step(key: Key, alert: Alert | None, judged: Judged, life: Life, now: datetime) -> Alert | None:
    """The alert after one round in which the rule said `judged` of it.

    A resolved alert is given once, and is None from then on. Where the clock was put back, what an alert waits for
    begins anew.
    """
    if isinstance(judged, str):
        return _no_data(alert, now)
    if judged is None:
        return _well(alert, life, now)
    if alert is None:
        alert = Alert(key, life.kind, life.severity, "pending", now, now, judged, history=(("pending", now),))
    elif alert.since > now:
        alert = anew(alert, now)
    alert = replace(alert, severity=life.severity, finding=worst(alert.finding, judged))
    if alert.state == "pending" and now - alert.since >= life.hold:
        return replace(_to(alert, "firing", now), fired_at=now)
    if alert.state in ("recovering", "no_data"):
        return _to(alert, "firing", now)
    return alert


def anew(alert: Alert, now: datetime) -> Alert:
    """A pending alert as if it had begun now: it must last only from where it was looked at, or might be told, again.

    Any other is as it was.
    """
    if alert.state != "pending":
        return alert
    return replace(alert, since=now, changed_at=now, history=(("pending", now),))


def resolve(alert: Alert, now: datetime) -> Alert | None:
    """The end of an alert; of a pending one nothing is left."""
    if alert.state == "pending":
        return None
    return replace(_to(alert, "resolved", now), resolved_at=now)


def worst(before: Finding, now: Finding) -> Finding:
    """The finding of an incident that goes on: its beginning, and the worst of both, named so if it is over."""
    delays = [delay for delay in (before.worst_delay_s, now.worst_delay_s) if delay is not None]
    farther = before.beyond is None or now.beyond is None or now.beyond >= before.beyond
    return Finding(
        before.began or now.began,
        max(before.count, now.count),
        max(delays, default=None),
        now.what if farther else AT_WORST + before.what.removeprefix(AT_WORST),
        now.beyond if farther else before.beyond,
    )


def _no_data(alert: Alert | None, now: datetime) -> Alert | None:
    """A pending alert begins anew when there is something to judge by again; a firing one waits for it."""
    if alert is None or alert.state == "pending":
        return None
    return alert if alert.state == "no_data" else _to(alert, "no_data", now)


def _well(alert: Alert | None, life: Life, now: datetime) -> Alert | None:
    if alert is None or alert.state == "pending":
        return None
    if alert.state != "recovering":
        alert = _to(alert, "recovering", now)
    elif alert.changed_at > now:
        alert = replace(alert, changed_at=now)
    return resolve(alert, now) if now - alert.changed_at >= life.keep_firing_for else alert


def _to(alert: Alert, state: State, now: datetime) -> Alert:
    history = (*alert.history, (state, now))
    newest = history[1:][-CHANGES_KEPT + 1 :]
    return replace(alert, state=state, changed_at=now, history=(*history[:1], *newest))
