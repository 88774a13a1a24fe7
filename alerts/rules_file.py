"""A rules file, read and checked before anything runs: each mistake with its line, its key, and what was meant."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from alerts.rules import (
    ALL_STREAMS,
    KINDS,
    PIPELINE,
    ChangeRule,
    Inhibition,
    QueryRule,
    QuietHours,
    Rule,
    Rules,
    StalledRule,
    SurpriseRule,
    ThresholdRule,
    Which,
    rule_streams,
)
from readings.errors import ConfigError
from readings.stream import MODELS, Stream

DEFAULT_FILE = Path(__file__).resolve().parent / "rules.yml"

_NAMED_ELSEWHERE = ("meter",)
"""Streams with series that a file of their own names (METERS_FILE): one that is nearly another is well."""

_NUMERIC_BESIDE = ("delay_s", "revision")
"""What can be compared beside a reading's own fields."""

Loc = tuple[int | str, ...]


class _Loader(yaml.SafeLoader):
    """YAML, in which 22:00 is text: YAML 1.1 has it as a number of base sixty, as if 1320 had been written."""


def _whole_number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> object:
    return node.value if ":" in node.value else loader.construct_yaml_int(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)


def load_rules(path: Path, streams: Mapping[str, Stream]) -> Rules:
    """The rules of a file. Raises ConfigError with one line a mistake: file, line, the key's path, what was meant.

    One of a stream that `skywatt.yml` could have and has not is well, and rests.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, yaml.SafeLoader)
        read: Any = _Loader(text).get_single_data()
        lines = _lines(node)
        twice = list(_twice(node))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{path}{line}: is not YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError(f"{path}: is not YAML: {error}") from error
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deeply, or an alias (*) stands within what it names") from None
    if twice:
        raise ConfigError("\n".join(f"{path}:{line}: {_path(loc)}: {what}" for line, loc, what in twice))
    try:
        rules = Rules.model_validate(read)
    except ValidationError as error:
        told = sorted(
            (_problem(read, dict(problem)) for problem in error.errors()), key=lambda one: _line(lines, one[0])
        )
        raise ConfigError("\n".join(f"{path}:{_line(lines, loc)}: {what}" for loc, what in told)) from error
    mistakes = [f"{path}:{_line(lines, loc)}: {_path(loc)}: {what}" for loc, what in _mistakes(rules, streams)]
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return rules


def _mistakes(rules: Rules, streams: Mapping[str, Stream]) -> Iterator[tuple[Loc, str]]:
    """What the models alone cannot see."""
    names: dict[str, int] = {}
    for number, rule in enumerate(rules.rules):
        if rule.name in names:
            yield ("rules", number, "name"), f"{rule.name!r} is the name of rules[{names[rule.name]}] already"
        names.setdefault(rule.name, number)
        yield from _stream_mistakes(("rules", number, "stream"), rule, streams)
        yield from _series_mistakes(("rules", number, "series"), rule, streams)
        if isinstance(rule, ThresholdRule | ChangeRule):
            yield from _field_mistakes(("rules", number, "field"), rule, streams)
    told = [*MODELS, PIPELINE, *(rule.stream for rule in rules.rules if isinstance(rule, QueryRule))]
    for number, inhibition in enumerate(rules.inhibit):
        for key, which in (("while", inhibition.while_), ("mute", inhibition.mute)):
            if which.rule and "*" not in which.rule and which.rule not in names:
                yield ("inhibit", number, key, "rule"), f"read {which.rule!r}, {_expected(which.rule, names)}"
            if which.kind and "*" not in which.kind and which.kind not in KINDS:
                yield ("inhibit", number, key, "kind"), f"read {which.kind!r}, {_expected(which.kind, KINDS)}"
            if which.stream and "*" not in which.stream and which.stream not in told:
                yield ("inhibit", number, key, "stream"), f"read {which.stream!r}, {_expected(which.stream, told)}"


def _stream_mistakes(loc: Loc, rule: Rule, streams: Mapping[str, Stream]) -> Iterator[tuple[Loc, str]]:
    if isinstance(rule, QueryRule):
        return
    if isinstance(rule, SurpriseRule) and rule.stream != "weather":
        yield loc, f"read {rule.stream!r}, expected weather: no other stream has forecasts"
    elif isinstance(rule, StalledRule) and rule.stream != ALL_STREAMS:
        yield loc, f"read {rule.stream!r}: a stalled rule watches the pipeline of all streams; leave it out"
    elif rule.stream not in {ALL_STREAMS, *MODELS}:
        yield loc, f"read {rule.stream!r}, {_expected(rule.stream, [ALL_STREAMS, *streams])}"


def _series_mistakes(loc: Loc, rule: Rule, streams: Mapping[str, Stream]) -> Iterator[tuple[Loc, str]]:
    """Names that are nearly those of a series. Others may be declared by a source, and are let be."""
    watched = [stream for stream in rule_streams(rule, streams) if stream.name not in _NAMED_ELSEWHERE]
    known = [name for stream in watched for name in stream.config.series_names()]
    for number, name in enumerate(rule.series):
        if set(name) & set("*?[") or any(name in stream.config.series_names() for stream in streams.values()):
            continue
        if close := difflib.get_close_matches(name, known, n=1, cutoff=0.75):
            yield (*loc, number), f"read {name!r}, did you mean {close[0]!r}?"


def _field_mistakes(
    loc: Loc, rule: ThresholdRule | ChangeRule, streams: Mapping[str, Stream]
) -> Iterator[tuple[Loc, str]]:
    for stream in rule_streams(rule, streams):
        known = [*numeric_fields(stream.model), *_NUMERIC_BESIDE]
        if rule.field not in known:
            yield loc, f"{stream.name} has no number {rule.field!r}, {_expected(rule.field, known)}"


def numeric_fields(model: type[BaseModel]) -> list[str]:
    """The fields of a reading that hold a number."""
    return [name for name, field in model.model_fields.items() if float in _types(field.annotation)]


def _types(annotation: Any) -> set[Any]:
    arguments = get_args(annotation)
    return {annotation} | {inner for argument in arguments for inner in _types(argument)}


def _problem(read: Any, problem: Mapping[str, Any]) -> tuple[Loc, str]:
    """Where a mistake is, and its sentence."""
    loc: Loc = tuple(part for position, part in enumerate(problem["loc"]) if not (position == 2 and part in KINDS))
    path = _path(loc)
    context = problem.get("ctx", {})
    match problem["type"]:
        case "extra_forbidden":
            return loc, f"{path}: unknown key, {_expected(str(loc[-1]), _keys(read, loc))}"
        case "union_tag_invalid":
            return (*loc, "kind"), f"{path}.kind: read {context['tag']!r}, {_expected(context['tag'], KINDS)}"
        case "union_tag_not_found":
            return loc, f"{path}.kind: is missing, expected one of {', '.join(KINDS)}"
        case "missing":
            return loc, f"{path}: is missing"
        case "literal_error":
            return loc, f"{path}: read {problem['input']!r}, expected {context['expected']}"
        case "value_error" if isinstance(problem["input"], dict):
            return loc, f"{path}: {problem['msg'].removeprefix('Value error, ')}"
        case _:
            return loc, f"{path}: {problem['msg'].removeprefix('Value error, ')} (read {problem['input']!r})"


def _keys(read: Any, loc: Loc) -> list[str]:
    """The keys that may stand where `loc` ends."""
    model: type[BaseModel]
    match loc:
        case ("rules", int(number), *_):
            model = KINDS[read["rules"][number]["kind"]]
        case ("inhibit", int(_), _):
            model = Inhibition
        case ("inhibit", *_):
            model = Which
        case ("quiet_hours", *_):
            model = QuietHours
        case _:
            model = Rules
    return [field.alias or name for name, field in model.model_fields.items()]


def _expected(read: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(str(read), known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(known)}"


def _path(loc: Loc) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.lstrip(".") or "the file"


def _lines(node: yaml.Node | None, loc: Loc = ()) -> dict[Loc, int]:
    """The line of each key and item of the file, counted from 1."""
    if node is None:
        return {}
    lines = {loc: node.start_mark.line + 1}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*loc, key.value)
            lines |= _lines(value, inner) | {inner: key.start_mark.line + 1}
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            lines |= _lines(value, (*loc, number))
    return lines


def _twice(node: yaml.Node | None, loc: Loc = ()) -> Iterator[tuple[int, Loc, str]]:
    """Keys that are there more than once, of which YAML would take the last: line, path, sentence."""
    if isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in first:
                yield line, (*loc, key.value), f"is there twice, first in line {first[key.value]}; expected one of them"
            first.setdefault(key.value, line)
            yield from _twice(value, (*loc, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _twice(value, (*loc, number))


def _line(lines: Mapping[Loc, int], loc: Sequence[int | str]) -> int:
    """The line of the innermost key that is there."""
    for end in range(len(loc), -1, -1):
        if tuple(loc[:end]) in lines:
            return lines[tuple(loc[:end])]
    return 1
