"""Programs that the system's packages bring. Standard library only."""

import os
import shutil
import sys
from pathlib import Path

SBIN = ("/usr/local/sbin", "/usr/sbin", "/opt/homebrew/sbin")
"""Where packages put servers, which an ordinary user's PATH may not have."""
MEND_MOSQUITTO = "install it (Debian, Ubuntu: apt-get install mosquitto), or set MQTT_URL to a broker of yours"


def system_path() -> str:
    """``PATH`` without the folder of our Python: whether its environment is activated makes no other command."""
    own = str(Path(sys.executable).parent)
    return os.pathsep.join(one for one in os.environ.get("PATH", os.defpath).split(os.pathsep) if one != own)


def find_installed(program: str) -> str | None:
    """The program's path, or None where it is not installed."""
    return shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *SBIN)))
