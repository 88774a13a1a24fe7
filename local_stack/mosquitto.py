"""Eclipse Mosquitto for this machine only, with a user and password, keeping sessions and messages over a restart."""

import os
import pwd
import subprocess
from pathlib import Path

from local_stack.errors import StackError
from local_stack.installed import MEND_MOSQUITTO, find_installed
from local_stack.layout import Layout
from local_stack.programs import Program
from readings.connections import mqtt_client
from readings.settings import Settings

NAME = "mosquitto"


def prepare(settings: Settings, layout: Layout) -> Program:
    """Writes the broker's configuration and its hashed password, and says how it is run."""
    folder = layout.server(NAME)
    (folder / "data").mkdir(mode=0o700, parents=True, exist_ok=True)
    passwords, configuration = folder / "passwords", folder / "mosquitto.conf"
    _write_passwords(passwords, settings.local_mqtt_password.get_secret_value())
    configuration.write_text(configured(settings.skywatt_mqtt_port, folder))
    return Program(NAME, (_find("mosquitto"), "-c", str(configuration)), folder, settings.skywatt_mqtt_port, clean=True)


def ping(settings: Settings, timeout_s: float) -> None:
    """Logs in. Raises OSError where that fails."""
    client = mqtt_client(settings)
    host, port, _ = settings.mqtt_address
    client.connect_timeout = timeout_s
    refused: list[str] = []
    client.on_connect = lambda _client, _data, _flags, reason, _properties: refused.append(
        str(reason) if reason.is_failure else ""
    )
    client.connect(host, port)
    while not refused and client.loop(timeout_s) == 0:
        pass
    client.disconnect()
    if not refused or refused[0]:
        raise ConnectionError(f"mosquitto: {refused[0] if refused else 'it did not answer'}")


def configured(port: int, folder: Path) -> str:
    """The broker's configuration: docker/mosquitto.conf says the same but for where things are."""
    return f"""\
user {pwd.getpwuid(os.geteuid()).pw_name}
listener {port} 127.0.0.1
allow_anonymous false
password_file {folder / "passwords"}
persistence true
persistence_location {folder / "data"}/
# What is queued is written every five seconds and at the end: a kill can cost as much.
autosave_interval 5
# For each session, while the bridge is away: half a day of ten messages a second, 0.3 GB of memory at the most.
max_queued_messages 500000
log_dest stderr
log_type error
log_type warning
log_type notice
"""


def _write_passwords(path: Path, password: str) -> None:
    """Only the hash stays; the password is on no command line."""
    path.touch(mode=0o600)
    path.write_text(f"skywatt:{password}\n")
    subprocess.run([_find("mosquitto_passwd"), "-U", str(path)], check=True, capture_output=True)


def _find(program: str) -> str:
    found = find_installed(program)
    if found is None:
        raise StackError(f"MQTT_URL is local and there is no {program}: {MEND_MOSQUITTO}")
    return found
