"""util-linux's ``setpriv``: starts a program with other rights than ours."""

import shutil
import subprocess


def setpriv(*options: str) -> tuple[str, ...] | None:
    """What to put before a command for these options; None where this machine does not know or permit them."""
    found = shutil.which("setpriv")
    if found is None or subprocess.run([found, *options, "true"], capture_output=True, check=False).returncode != 0:
        return None
    return found, *options
