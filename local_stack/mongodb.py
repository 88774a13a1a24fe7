"""A server of MongoDB's wire protocol: ``mongod`` where it is installed, else SecantusDB from the lock file."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import bcrypt
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from local_stack.errors import StackError
from local_stack.installed import system_path
from local_stack.layout import Layout
from local_stack.ports import free_ports
from local_stack.programs import Program
from local_stack.setpriv import setpriv
from local_stack.supervisor import MARKER
from readings.connections import connect_mongodb
from readings.settings import Settings

NAME = "mongodb"
CACHE = "256M"
"""WiredTiger's cache: the newest readings and the indexes of a small stack."""
_PROVISION_S = 60.0
_DUPLICATE_USER = 51003


def prepare(settings: Settings, layout: Layout) -> Program:
    """Makes the user ``skywatt`` the first time, or gives it a changed password, and says how the server is run."""
    folder = layout.server(NAME)
    (folder / "data").mkdir(mode=0o700, parents=True, exist_ok=True)
    server = find_server()
    (folder / "empty.toml").touch()
    password = settings.local_mongodb_password.get_secret_value()
    stamp = folder / "provisioned"
    if not _was_provisioned(stamp, password):
        _provision(server, layout, password)
        stamp.write_bytes(bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=10)))
    return Program(
        NAME,
        _command(server, folder, settings.skywatt_mongodb_port, auth=True),
        folder,
        settings.skywatt_mongodb_port,
        environment=_environment(),
        clean=True,
    )


def find_server() -> Path:
    """The server to run: the first of mongod, secantusd-rs on PATH, else secantusd-py beside our Python."""
    for name in ("mongod", "secantusd-rs"):
        if found := shutil.which(name):
            return Path(found)
    return Path(sys.executable).with_name("secantusd-py")


def ping(settings: Settings, timeout_s: float) -> None:
    """Logs in and pings. Raises what the client raises where that fails, after half the time where nothing is there."""
    database = connect_mongodb(settings, timeout_s / 2, socketTimeoutMS=int(timeout_s * 1000), retryReads=False)
    try:
        database.list_collection_names()
    finally:
        database.client.close()


def _command(server: Path, folder: Path, port: int, *, auth: bool) -> tuple[str, ...]:
    data = str(folder / "data")
    if server.name == "mongod":
        return (
            *(str(server), "--bind_ip", "127.0.0.1", "--port", str(port), "--dbpath", data),
            *("--unixSocketPrefix", str(folder), "--wiredTigerCacheSizeGB", "0.25", "--auth" if auth else "--noauth"),
        )
    return (
        *(str(server), "--config", str(folder / "empty.toml"), "--host", "127.0.0.1", "--port", str(port)),
        *("--storage-path", data, "--cache-size", CACHE, "--sync-on-commit", *(["--auth"] if auth else [])),
    )


def _environment() -> dict[str, str]:
    return {"PATH": system_path(), "PYTHONUNBUFFERED": "1"}


def _was_provisioned(stamp: Path, password: str) -> bool:
    return stamp.exists() and bcrypt.checkpw(password.encode(), stamp.read_bytes())


def _provision(server: Path, layout: Layout, password: str) -> None:
    """Runs the server for a moment on a free port of this machine without passwords, to make the user.

    It ends with us, on Linux also where we are killed, and its environment tells that it is the stack's.
    """
    (port,) = free_ports(1)
    folder, log = layout.server(NAME), layout.log(NAME)
    with log.open("ab") as output:
        process = subprocess.Popen(
            (*(setpriv("--pdeathsig", "TERM") or ()), *_command(server, folder, port, auth=False)),
            stdout=output,
            stderr=output,
            cwd=folder,
            env={**_environment(), MARKER: str(layout.root)},
        )
    try:
        _make_user(port, password, process, log)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _make_user(port: int, password: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    client: MongoClient[dict[str, object]] = MongoClient(f"mongodb://127.0.0.1:{port}", serverSelectionTimeoutMS=500)
    deadline = time.monotonic() + _PROVISION_S
    with client:
        while True:
            try:
                client.admin.command("ping")
                break
            except PyMongoError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise StackError(f"mongodb: {process.args!r} did not answer; its log: {log}") from error
        try:
            client.admin.command("createUser", "skywatt", pwd=password, roles=["root"])
        except OperationFailure as error:
            if error.code != _DUPLICATE_USER:
                raise
            client.admin.command("updateUser", "skywatt", pwd=password)
