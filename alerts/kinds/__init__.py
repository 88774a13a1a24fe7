"""The kinds of rules: one module a kind, each with a judge. A further kind is a model in ``rules.py`` and one here."""

from alerts.asking import Asking
from alerts.kinds import change, dead_letters, late, query, silent, stalled, surprise, threshold
from alerts.kinds.scene import Judgement, Scene, StreamScene
from alerts.rules import (
    ChangeRule,
    DeadLettersRule,
    LateRule,
    QueryRule,
    Rule,
    SilentRule,
    StalledRule,
    SurpriseRule,
    ThresholdRule,
)
from alerts.states import Finding, Judged


def judge(rule: Rule, scene: Scene) -> Asking[Judgement]:
    """What a rule says of the series of its stream, without those it does not watch.

    Raises TypeError where a rule that watches a stream's readings is given a scene without.
    """
    judgement = yield from _judge(rule, scene)
    return {series: judged for series, judged in judgement.items() if rule.watches(series)}


def why_over(rule: Rule, series: str, judged: Judged, declared: frozenset[str] | None) -> str | None:
    """Why an alert is over though its series did not become well, or None where it is as `judged` says.

    `declared` are the series that are expected of the stream whose readings the rule watches.
    """
    if isinstance(judged, Finding):
        return None
    if not rule.watches(series):
        return "the rule does not watch it any more"
    unjudged = judged is not None or isinstance(rule, SilentRule)  # of others, silence is well where none is declared
    if unjudged and declared is not None and series not in declared:
        return "it is not declared any more"
    return None


def _judge(rule: Rule, scene: Scene) -> Asking[Judgement]:
    if isinstance(rule, StalledRule):
        return stalled.judge(rule, scene)
    if isinstance(rule, DeadLettersRule):
        return dead_letters.judge(rule, scene)
    if isinstance(rule, QueryRule):
        return query.judge(rule, scene)
    if not isinstance(scene, StreamScene):
        raise TypeError(f"a rule of kind {rule.kind} watches a stream's readings")
    return _judge_readings(rule, scene)


def _judge_readings(
    rule: LateRule | SilentRule | ThresholdRule | ChangeRule | SurpriseRule, scene: StreamScene
) -> Asking[Judgement]:
    match rule:
        case LateRule():
            return late.judge(rule, scene)
        case SilentRule():
            return silent.judge(rule, scene)
        case ThresholdRule():
            return threshold.judge(rule, scene)
        case ChangeRule():
            return change.judge(rule, scene)
        case SurpriseRule():
            return surprise.judge(rule, scene)
