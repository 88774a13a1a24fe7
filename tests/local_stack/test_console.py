"""What a person sees, on whatever terminal."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from readings.config import ROOT

PASSWORDS = "from local_stack.passwords import *\nensure_passwords()\nforget_passwords()"
STEP = "from local_stack.console import make_console, step\nwith step(make_console(), 'stopping'): print('it stops')"


@pytest.mark.parametrize("words", [("-c", STEP), ("-m", "local_stack.doctor")], ids=["a step", "doctor"])
def test_a_sign_that_the_terminal_cannot_show_ends_nothing(words: tuple[str, ...]) -> None:
    answer = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "latin-1", "JAVA_HOME": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stderr == ""
    assert "? stopping" in answer.stdout or "? install a Java 17" in answer.stdout


@pytest.mark.slow
@pytest.mark.parametrize("words", [("-c", PASSWORDS), ("-m", "local_stack.doctor")], ids=["passwords", "doctor"])
def test_the_env_file_is_utf_8_whatever_the_terminal_speaks(tmp_path: Path, words: tuple[str, ...]) -> None:
    file = tmp_path / "env"
    file.write_text("# Målar i Tromsø\n", encoding="utf-8")
    answer = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("LOCAL_")},
            **{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "SKYWATT_ENV_FILE": str(file)},
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stderr == ""
    assert file.read_text(encoding="utf-8") == "# Målar i Tromsø\n"
