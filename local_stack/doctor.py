"""``run.sh doctor``: whether this machine can run Skywatt, and how to mend what is missing.

Standard library only: it runs with the system's Python, before anything is downloaded.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_stack.installed import MEND_MOSQUITTO, find_installed
from local_stack.java import MEND, JavaNotFoundError, find_java, java_version
from local_stack.terminal import show_what_it_can
from readings import env_file

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ((3, 11), (3, 13))
"""The oldest and the newest that every package of requirements.lock has a wheel for: SecantusDB is built for these."""
MEMORY_GB, DISK_GB = 5, 3
"""What a first start needs free."""
LEAST_MEMORY_GB, LEAST_DISK_GB = 2, 0.5
"""What a start needs whose jars and data are there. With less disk Elasticsearch soon takes no readings any more."""
PORTS = {
    "SKYWATT_KAFKA_PORT": (9092, "kafka", "KAFKA_BOOTSTRAP_SERVERS"),
    "SKYWATT_KAFKA_CONTROLLER_PORT": (9093, "kafka", "KAFKA_BOOTSTRAP_SERVERS"),
    "SKYWATT_MONGODB_PORT": (27017, "mongodb", "MONGODB_URI"),
    "SKYWATT_ELASTICSEARCH_PORT": (9200, "elasticsearch", "ELASTICSEARCH_URL"),
    "SKYWATT_ELASTICSEARCH_TRANSPORT_PORT": (9300, "elasticsearch", "ELASTICSEARCH_URL"),
    "SKYWATT_FORECASTER_PORT": (8000, "forecaster", "FORECASTER_URL"),
    "SKYWATT_MQTT_PORT": (1883, "mosquitto", "MQTT_URL"),
    "SKYWATT_DASHBOARD_PORT": (8501, "dashboard", ""),
}
"""Each port's variable: its default, the part that listens there, and the variable that says the part is elsewhere
(none for what is always here)."""

CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    well: bool
    found: str
    mend: str = ""
    little: bool = False
    """It will do, but more is better."""


class UnfitError(Exception):
    """This machine cannot run Skywatt as it is; the text says what to mend."""


def main() -> int:
    """Prints a line for each thing that matters; gives 1 where one is a problem."""
    show_what_it_can()
    findings = list(look())
    for finding in findings:
        sign = "PROBLEM" if not finding.well else "warning" if finding.little else "ok"
        print(f"{sign:<7}  {finding.what:<12} {finding.found}")
        if sign != "ok":
            print(f"{'':9}{'':<12} → {finding.mend}")
    return 0 if all(finding.well for finding in findings) else 1


def examine(parts: Sequence[str]) -> str:
    """Looks at what the parts need that are about to be started. Raises UnfitError with what is to be mended."""
    findings = list(look(parts))
    problems = [f"{finding.what}: {finding.found}\n  → {finding.mend}" for finding in findings if not finding.well]
    if problems:
        raise UnfitError("\n".join(problems))
    return ", ".join(
        f"{'only ' if finding.little else ''}{finding.found}"
        for finding in findings
        if finding.what in ("memory", "disk")
    )


def look(parts: Sequence[str] | None = None) -> Iterator[Finding]:
    """What was found, one finding at a time; where parts are named, only what those need."""
    variables = _variables()
    data = Path(variables.get("SKYWATT_DATA") or ROOT / ".skywatt").expanduser().absolute()
    home = Path(variables.get("SKYWATT_HOME") or "~/.cache/skywatt").expanduser().absolute()
    yield _python()
    yield from _env_file()
    yield _java()
    yield _memory(running=_is_running(data), started=_was_started(data))
    yield _disk(data, home, started=_was_started(data))
    yield from _user(parts, variables)
    yield from _broker(parts, variables)
    yield from _ports(parts, variables, data)


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    oldest, newest = PYTHONS
    return Finding("Python", oldest <= sys.version_info[:2] <= newest, found, "install Python 3.11, 3.12 or 3.13")


def _env_file() -> Iterator[Finding]:
    problem = env_file.problem()
    if problem:
        yield Finding(".env", False, problem, env_file.MEND)


def _java() -> Finding:
    try:
        java = find_java()
    except JavaNotFoundError as error:
        return Finding("Java", False, str(error), MEND)
    return Finding("Java", True, f"Java {java_version(str(java))} ({java})")


def _memory(*, running: bool, started: bool) -> Finding:
    available = _available_bytes()
    if available is None:
        return Finding("memory", True, "unknown on this system")
    found = f"{available / 2**30:.1f} GiB memory free"
    mend = f"close other programs: everything together needs up to {MEMORY_GB} GiB"
    least = LEAST_MEMORY_GB if started else MEMORY_GB
    little = not running and available < MEMORY_GB * 2**30
    return Finding("memory", running or available >= least * 2**30, found, mend, little)


def _available_bytes() -> int | None:
    """What may still be taken: of the machine, or of the container's share where that is less.

    Of the files that the kernel keeps in memory it gives up the inactive ones first: they count as free, as for
    ``docker stats`` (the kernel's Documentation/admin-guide/cgroup-v2.rst, memory.current and memory.stat).
    """
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
        current = int((CGROUP / "memory.current").read_text())
        stat = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
    except OSError:
        return available
    if limit == "max":
        return available
    used = max(current - int(stat.get("inactive_file", "0")), 0)
    return min(available, max(int(limit) - used, 0))


def _disk(data: Path, home: Path, *, started: bool) -> Finding:
    worst, free = min(((path, _free_bytes(path)) for path in (data, home)), key=lambda pair: pair[1])
    mend = f"make room on the disk that holds {worst}, or set SKYWATT_DATA and SKYWATT_HOME to folders on another"
    least = LEAST_DISK_GB if started else DISK_GB
    return Finding("disk", free >= least * 10**9, f"{free / 1e9:.1f} GB disk free", mend, free < DISK_GB * 10**9)


def _free_bytes(path: Path) -> int:
    return shutil.disk_usage(next(folder for folder in (path, *path.parents) if folder.exists())).free


def _user(parts: Sequence[str] | None, variables: dict[str, str]) -> Iterator[Finding]:
    """Elasticsearch refuses root: as root we need a way to another user."""
    needed = "elasticsearch" in parts if parts is not None else not variables.get("ELASTICSEARCH_URL")
    if os.geteuid() != 0 or not needed:
        return
    mend = "Elasticsearch refuses to run as root: install util-linux's setpriv, or use an ordinary user"
    if not shutil.which("setpriv"):
        yield Finding("user", False, "root, and there is no setpriv", mend)
        return
    try:
        pwd.getpwnam("nobody")
    except KeyError:
        yield Finding("user", False, "root, and there is no user nobody", mend)
        return
    yield Finding("user", True, "root; Elasticsearch runs as nobody")


def _broker(parts: Sequence[str] | None, variables: dict[str, str]) -> Iterator[Finding]:
    if not _runs_here("mosquitto", variables.get("MQTT_URL")) or (parts is not None and "mosquitto" not in parts):
        return
    found = find_installed("mosquitto")
    yield Finding("MQTT broker", found is not None, found or "MQTT_URL is local: no mosquitto", MEND_MOSQUITTO)


def _runs_here(part: str, elsewhere: str | None) -> bool:
    """Whether a part runs on this machine, by the variable that may say otherwise; the broker only where wished."""
    return elsewhere == "local" if part == "mosquitto" else not elsewhere


def _ports(parts: Sequence[str] | None, variables: dict[str, str], data: Path) -> Iterator[Finding]:
    for variable, (default, part, elsewhere) in PORTS.items():
        if not _runs_here(part, variables.get(elsewhere)) or (parts is not None and part not in parts):
            continue
        port = variables.get(variable) or str(default)
        what = f"port {port}"
        if not (port.isdecimal() and 1 <= int(port) <= 65535):
            yield Finding(what, False, f"{variable} is {port!r}", "set it to a number from 1 to 65535")
        elif _is_free(int(port)):
            yield Finding(what, True, f"free, for {part}")
        elif (owner := _owner(int(port))) and _is_ours(owner, data):
            yield Finding(what, True, f"our own {part} (pid {owner})")
        else:
            found = f"taken by {f'pid {owner} ({_name(owner)})' if owner else 'another process'}"
            yield Finding(what, False, found, f"end that process, or set {variable} to a free port in .env")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _owner(port: int) -> int | None:
    """The process that listens on a port, where we may see it (Linux)."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = [line.split() for line in Path(table).read_text().splitlines()[1:]]
        except OSError:
            continue
        inodes |= {f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port}
    for handle in Path("/proc").glob("[0-9]*/fd/*") if inodes else ():
        try:
            if str(handle.readlink()) in inodes:
                return int(handle.parts[2])
        except OSError:  # it ended, or is another user's
            continue
    return None


def _is_ours(pid: int, data: Path) -> bool:
    """Whether a process belongs to the stack that keeps its data there (see `supervisor.MARKER`)."""
    try:
        return f"SKYWATT_STACK={data}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _is_running(data: Path) -> bool:
    try:
        return _is_ours(int((data / "run" / "supervisord.pid").read_text()), data)
    except (OSError, ValueError):
        return False


def _was_started(data: Path) -> bool:
    """Whether its parts were started before (see `changes.remember`): what they need was downloaded, and laid out."""
    return (data / "run" / "settings.json").exists()


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "ended"


def _variables() -> dict[str, str]:
    """The environment over ``.env``; of the file only plain ``NAME=value`` lines are understood here."""
    path = env_file.path()
    read = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            name, separator, value = line.removeprefix("export ").partition("=")
            if separator and not name.startswith("#"):
                read[name.strip()] = value.split(" #")[0].strip().strip("'\"")
    return {**read, **{name: value for name, value in os.environ.items() if value}}


if __name__ == "__main__":
    sys.exit(main())
