"""``run.sh test``: linters and tests, the way CI runs them."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from local_stack.console import say
from readings.config import ROOT

_BIN = Path(sys.executable).parent
LINTERS = {
    "ruff check": ("ruff", "check", "--quiet", "."),
    "ruff format": ("ruff", "format", "--check", "--quiet", "."),
    "mypy": ("mypy", "--no-error-summary"),
    "import-linter": ("lint-imports", "--no-cache"),
}
_BESIDE = ("-n", "2", "--dist", "loadscope")
"""Two workers, each with servers of its own (tests/conftest.py)."""
SUITES = {
    "unit": ("--ignore=tests/end_to_end", "-m", "not long and not slow", "-p", "no:schemathesis", "-n", "auto"),
    "all": ("-m", "not long", *_BESIDE),
    "long": _BESIDE,
}
"""What pytest is told: `unit` starts no servers and uses every core, `long` leaves nothing out."""


def check(console: Console, suite: str, arguments: Sequence[str]) -> int:
    """Runs a suite, the linters before it unless it is `unit`. Gives 0 where all went well; pytest speaks last."""
    wrong = [] if suite == "unit" else [name for name in LINTERS if not _lint(console, name)]
    if wrong:
        console.print(f"[red]not well: {', '.join(wrong)}[/]; the tests run all the same")
    tests = subprocess.run([str(_BIN / "pytest"), *SUITES[suite], *arguments], cwd=ROOT, check=False)
    return tests.returncode or (1 if wrong else 0)


def _lint(console: Console, name: str) -> bool:
    began = time.monotonic()
    command = LINTERS[name]
    answer = subprocess.run(
        [str(_BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    well = answer.returncode == 0
    say(console, "✓" if well else "✗", name, began)
    if not well:
        print(answer.stdout + answer.stderr, flush=True)
    return well
