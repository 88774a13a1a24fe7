"""Finds Java. Standard library only: ``doctor`` uses it before anything is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

OLDEST = 17
MEND = "install a Java 17 or newer (Debian: apt-get install openjdk-17-jre-headless), or set JAVA_HOME to one"


class JavaNotFoundError(Exception):
    """There is no Java that the servers can run on; the text says what was found."""


def find_java() -> Path:
    """The ``java`` of JAVA_HOME, else of PATH, links resolved. Raises JavaNotFoundError where it is missing or old."""
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if not found or not Path(found).exists():
        raise JavaNotFoundError(f"JAVA_HOME is {home!r} and has no bin/java" if home else "there is no java on PATH")
    version = java_version(found)
    if version < OLDEST:
        raise JavaNotFoundError(f"{found} is Java {version}, expected {OLDEST} or newer")
    return Path(found).resolve()


def java_environment() -> dict[str, str]:
    """What a server's Java gets of our environment: ``PATH`` and, where it is set, ``JDK_JAVA_OPTIONS``."""
    options = os.environ.get("JDK_JAVA_OPTIONS")
    return {"PATH": os.environ.get("PATH", os.defpath), **({"JDK_JAVA_OPTIONS": options} if options else {})}


def java_version(java: str) -> int:
    """The major version that ``java -version`` tells. Raises JavaNotFoundError where it does not run."""
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except OSError as error:
        raise JavaNotFoundError(f"{java} does not run: {error.strerror}") from error
    told = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    if answer.returncode != 0 or not told:
        raise JavaNotFoundError(f"{java} -version failed: {(answer.stderr or answer.stdout).strip()[:200]}")
    return int(told.group(1))
