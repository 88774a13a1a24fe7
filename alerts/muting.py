"""Why an alert that fires is not told now: a silence, its cause fires as well, or it is night. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.rules import DAYS, PIPELINE, Inhibition, QuietHours, Rules, StalledRule
from alerts.silences import Silence, labels_of
from alerts.states import Alert
from readings.stream import Stream

WEEK = timedelta(days=7)
NOT_SEEN = "the pipeline, which was not looked at yet"


class Muting:
    """What is muted in one round, with `alerts` as they are in it.

    Where the pipeline was not seen yet, nobody knows whether what may follow from it does.
    """

    def __init__(
        self,
        rules: Rules,
        silences: Sequence[Silence],
        streams: Mapping[str, Stream],
        alerts: Iterable[Alert],
        now: datetime,
        *,
        pipeline_seen: bool = True,
    ) -> None:
        self._streams = streams
        self._silences = [silence for silence in silences if silence.since <= now < silence.until]
        severities: set[str] = {severity for hours in rules.quiet_hours for severity in hours.severities}
        self._quiet_until = {severity: _quiet_until(rules.quiet_hours, severity, now) for severity in severities}
        causes = list(alerts)
        self._inhibit = rules.inhibit
        self._inhibited = [
            (inhibition, [cause for cause in causes if inhibition.while_.fits(cause.labels)])
            for inhibition in rules.inhibit
        ]
        self._unclear = [one for one in rules.inhibit if not pipeline_seen and _needs_pipeline(one, rules)]

    def reason(self, alert: Alert) -> str | None:
        """Why an alert is not told now, or None."""
        for silence in self._silences:
            if silence.silences(labels_of(alert, self._streams)):
                return f"silence {silence.id}"
        for inhibition, causes in self._inhibited:
            if inhibition.mute.fits(alert.labels):
                cause = next((one for one in causes if self._causes(inhibition, one, alert)), None)
                if cause:
                    return f"{cause.key.rule}: {cause.key.series}"
        if any(inhibition.mute.fits(alert.labels) for inhibition in self._unclear):
            return NOT_SEEN
        end = self.quiet_until(alert.severity)
        return f"quiet hours until {end.isoformat(timespec='minutes')}" if end else None

    def waits(self, alert: Alert) -> bool:
        """Whether a cause of an alert is not clear yet: it is pending, or the pipeline was not seen."""
        return any(inhibition.mute.fits(alert.labels) for inhibition in self._unclear) or any(
            cause.state == "pending" and self._causes(inhibition, cause, alert)
            for inhibition, causes in self._inhibited
            if inhibition.mute.fits(alert.labels)
            for cause in causes
        )

    def quiet_until(self, severity: str) -> datetime | None:
        """When the quiet hours end that hold for a severity now, or None."""
        return self._quiet_until.get(severity)

    def _causes(self, inhibition: Inhibition, cause: Alert, alert: Alert) -> bool:
        """Whether an alert is muted by one that an inhibition has as a cause; never where each would mute the other."""
        if cause.key == alert.key or cause.state == "resolved" or not _same(inhibition, cause, alert):
            return False
        return not any(
            one.while_.fits(alert.labels) and one.mute.fits(cause.labels) and _same(one, cause, alert)
            for one in self._inhibit
        )


def quiet_until(hours: QuietHours, now: datetime) -> datetime | None:
    """When the quiet hours end in which `now` lies, or None. By the clock on the wall, also when it is changed."""
    zone = ZoneInfo(hours.time_zone)
    today = now.astimezone(zone).date()
    for day in (today - timedelta(days=1), today):
        if DAYS[day.weekday()] not in hours.days:
            continue
        over_night = timedelta(days=1) if hours.until <= hours.from_ else timedelta(0)
        begins = datetime.combine(day, hours.from_, zone)
        ends = datetime.combine(day + over_night, hours.until, zone)
        if begins.timestamp() <= now.timestamp() < ends.timestamp():
            return ends
    return None


def _quiet_until(quiet_hours: Iterable[QuietHours], severity: str, now: datetime) -> datetime | None:
    """When it is quiet no more for a severity: hours that touch are one. No end is looked for beyond a week."""
    of_severity = [hours for hours in quiet_hours if severity in hours.severities]
    end: datetime | None = None
    while end is None or end - now < WEEK:
        ends = [until for hours in of_severity if (until := quiet_until(hours, end or now))]
        if not ends:
            break
        end = max(ends, key=datetime.timestamp)
    return end


def _needs_pipeline(inhibition: Inhibition, rules: Rules) -> bool:
    """Whether the cause can be one of the pipeline itself."""
    which = inhibition.while_.model_copy(update={"series": None})
    labels = [
        {"rule": rule.name, "kind": rule.kind, "stream": PIPELINE, "severity": rule.severity}
        for rule in rules.rules
        if isinstance(rule, StalledRule)
    ]
    return any(which.fits(one) for one in labels)


def _same(inhibition: Inhibition, one: Alert, other: Alert) -> bool:
    return inhibition.same is None or one.labels[inhibition.same] == other.labels[inhibition.same]
