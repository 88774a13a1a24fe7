"""The image cannot be built where there is no Docker; what it is made of can be looked at."""

import re
import subprocess
import sys

import pytest

from readings.config import ROOT

ROOM = ROOT / "forecaster"
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def test_its_lock_has_the_pins_of_the_whole() -> None:
    whole = dict(PIN.findall((ROOT / "requirements.lock").read_text("utf-8")))
    own = dict(PIN.findall((ROOM / "requirements.lock").read_text("utf-8")))
    assert own
    assert own.items() <= whole.items()


@pytest.mark.slow
def test_the_service_imports_nothing_beside_its_lock() -> None:
    script = (
        "import sys, forecaster.__main__, forecaster.service; print(*{name.partition('.')[0] for name in sys.modules})"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    third_party = {"pyspark", "pandas", "scipy", "pymongo", "elasticsearch", "requests", "kafka", "psutil", "readings"}
    assert not third_party & set(run.stdout.split())


def test_it_runs_as_no_root_and_says_whether_it_is_well() -> None:
    lines = (ROOM / "Dockerfile").read_text("utf-8").splitlines()
    assert "USER 10001" in lines
    assert any("/health" in line for line in lines)
