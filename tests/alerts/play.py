"""Rounds of notices, played with alerts made by hand."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from alerts.messages import Message
from alerts.notices import Changes, Moment, Notices
from alerts.rules import Rules
from alerts.states import Alert, Finding, Key

START = datetime(2026, 11, 24, 3, tzinfo=UTC)
RULES = {"rules": [{"name": "late", "kind": "late"}, {"name": "silent", "kind": "silent"}]}


class Play:
    """Rounds, with the alerts that fire in each."""

    def __init__(self, can_edit: bool = True, **settings: object) -> None:
        self.rules = Rules.model_validate({**RULES, **settings})
        self.notices = Notices((), (), ())
        self.can_edit = can_edit
        self.alerts: dict[Key, Alert] = {}
        self.muted: dict[str, str] = {}
        self.quiet_until: dict[str, datetime] = {}
        """By severity, the end of the quiet hours that hold."""
        self.said: list[str] = []
        self.shown: dict[str, str] = {}
        self.now = START

    def round(
        self, firing: Sequence[str], minutes: float = 1, rule: str = "silent", severity: str = "warning"
    ) -> Changes:
        """The series of a rule that fire after so many minutes; the others of the rule are resolved."""
        self.now += timedelta(minutes=minutes)
        for series in firing:
            key = Key(rule, "weather", series)
            if key not in self.alerts:
                alert = Alert(key, rule, severity, "firing", self.now, self.now, Finding(), fired_at=self.now)
                self.alerts[key] = alert
        alerts = [
            replace(alert, state="resolved", resolved_at=self.now, changed_at=self.now)
            if key.rule == rule and key.series not in firing
            else alert
            for key, alert in self.alerts.items()
        ]
        changes = self.notices.changes(self._moment(alerts))
        self.notices.take(changes)
        self.alerts = {
            alert.key: replace(alert, message=changes.told.get(alert.incident, alert.message))
            for alert in alerts
            if alert.state != "resolved"
        }
        self.said += [f"{post.event}: {self._short(post.message)}" for post in changes.posts]
        self.shown |= {notice.id: self._short(notice.message) for notice in changes.notices.values()}
        return changes

    def _moment(self, alerts: Sequence[Alert]) -> Moment:
        return Moment(
            self.now,
            self.rules,
            alerts,
            {alert.incident: self.muted[alert.key.series] for alert in alerts if alert.key.series in self.muted},
            self.quiet_until.get,
            lambda _alert: None,
            lambda _alert: None,
            self.can_edit,
        )

    @staticmethod
    def _short(message: Message) -> str:
        return message.title.split(" ", 1)[1].removeprefix("weather: ")
