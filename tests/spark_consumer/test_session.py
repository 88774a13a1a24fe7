"""The session: where it can be started."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from readings.config import ROOT
from spark_consumer.session import CONNECTOR

pytestmark = pytest.mark.slow

STARTED = """
from readings.settings import load_settings
from spark_consumer.session import make_session
session = make_session(load_settings())
session._jvm.org.apache.logging.log4j.LogManager.getLogger("a test").warn("it is started")
session.stop()
"""


def test_it_starts_and_logs_as_we_do_in_a_clone_and_with_a_home_whose_paths_have_blanks(tmp_path: Path) -> None:
    clone, jars = tmp_path / "a clone of 'mine'", tmp_path / "a home" / CONNECTOR
    clone.symlink_to(ROOT)
    jars.mkdir(parents=True)
    zipfile.ZipFile(jars / "a.jar", "w").close()
    answer = subprocess.run(
        [sys.executable, "-c", STARTED],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(clone),
            "SKYWATT_ENV_FILE": os.devnull,
            "SKYWATT_HOME": str(jars.parent),
            "SPARK_DRIVER_MEMORY": "512m",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    logged = [json.loads(line) for line in answer.stderr.splitlines() if line.startswith("{")]
    assert "it is started" in [line["message"] for line in logged]
