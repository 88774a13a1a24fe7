import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from readings.config import ROOT
from readings.settings import Settings

LOCK = Path(__file__).with_name("tools.lock")
SECRETS = [
    *(f"LOCAL_{name}_PASSWORD" for name in ("KAFKA", "MONGODB", "ELASTICSEARCH", "MQTT")),
    *(f"DOCKER_{name}_PASSWORD" for name in ("ELASTIC", "WRITER", "READER", "LOGSTASH", "KEEPER", "KIBANA_SYSTEM")),
    *("DOCKER_KIBANA_KEY", "DOCKER_MONGODB_KEY"),
]


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder of docker-compose and hadolint: fetched once into the cache folder, with the sums of the lock."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    folder = Settings(_env_file=None).skywatt_home / f"docker-tools-{digest}"
    if not folder.exists():
        work = folder.with_name(f"{folder.name}-{os.getpid()}")
        uv = Path(sys.executable).with_name("uv")
        command = [str(uv), "pip", "install", "-q", "--target", str(work), "--require-hashes", "-r", str(LOCK)]
        subprocess.run(command, check=True)
        (work / "compose" / "docker-compose").chmod(0o755)
        try:
            work.rename(folder)
        except OSError:  # another session was faster
            shutil.rmtree(work)
    return folder


@pytest.fixture(scope="session")
def stack(tools: Path) -> dict[str, Any]:
    """The compose file as Docker Compose itself resolves it, all profiles, each secret by its own name."""
    names = ["core", "elk", "ui", "cassandra"]
    environment = {"PATH": os.environ["PATH"], **{name: f"the-{name}" for name in SECRETS}}
    answer = subprocess.run(
        [
            str(tools / "compose" / "docker-compose"),
            *(word for name in names for word in ("--profile", name)),
            *("--env-file", os.devnull, "-f", str(ROOT / "docker-compose.yml"), "config"),
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == "", "Compose warns"
    resolved: dict[str, Any] = yaml.safe_load(answer.stdout)
    return resolved
