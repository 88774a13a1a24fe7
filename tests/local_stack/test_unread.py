"""Lines of ``.env`` that count for nothing are named."""

import re
from pathlib import Path

import pytest

from local_stack import __main__ as command_line
from local_stack.passwords import DOCKER_NAMES, ensure_passwords
from local_stack.unread import unread_lines
from readings.config import ROOT
from readings.settings import Settings


@pytest.fixture
def env(settings: Settings, tmp_path: Path) -> Path:
    return tmp_path / "env"


def test_a_name_that_is_spelt_another_way_is_told_with_the_nearest_and_without_its_value(env: Path) -> None:
    env.write_text(
        "# mine\nSLACK_BOTTOKEN=xoxb-hunter22\n\n\nexport meter_max_kwh = 20\nSKYWATT_KAFKA_PORT=29092\nEDITOR=vi\n"
    )
    assert list(unread_lines()) == [
        "line 2: nothing reads SLACK_BOTTOKEN; did you mean SLACK_BOT_TOKEN?",
        "line 5: nothing reads meter_max_kwh; did you mean METER_MAX_KW?",
        "line 7: nothing reads EDITOR, .env.example has the names that count",
    ]


@pytest.mark.parametrize(
    "line", ["hunter22", "xoxb-hunter22=1", "SLACK TOKEN=hunter22", "MIIChunter22==", '="hunter22']
)
def test_of_what_is_no_name_its_line_alone_is_told(env: Path, line: str) -> None:
    """A secret may be broken over two lines."""
    env.write_text(f"{line}\n")
    assert list(unread_lines()) == ["line 1: read by nothing, for it is not NAME=value"]


def test_what_lies_within_a_value_of_several_lines_is_none(env: Path) -> None:
    env.write_text('SLACK_CHANNEL="#sky\nHUNTER22=1"\n')
    assert not list(unread_lines())


def test_all_that_is_documented_made_or_dockers_own_is_read(env: Path) -> None:
    names = re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert len(names) > 60
    others = ["COMPOSE_PROJECT_NAME", "DOCKER_HOST", "JDK_JAVA_OPTIONS"]
    env.write_text("".join(f"{name}=\n" for name in (*names, *others)))
    ensure_passwords(DOCKER_NAMES)
    assert not list(unread_lines())


def test_where_there_is_no_file_or_it_is_no_text_there_is_none(env: Path) -> None:
    assert not list(unread_lines())
    env.write_bytes(b"EDITOR=caf\xe9\n")
    assert not list(unread_lines())


@pytest.mark.parametrize("command", ["up", "doctor"])
def test_up_and_doctor_tell_them(
    env: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    env.write_text("SLACK_BOTTOKEN=xoxb-hunter22\n")
    monkeypatch.setenv("SKYWATT_MODE", "local")
    monkeypatch.setattr(command_line, "up", lambda *_: 0)
    monkeypatch.setattr(command_line.doctor, "look", lambda: [])
    assert command_line.main([command]) == 0
    assert capsys.readouterr().out == (
        "warning  .env         line 1: nothing reads SLACK_BOTTOKEN; did you mean SLACK_BOT_TOKEN?\n"
    )
