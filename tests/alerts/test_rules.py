import os
import subprocess
import sys
from datetime import time, timedelta
from pathlib import Path

import pytest

from alerts.rules import KINDS, SCHEMA_FILE, LateRule, Rule, Rules, json_schema, rests
from alerts.rules_file import DEFAULT_FILE, load_rules
from readings.config import ROOT
from readings.errors import ConfigError
from readings.settings import Settings
from readings.stream import load_streams

STREAMS = load_streams(Settings(_env_file=None))


def load_file(folder: Path, text: str) -> Rules:
    file = folder / "rules.yml"
    file.write_text(text)
    return load_rules(file, STREAMS)


def load(folder: Path, text: str) -> list[Rule]:
    return load_file(folder, text).rules


def mistake(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        load(folder, text)
    return str(raised.value).replace(f"{folder}/", "")


@pytest.mark.parametrize("file", [DEFAULT_FILE, DEFAULT_FILE.with_name("demo-rules.yml")])
def test_the_rules_that_are_shipped_are_well(file: Path) -> None:
    assert {rule.kind for rule in load_rules(file, STREAMS).rules} >= {"late", "silent"}


def test_of_a_stream_that_skywatt_yml_leaves_out_a_rule_rests_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    alone = {"meter": STREAMS["meter"]}
    rules = load_rules(DEFAULT_FILE, alone).rules
    assert [rule.name for rule in rules if rests(rule, alone)] == ["surprising weather"]
    assert not any(rests(rule, STREAMS) for rule in rules)
    file = tmp_path / "rules.yml"
    query = "{name: b, kind: query, index: a-*, query: a, more_than: 1}"
    file.write_text(f"rules: [{{name: a, kind: dead_letters, stream: market}}, {query}]")
    assert [rests(rule, alone) for rule in load_rules(file, alone).rules] == [True, False]
    file.write_text("rules: [{name: a, kind: late, stream: meters}]")
    with pytest.raises(ConfigError, match="read 'meters', did you mean 'meter'"):
        load_rules(file, alone)


def test_the_schema_that_is_shipped_is_that_of_the_models() -> None:
    assert SCHEMA_FILE.read_text() == json_schema()


@pytest.mark.parametrize("text", ["rules: &x [*x]", "rules:\n  - &x {name: a, kind: *x}"])
def test_an_alias_that_stands_within_what_it_names_is_refused(tmp_path: Path, text: str) -> None:
    said = "rules.yml: is nested too deeply, or an alias (*) stands within what it names"
    assert mistake(tmp_path, text) == said


def test_a_rule_is_read_with_its_durations(tmp_path: Path) -> None:
    [rule] = load(tmp_path, "rules: [{name: a, kind: late, stream: weather, for: 90s, window: 2h}]")

    assert isinstance(rule, LateRule)
    assert (rule.hold, rule.window, rule.severity) == (timedelta(seconds=90), timedelta(hours=2), "warning")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{name: a, kind: late, widow: 1h}", "rules.yml:1: rules[0].widow: unknown key, did you mean 'window'?"),
        ("{name: a, kind: late, fro: 1h}", "rules.yml:1: rules[0].fro: unknown key, did you mean 'for'?"),
        ("{name: a, kind: silent, zzz: 1}", "rules[0].zzz: unknown key, expected one of name, stream"),
        ("{name: a, kind: silnet}", "rules[0].kind: read 'silnet', did you mean 'silent'?"),
        ("{name: a}", "rules[0].kind: is missing, expected one of late, silent, stalled"),
        ("{kind: late}", "rules[0].name: is missing"),
        ("{name: a, kind: late, window: 1 fortnight}", "rules[0].window: read '1 fortnight', expected a number"),
        ("{name: a, kind: late, severity: bad}", "rules[0].severity: read 'bad', expected 'info', 'warning'"),
        ("{name: a, kind: late, stream: wether}", "rules[0].stream: read 'wether', did you mean 'weather'?"),
        ("{name: a, kind: late}, {name: a, kind: silent}", "rules[1].name: 'a' is the name of rules[0] already"),
        ("{name: a, kind: silent, window: 1h}", "rules[0].window: unknown key"),
        ("{name: a, kind: threshold, stream: weather, field: temperature, above: 1}", "mean 'temperature_c'?"),
        ("{name: a, kind: threshold, field: temperature_c, above: 1}", "production has no number 'temperature_c'"),
        ("{name: a, kind: threshold, stream: weather, field: uvi}", "rules[0]: names neither above nor below"),
        ("{name: a, kind: change, stream: meter, field: energy_kwh, how: jumps}", "rules[0]: how is jumps and by is"),
        ("{name: a, kind: surprise, stream: market}", "expected weather: no other stream has forecasts"),
        ("{name: a, kind: surprise, times: 23}", "rules[0]: 23 times take a window of 25h"),
        ("{name: a, kind: surprise, window: 4h}", "rules[0]: 3 times take a window of 5h"),
        ("{name: a, kind: stalled, stream: market}", "rules[0].stream: read 'market'"),
        ("{name: a, kind: late, for: 5}", "rules[0].for: read 5, expected a number and a unit: 5s, 5min, 5h, 5d"),
        ("{name: a, kind: late, window: 1.5}", "rules[0].window: read 1.5, expected a number and a unit"),
        ("{name: a, kind: late, stream: weather, series: [Oslo, Bergn]}", "rules[0].series[1]: read 'Bergn', did you"),
        ("{name: a, kind: silent, series: [NO5/hydr]}", "read 'NO5/hydr', did you mean 'NO5/hydro'?"),
        ("{name: a, kind: threshold, stream: weather, field: temperature_c, above: .nan}", "rules[0].above: Input"),
        ("{name: a, kind: change, stream: meter, field: energy_kwh, how: jumps, by: .inf}", "rules[0].by: Input"),
        ("{name: a, kind: query, index: x-*, query: a}", "rules[0]: names both or neither of more_than and fewer"),
    ],
)
def test_a_mistake_is_named_by_its_key_with_what_was_meant(tmp_path: Path, text: str, said: str) -> None:
    assert said in mistake(tmp_path, f"rules: [{text}]")


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    said = mistake(tmp_path, "ruls: 1\nrules: [{name: a, kind: late, widow: 1h}, {name: b, kind: lat}]")

    assert [line.split(":")[1] for line in said.splitlines()] == ["1", "2", "2"]


