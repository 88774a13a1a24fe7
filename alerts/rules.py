"""``rules.yml``: what is watched. Checked before anything runs, with the place of each mistake and what was meant."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from readings.durations import Duration
from readings.errors import ConfigError
from readings.stream import Stream

DEFAULT_FILE = Path(__file__).resolve().parent / "rules.yml"
ALL_STREAMS = "all"

Severity = Literal["info", "warning", "critical"]
NOT_NEGATIVE = timedelta(0)
LONGEST = timedelta(days=28)


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str = Field(
        description="what messages call it; one rule, one name", pattern=r"^[^\x00-\x1f\x7f|]+$", max_length=80
    )
    stream: str = Field(ALL_STREAMS, description="a stream of skywatt.yml, or all")
    severity: Severity = Field("warning", description="info, warning or critical")
    hold: Duration = Field(
        NOT_NEGATIVE,
        alias="for",
        ge=NOT_NEGATIVE,
        le=LONGEST,
        description="how long it must last before it is told",
    )
    keep_firing_for: Duration = Field(
        NOT_NEGATIVE, ge=NOT_NEGATIVE, le=LONGEST, description="how long all must be well before that is told"
    )


class LateRule(_Rule):
    """Live readings that arrived later than their stream allows."""

    kind: Literal["late"]
    window: Duration = Field(
        timedelta(hours=1),
        gt=NOT_NEGATIVE,
        le=LONGEST,
        description="how far back arrivals count; with none left in it the alert is resolved",
    )
    at_least: int = Field(1, ge=1, description="how many late readings of a series in the window it takes")


class SilentRule(_Rule):
    """Declared series without a new event time for longer than cadence and allowed delay, or never seen."""

    kind: Literal["silent"]


Rule: TypeAlias = LateRule | SilentRule
_KINDS: Mapping[str, type[_Rule]] = {"late": LateRule, "silent": SilentRule}


class Rules(BaseModel):
    """The whole of a rules file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: list[Annotated[Rule, Field(discriminator="kind")]] = Field(min_length=1)


def load_rules(path: Path, streams: Mapping[str, Stream]) -> list[Rule]:
    """The rules of a file. Raises ConfigError with one line a mistake: the file, the key's path, what was meant."""
    try:
        read: Any = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not YAML: {error}") from error
    try:
        rules = Rules.model_validate(read).rules
    except ValidationError as error:
        lines = [f"{path}: {_problem(read, dict(problem))}" for problem in error.errors()]
        raise ConfigError("\n".join(lines)) from error
    mistakes = [f"{path}: {mistake}" for mistake in _mistakes(rules, streams)]
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return rules


def rule_streams(rule: Rule, streams: Mapping[str, Stream]) -> list[Stream]:
    """The streams a rule watches."""
    return list(streams.values()) if rule.stream == ALL_STREAMS else [streams[rule.stream]]


def _mistakes(rules: Sequence[Rule], streams: Mapping[str, Stream]) -> Iterator[str]:
    """What the model alone cannot see."""
    names: dict[str, int] = {}
    for number, rule in enumerate(rules):
        if rule.name in names:
            yield f"rules[{number}].name: {rule.name!r} is the name of rules[{names[rule.name]}] already"
        names.setdefault(rule.name, number)
        if rule.stream != ALL_STREAMS and rule.stream not in streams:
            known = [ALL_STREAMS, *streams]
            yield f"rules[{number}].stream: read {rule.stream!r}, {_expected(rule.stream, known)}"


def _problem(read: Any, problem: Mapping[str, Any]) -> str:
    loc = tuple(part for position, part in enumerate(problem["loc"]) if not (position == 2 and part in _KINDS))
    path = _path(loc)
    context = problem.get("ctx", {})
    match problem["type"]:
        case "extra_forbidden":
            return f"{path}: unknown key, {_expected(str(loc[-1]), _keys(read, loc))}"
        case "union_tag_invalid":
            return f"{path}.kind: read {context['tag']!r}, {_expected(context['tag'], _KINDS)}"
        case "union_tag_not_found":
            return f"{path}.kind: is missing, expected one of {', '.join(_KINDS)}"
        case "missing":
            return f"{path}: is missing"
        case "literal_error":
            return f"{path}: read {problem['input']!r}, expected {context['expected']}"
        case _:
            return f"{path}: {problem['msg'].removeprefix('Value error, ')} (read {problem['input']!r})"


def _keys(read: Any, loc: Sequence[int | str]) -> list[str]:
    """The keys that may stand where `loc` ends."""
    if len(loc) == 1:
        return list(Rules.model_fields)
    fields = _KINDS[read["rules"][loc[1]]["kind"]].model_fields
    return [field.alias or name for name, field in fields.items()]


def _expected(read: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(read, list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(known)}"


def _path(loc: Sequence[int | str]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.lstrip(".") or "the file"
