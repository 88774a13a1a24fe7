"""Finds Java. Standard library only: ``doctor`` uses it before anything is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from local_stack.installed import system_path

OLDEST = 17
MEND = "install a Java 17 or newer (Debian: apt-get install openjdk-17-jre-headless), or set JAVA_HOME to one"

_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


class JavaNotFoundError(Exception):
    """There is no Java that the servers can run on; the text says what was found."""


def find_java() -> Path:
    """The ``java`` of JAVA_HOME, else of PATH, as it lies in its own home: on PATH may be a link, or what a version
    manager put there. Raises JavaNotFoundError where it is missing or old.
    """
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if not found or not Path(found).exists():
        raise JavaNotFoundError(f"JAVA_HOME is {home!r} and has no bin/java" if home else "there is no java on PATH")
    told = _ask(found)
    if _version(told) < OLDEST:
        raise JavaNotFoundError(f"{found} is Java {_version(told)}, expected {OLDEST} or newer")
    own = re.search(r"^ *java\.home = (.+)", told, re.MULTILINE)
    return (Path(own.group(1)) / "bin" / "java" if own else Path(found)).resolve()


def java_environment() -> dict[str, str]:
    """What a server's Java gets of our environment: ``PATH`` and, where it is set, ``JDK_JAVA_OPTIONS``."""
    options = os.environ.get("JDK_JAVA_OPTIONS")
    return {"PATH": system_path(), **({"JDK_JAVA_OPTIONS": options} if options else {})}


def java_version(java: str) -> int:
    """The major version that a ``java`` tells. Raises JavaNotFoundError where it does not run."""
    return _version(_ask(java))


def _ask(java: str) -> str:
    """What it tells of its version and its properties."""
    command = [java, "-XshowSettings:properties", "-version"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError as error:
        raise JavaNotFoundError(f"{java} does not run: {error.strerror}") from error
    told = answer.stderr + answer.stdout
    if answer.returncode != 0 or not _VERSION.search(told):
        raise JavaNotFoundError(f"{java} -version failed: {(answer.stderr or answer.stdout).strip()[:200]}")
    return told


def _version(told: str) -> int:
    return int(_VERSION.findall(told)[0])