WHOLE = """
rules:
  - {name: late, kind: late}
  - name: slow
    kind: late
    fro: 3min
inhibit:
  - {while: {rule: lat}, mute: {kind: silent}, sme: stream}
quiet_hours:
  - from: 22:00
    until: "06:00"
    time_zone: Europe/Olso
"""


def test_a_mistake_is_named_with_its_line(tmp_path: Path) -> None:
    said = mistake(tmp_path, WHOLE).splitlines()

    assert said == [
        "rules.yml:6: rules[1].fro: unknown key, did you mean 'for'?",
        "rules.yml:8: inhibit[0].sme: unknown key, did you mean 'same'?",
        "rules.yml:12: quiet_hours[0].time_zone: is no time zone, expected a name such as Europe/Oslo "
        "(read 'Europe/Olso')",
    ]


def test_an_inhibition_of_a_rule_that_is_not_there_is_named(tmp_path: Path) -> None:
    text = WHOLE.replace("fro: 3", "for: 3").replace("sme", "same").replace("Olso", "Oslo")

    assert mistake(tmp_path, text) == "rules.yml:8: inhibit[0].while.rule: read 'lat', did you mean 'late'?"


def test_quiet_hours_are_read_with_and_without_quotes(tmp_path: Path) -> None:
    text = (
        WHOLE.replace("fro: 3", "for: 3")
        .replace("sme", "same")
        .replace("Olso", "Oslo")
        .replace("rule: lat}", "rule: late}")
    )
    [hours] = load_file(tmp_path, text).quiet_hours

    assert (hours.from_.isoformat(), hours.until.isoformat()) == ("22:00:00", "06:00:00")


