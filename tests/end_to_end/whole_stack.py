"""What ``bash run.sh`` brings up, with its recordings: `test_up*.py` look at it one after the other."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_stack.layout import Layout
from local_stack.layout import layout as make_layout
from local_stack.spare import settings_of
from readings.config import ROOT
from readings.settings import Settings


@dataclass
class WholeStack:
    """Every part, on ports and data of its own, with the commands that a user has."""

    environment: Mapping[str, str]
    told: str = ""
    """What the first ``up`` printed."""

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """``bash run.sh`` with these arguments."""
        return subprocess.run(
            ["bash", str(ROOT / "run.sh"), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        """``status --json``, read."""
        told: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return told

    @property
    def settings(self) -> Settings:
        """They reach it from the test."""
        return settings_of(self.environment)

    @property
    def layout(self) -> Layout:
        """Where its data and logs are."""
        return make_layout(self.settings)

    @property
    def env_file(self) -> Path:
        """Where its passwords are."""
        return Path(self.environment["SKYWATT_ENV_FILE"])
