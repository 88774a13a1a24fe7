"""Whether a Docker engine answers, and which way of running is meant: SKYWATT_MODE."""

import json
import os
import subprocess
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from local_stack.errors import StackError
from local_stack.layout import layout
from local_stack.supervisor import Supervisor
from readings.errors import ConfigError
from readings.settings import load_what_is_right

Mode = Literal["local", "docker"]
ANSWER_S = 20


def chosen_mode() -> Mode:
    """Docker where SKYWATT_MODE says so, or says nothing, an engine answers and no local stack runs yet; else local.

    Raises ConfigError on another word, StackError where Docker is asked for and no engine answers.
    """
    mode = os.environ.get("SKYWATT_MODE") or "auto"
    if mode == "local":
        return "local"
    if mode not in ("auto", "docker"):
        raise ConfigError(f"SKYWATT_MODE: read {mode!r}, expected local or docker")
    problem = engine_problem()
    if mode == "docker":
        if problem:
            raise StackError(f"SKYWATT_MODE=docker: {problem}")
        return "docker"
    return "local" if problem or Supervisor(layout(load_what_is_right()[0])).pid() is not None else "docker"


@cache
def engine_problem() -> str | None:
    """Why Docker cannot be used, or None."""
    for command, problem in (
        (("docker", "info", "--format", "{{.ServerVersion}}"), "no Docker engine answers"),
        (("docker", "compose", "version"), "docker has no compose (version 2.24 or newer)"),
    ):
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return problem
        if answer.returncode != 0 or not answer.stdout.strip():
            return problem
    return None


def engine_info() -> Mapping[str, Any]:
    """What ``docker info`` tells. Raises StackError where it tells nothing."""
    answer = subprocess.run(
        ("docker", "info", "--format", "{{json .}}"), capture_output=True, text=True, timeout=ANSWER_S, check=False
    )
    if answer.returncode != 0:
        raise StackError(f"docker info failed: {answer.stderr.strip()[:500]}")
    told: Mapping[str, Any] = json.loads(answer.stdout)
    return told
