from datetime import timedelta
from pathlib import Path

import pytest

from alerts.rules import DEFAULT_FILE, LateRule, SilentRule, load_rules
from readings.errors import ConfigError
from readings.settings import Settings
from readings.stream import load_streams

STREAMS = load_streams(Settings(_env_file=None))


def load(folder: Path, text: str) -> list[LateRule | SilentRule]:
    file = folder / "rules.yml"
    file.write_text(text)
    return load_rules(file, STREAMS)


def mistake(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        load(folder, text)
    return str(raised.value).replace(f"{folder}/", "")


@pytest.mark.parametrize("file", [DEFAULT_FILE, DEFAULT_FILE.with_name("demo-rules.yml")])
def test_the_rules_that_are_shipped_are_well(file: Path) -> None:
    assert {rule.kind for rule in load_rules(file, STREAMS)} == {"late", "silent"}


def test_a_rule_is_read_with_its_durations(tmp_path: Path) -> None:
    [rule] = load(tmp_path, "rules: [{name: a, kind: late, stream: weather, for: 90s, window: 2h}]")

    assert isinstance(rule, LateRule)
    assert (rule.hold, rule.window, rule.severity) == (timedelta(seconds=90), timedelta(hours=2), "warning")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{name: a, kind: late, widow: 1h}", "rules.yml: rules[0].widow: unknown key, did you mean 'window'?"),
        ("{name: a, kind: late, fro: 1h}", "rules.yml: rules[0].fro: unknown key, did you mean 'for'?"),
        ("{name: a, kind: silent, zzz: 1}", "rules[0].zzz: unknown key, expected one of name, stream"),
        ("{name: a, kind: silnet}", "rules[0].kind: read 'silnet', did you mean 'silent'?"),
        ("{name: a}", "rules[0].kind: is missing, expected one of late, silent"),
        ("{kind: late}", "rules[0].name: is missing"),
        ("{name: a, kind: late, window: 1 fortnight}", "rules[0].window: read '1 fortnight', expected a number"),
        ("{name: a, kind: late, severity: bad}", "rules[0].severity: read 'bad', expected 'info', 'warning'"),
        ("{name: a, kind: late, stream: wether}", "rules[0].stream: read 'wether', did you mean 'weather'?"),
        ("{name: a, kind: late}, {name: a, kind: silent}", "rules[1].name: 'a' is the name of rules[0] already"),
        ("{name: a, kind: silent, window: 1h}", "rules[0].window: unknown key"),
    ],
)
def test_a_mistake_is_named_by_its_key_with_what_was_meant(tmp_path: Path, text: str, said: str) -> None:
    assert said in mistake(tmp_path, f"rules: [{text}]")


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    said = mistake(tmp_path, "ruls: 1\nrules: [{name: a, kind: late, widow: 1h}, {name: b, kind: lat}]")

    assert len(said.splitlines()) == 3


@pytest.mark.parametrize("text", ["", "[]", "rules: []", "rules: {", "rules: 3", "- 1", "rules: [3]"])
def test_what_is_no_rules_file_is_refused(tmp_path: Path, text: str) -> None:
    assert "rules.yml: " in mistake(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yml: cannot be read"):
        load_rules(tmp_path / "nothing.yml", STREAMS)