@pytest.mark.parametrize("text", ["22", "2200", "600", "22.5", "'22'", "24:00", "'6:5'", "'06:00:30'"])
def test_quiet_hours_without_hours_and_minutes_are_refused(tmp_path: Path, text: str) -> None:
    said = mistake(
        tmp_path,
        f"rules: [{{name: a, kind: late}}]\nquiet_hours:\n- from: {text}\n  until: '06:00'\n  time_zone: Europe/Oslo",
    )

    assert said.startswith("rules.yml:3: quiet_hours[0].from: expected hours and minutes: '22:00'")


@pytest.mark.parametrize("text", ["1:05", "01:05", "'1:05'"])
def test_quiet_hours_are_what_is_written(tmp_path: Path, text: str) -> None:
    rules = load_file(
        tmp_path,
        f"rules: [{{name: a, kind: late}}]\nquiet_hours: [{{from: {text}, until: 10:00, time_zone: Europe/Oslo}}]",
    )

    assert (rules.quiet_hours[0].from_, rules.quiet_hours[0].until) == (time(1, 5), time(10))


TWICE = """
rules: [{name: a, kind: late}]
inhibit:
  - {while: {kind: late}, mute: {kind: silent}}
group_for: 1min
inhibit:
  - {while: {kind: stalled}, mute: {kind: late}}
"""


def test_a_key_that_is_there_twice_is_named(tmp_path: Path) -> None:
    assert mistake(tmp_path, TWICE) == "rules.yml:6: inhibit: is there twice, first in line 3; expected one of them"
    assert "rules.yml:1: rules[0].name: is there twice" in mistake(tmp_path, "rules: [{name: a, kind: late, name: b}]")


@pytest.mark.parametrize(
    ("inhibition", "said"),
    [
        (
            "{while: {stream: pipelin}, mute: {kind: late}}",
            "inhibit[0].while.stream: read 'pipelin', did you mean 'pip",
        ),
        ("{while: {kind: late}, mute: {stream: wether}}", "inhibit[0].mute.stream: read 'wether', did you mean 'weat"),
    ],
)
def test_an_inhibition_of_a_stream_that_is_not_there_is_named(tmp_path: Path, inhibition: str, said: str) -> None:
    assert said in mistake(tmp_path, f"rules: [{{name: late, kind: late}}]\ninhibit: [{inhibition}]")


def test_an_inhibition_may_name_what_a_query_is_filed_under(tmp_path: Path) -> None:
    query = "{name: a, kind: query, index: x-*, query: a, more_than: 1, stream: shop}"
    text = f"rules: [{query}]\ninhibit: [{{while: {{stream: shop}}, mute: {{stream: pipeline}}}}]"

    assert load_file(tmp_path, text).inhibit[0].while_.stream == "shop"


def test_series_that_nothing_declares_in_the_file_may_be_declared_by_a_source(tmp_path: Path) -> None:
    [rule] = load(tmp_path, "rules: [{name: a, kind: late, stream: meter, series: [home-Z, kitchen, 'h*']}]")

    assert rule.series == ("home-Z", "kitchen", "h*")


def test_each_kind_has_a_judge_and_a_word() -> None:
    from alerts.messages import _WORDS

    assert set(_WORDS) == set(KINDS)


@pytest.mark.parametrize("text", ["", "[]", "rules: []", "rules: {", "rules: 3", "- 1", "rules: [3]"])
def test_what_is_no_rules_file_is_refused(tmp_path: Path, text: str) -> None:
    assert mistake(tmp_path, text).startswith("rules.yml:")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yml: cannot be read"):
        load_rules(tmp_path / "nothing.yml", STREAMS)


@pytest.mark.slow
def test_they_are_read_as_utf_8_whatever_the_terminal_speaks(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text("rules: [{name: a, kind: dead_letters, stream: weather}]  # in Tromsø\n", encoding="utf-8")
    read = "import sys, pathlib, alerts.rules_file as r; print(r.load_rules(pathlib.Path(sys.argv[1]), {}))"
    answer = subprocess.run(
        [sys.executable, "-c", read, str(file)],
        cwd=ROOT,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
