"""Programs that the system's packages bring. Standard library only."""

import os
import shutil

SBIN = ("/usr/local/sbin", "/usr/sbin", "/opt/homebrew/sbin")
"""Where packages put servers, which an ordinary user's PATH may not have."""
MEND_MOSQUITTO = "install it (Debian, Ubuntu: apt-get install mosquitto), or set MQTT_URL to a broker of yours"


def find_installed(program: str) -> str | None:
    """The program's path, or None where it is not installed."""
    return shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *SBIN)))
