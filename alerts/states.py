"""The life of one alert: inactive → pending → firing → recovering → resolved. Pure: the clock is passed in.

There is one alert for each rule, stream and series. Inactive ones are None.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

State = Literal["pending", "firing", "recovering", "resolved"]
Event = Literal["firing", "resolved"]
"""The two changes that are told."""


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
    """The id of the message that told it."""


@dataclass(frozen=True)
class Life:
    """What a rule says of its alerts' lives."""

    kind: str
    severity: str
    hold: timedelta
    keep_firing_for: timedelta


def step(
    key: Key, alert: Alert | None, finding: Finding | None, life: Life, now: datetime
) -> tuple[Alert | None, Event | None]:
    """The alert after one round in which the rule found `finding`, and what is to be told of it.

    A resolved alert is given once, with its event, and is None from then on.
    """
    if finding is None:
        return _nothing_found(alert, life, now)
    if alert is None:
        alert = Alert(key, life.kind, life.severity, "pending", now, now, finding)
    alert = replace(alert, severity=life.severity, finding=_worst(alert.finding, finding))
    if alert.state == "pending" and now - alert.since >= life.hold:
        return replace(alert, state="firing", changed_at=now, fired_at=now), "firing"
    if alert.state == "recovering":
        return replace(alert, state="firing", changed_at=now), None
    return alert, None


def resolve(alert: Alert, now: datetime) -> tuple[Alert | None, Event | None]:
    """The end of an alert that no rule looks after any more."""
    if alert.state == "pending":
        return None, None
    return replace(alert, state="resolved", changed_at=now, resolved_at=now), "resolved"


def _nothing_found(alert: Alert | None, life: Life, now: datetime) -> tuple[Alert | None, Event | None]:
    if alert is None or alert.state == "pending":
        return None, None
    if alert.state == "firing":
        alert = replace(alert, state="recovering", changed_at=now)
    if now - alert.changed_at >= life.keep_firing_for:
        return resolve(alert, now)
    return alert, None


def _worst(before: Finding, now: Finding) -> Finding:
    delays = [delay for delay in (before.worst_delay_s, now.worst_delay_s) if delay is not None]
    return Finding(before.began or now.began, max(before.count, now.count), max(delays, default=None))
